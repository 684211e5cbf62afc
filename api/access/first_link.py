"""First link: what lets whoever reads the log of an empty service make its first user, once."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from secrets import token_hex

from api.access.sealing import derive

_KEY = re.compile(r"([0-9a-f]{32})([0-9a-f]{64})")


class FirstLink:
    """Makes and reads the links' keys; nothing is stored, so that every process knows them all.

    A key holds the id that the first user will have. An id is given once, so of all who use one
    link, however many at once, one becomes a user; and a link is for an empty store alone, which
    whoever reads it has to see to.
    """

    def __init__(self, secret_key: bytes) -> None:
        self._secret = derive(secret_key, "first-link")

    def draw(self) -> str:
        """A new link's key."""
        user_id = token_hex(16)
        return user_id + self._proof(user_id)

    def read(self, key: str) -> str | None:
        """The first user's id; None where the key was not drawn here."""
        found = _KEY.fullmatch(key)
        if found and hmac.compare_digest(found[2], self._proof(found[1])):
            return found[1]
        return None

    def _proof(self, user_id: str) -> str:
        return hmac.new(self._secret, user_id.encode(), sha256).hexdigest()
