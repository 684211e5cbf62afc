"""Key: a node's own, with which it signs checkpoints; made once, kept for its owner alone.

In the form that other tools for signed notes read:
`PRIVATE+KEY+<name>+<hex key id>+<base64(0x01 || 32 bytes)>`.
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from secrets import token_bytes
from typing import TYPE_CHECKING

from api.audit.note import NodeKey
from domain.refusals import Refusal
from exporter.disk import create_once

if TYPE_CHECKING:
    from pathlib import Path

SEED_BYTES = 32
_BEGINNING = "PRIVATE+KEY+"
_ED25519 = b"\x01"

_LOGGER = logging.getLogger(__name__)


class KeyUnusable(Refusal):
    """The key can neither be read nor made; the text says which file and why."""


def kept_key(path: Path) -> NodeKey:
    """The key in a file, which is made, durably, where it is missing.

    Raises:
        KeyUnusable: the file cannot be made or read, or holds no key.
    """
    try:
        if not path.exists() and create_once(path, _text(NodeKey(token_bytes(SEED_BYTES)))):
            _LOGGER.info("made a key for signing checkpoints: %s", path)
        return _key(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise KeyUnusable(f"The key {path} cannot be used: {error}") from error


def _text(key: NodeKey) -> bytes:
    verifier, encoded = key.verifier, b64encode(_ED25519 + key.seed).decode()
    return f"{_BEGINNING}{verifier.name}+{verifier.key_id.hex()}+{encoded}\n".encode()


def _key(text: str) -> NodeKey:
    encoded = text.strip().removeprefix(_BEGINNING).split("+", 2)[-1]
    decoded = b64decode(encoded, validate=True)
    if decoded[:1] != _ED25519 or len(decoded) != 1 + SEED_BYTES:
        raise ValueError("it holds no Ed25519 key")
    key = NodeKey(decoded[1:])
    if _text(key).decode().strip() != text.strip():
        raise ValueError("the key's name is not its own")
    return key
