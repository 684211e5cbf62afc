"""Page: /docs, made of the API's document by a template."""

from __future__ import annotations

from typing import Any


def page(described: dict[str, Any]) -> str:
    """The page."""
    return str(described["info"])


def style() -> str:
    """Its style."""
    return ""
