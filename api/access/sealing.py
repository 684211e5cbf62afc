"""Sealing: keys derived from the installation's secret key, and what is locked up under a key."""

from __future__ import annotations

from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_KEY_SHORTEST = 32
KEY_LENGTH = 32
_ID_LENGTH = 8
_NONCE_LENGTH = 12


class CannotUnseal(Exception):
    """What was sealed was sealed under another key, for another place, or was altered since."""


def derive(secret: bytes, purpose: str, length: int = KEY_LENGTH) -> bytes:
    """A key for one purpose: the secret itself is never used.

    Raises:
        ValueError: the secret is shorter than 32 bytes.
    """
    if len(secret) < SECRET_KEY_SHORTEST:
        raise ValueError(f"The secret key must be at least {SECRET_KEY_SHORTEST} bytes.")
    return HKDF(SHA256(), length, salt=None, info=f"export-tasks/{purpose}".encode()).derive(secret)


class Sealer:
    """AES-256-GCM under one key, whose id stands before everything sealed: room for rotation.

    `place` says where the sealed bytes belong (table, column, row), so that they cannot be put
    anywhere else.
    """

    def __init__(self, key: bytes) -> None:
        self._id = derive(key, "id", _ID_LENGTH)
        self._cipher = AESGCM(key)

    def seal(self, content: bytes, place: str) -> bytes:
        """Locks up bytes for a place."""
        nonce = token_bytes(_NONCE_LENGTH)
        return self._id + nonce + self._cipher.encrypt(nonce, content, place.encode())

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """The bytes that were locked up for this place.

        Raises:
            CannotUnseal: under another key, for another place, or altered.
        """
        key_id, rest = sealed[:_ID_LENGTH], sealed[_ID_LENGTH:]
        if key_id != self._id:
            raise CannotUnseal(f"{place} is sealed under another key")
        try:
            return self._cipher.decrypt(rest[:_NONCE_LENGTH], rest[_NONCE_LENGTH:], place.encode())
        except (InvalidTag, ValueError):
            raise CannotUnseal(f"{place} was altered") from None
