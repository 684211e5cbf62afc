"""Leaks: whether a secret stands readable in anything that the service has written."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KEY_FILE = "secret.key"
"""The one file that may hold the installation's own secret."""

NEVER_WRITTEN = ("Signature=", "X-Auth-Token", "X-Subject-Token")
"""Of what comes in and goes out, these words stand beside what nobody else may see."""


def leaks(
    folder: Path, secrets: Iterable[str], installations: str, *, but: Path | None = None
) -> Iterator[str]:
    """Each secret, in clear, in hexadecimal or in base64, in each file beneath a folder but one."""
    needles = {needle: secret[:4] for secret in secrets for needle in _forms(secret)}
    own = dict.fromkeys(_forms(installations), "the installation's own")
    words = {word.encode(): word for word in NEVER_WRITTEN}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != but:
            content = path.read_bytes()
            sought = needles | words | ({} if path.name == KEY_FILE else own)
            for needle, name in sought.items():
                if needle in content:
                    yield f"a secret stands in {path.relative_to(folder)}: {name}…"


def _forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    yield b64encode(raw).rstrip(b"=")[:-1]
