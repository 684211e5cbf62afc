"""Assets: the console's style, script and icon, at addresses that change with what they hold."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

from api.console.page import HEADERS, page
from api.problems import NO_API, Rejected

if TYPE_CHECKING:
    from api.requests import Asked

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"


def address(name: str) -> str:
    """Where an asset is: another address whenever any of them is changed."""
    return f"/static/{_digest()}/{name}"


def asset(asked: Asked) -> Response:
    """An asset, which never changes. Raises Rejected where there is none at the address."""
    name, digest = asked.parameter("name"), asked.parameter("digest")
    if name not in _contents() or digest != _digest():
        raise Rejected(NO_API, "There is no such file.")
    headers = HEADERS | {"cache-control": FOR_EVER, "content-type": _TYPES[Path(name).suffix]}
    return Response(_contents()[name], headers=headers)


@cache
def _contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir())}


@cache
def _digest() -> str:
    named = (f"{name}\n{len(text)}\n".encode() + text for name, text in _contents().items())
    return sha256(b"".join(named)).hexdigest()[:16]


PAGES = (page("GET", "/static/{digest}/{name}", "Asset", asset, open=True, light=True),)
