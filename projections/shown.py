"""A URL as people may see it: without its password."""

from __future__ import annotations

import re

_HIDDEN = "…"
_USER = re.compile(r"(?<=://)([^:@/?]*):.*@", re.DOTALL)
_PASSWORD = re.compile(r"([?&][a-z]*password=)[^&]*", re.IGNORECASE)


def shown(url: str) -> str:
    """The URL with its passwords left out, wherever they stand, and however badly encoded."""
    return _PASSWORD.sub(rf"\1{_HIDDEN}", _USER.sub(rf"\1:{_HIDDEN}@", url))
