"""Vault sealer: what each column of the vault is sealed under, and for which place."""

from __future__ import annotations

from hmac import digest
from secrets import token_bytes
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from api.access.sealing import KEY_LENGTH, Sealer, derive

if TYPE_CHECKING:
    from collections.abc import Iterable


class VaultSealer:
    """Seals and opens the vault's rows under one secret key.

    A person's key is sealed under it, and the person's name under the person's own; secrets and
    passwords are sealed under it. A row is whatever gives its columns by name. What opens one
    raises `CannotUnseal` where it was sealed under another secret key, or altered.
    """

    def __init__(self, secret_key: bytes) -> None:
        """Raises ValueError: the secret key is too short."""
        self._master = Sealer(derive(secret_key, "vault"))
        self._names_key = derive(secret_key, "names")

    def digest(self, name: str) -> bytes:
        """What a name is found by."""
        return folded_digest(self._names_key, name)

    def new_person(self, user_id: str, name: str) -> tuple[str, bytes, bytes, bytes]:
        """A row of `people`, with a key of the person's own."""
        key = token_bytes(KEY_LENGTH)
        sealed = Sealer(key).seal(name.encode(), _of_name(user_id))
        return user_id, self.digest(name), self._master.seal(key, _of_person(user_id)), sealed

    def person(self, row: Any) -> Sealer:
        """What is sealed under a person's own key is opened by this."""
        return Sealer(self._master.unseal(row["person_key"], _of_person(row["user_id"])))

    def name(self, row: Any) -> str:
        """A person's name, as it was written."""
        return self.person(row).unseal(row["name"], _of_name(row["user_id"])).decode()

    def seal_secret(self, access_key: str, user_id: str, secret: bytes) -> bytes:
        """For the table `secrets`."""
        return self._master.seal(secret, _of_secret(access_key, user_id))

    def secret(self, row: Any) -> bytes:
        """A secret of the table `secrets`."""
        return self._master.unseal(row["secret"], _of_secret(row["access_key"], row["user_id"]))

    def seal_password(self, user_id: str, password_hash: bytes) -> bytes:
        """For the table `passwords`."""
        return self._master.seal(password_hash, _of_password(user_id))

    def password(self, row: Any) -> bytes:
        """A hash of the table `passwords`."""
        return self._master.unseal(row["hash"], _of_password(row["user_id"]))

    # The same rows under another secret key

    def resealed_person(self, row: Any, following: VaultSealer) -> tuple[bytes, bytes]:
        """The key, which stays the same, and the digest of the name."""
        place = _of_person(row["user_id"])
        key = self._master.unseal(row["person_key"], place)
        return following._master.seal(key, place), following.digest(self.name(row))

    def resealed_secret(self, row: Any, following: VaultSealer) -> bytes:
        """A secret of the table `secrets`."""
        return following.seal_secret(row["access_key"], row["user_id"], self.secret(row))

    def resealed_password(self, row: Any, following: VaultSealer) -> bytes:
        """A hash of the table `passwords`."""
        return following.seal_password(row["user_id"], self.password(row))


def check_secret_key(people: Iterable[Any], secret_key: bytes) -> None:
    """Tries the key on rows of the table `people`; for who only looks at a vault.

    Raises:
        CannotUnseal: one was sealed under another key.
        ValueError: the secret key is too short.
    """
    sealer = VaultSealer(secret_key)
    for row in people:
        sealer.person(row)


def folded_digest(key: bytes, text: str) -> bytes:
    """What a text is told apart by: the same for texts that differ in case alone."""
    folded = normalize("NFC", text.casefold()).encode(errors="surrogatepass")
    return digest(key, folded, "sha256")


# Where sealed bytes belong: they open nowhere else.


def _of_person(user_id: str) -> str:
    return f"people.person_key/{user_id}"


def _of_name(user_id: str) -> str:
    return f"people.name/{user_id}"


def _of_secret(access_key: str, user_id: str) -> str:
    return f"secrets.secret/{access_key}/{user_id}"


def _of_password(user_id: str) -> str:
    return f"passwords.hash/{user_id}"
