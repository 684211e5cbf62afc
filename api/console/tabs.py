"""Tabs: what the console's navigation leads to, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from api.console.operator.access import is_operator

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.requests import Asked


def everybody(_: Asked) -> bool:
    """Whoever is signed in."""
    return True


class Tab(NamedTuple):
    """A link of the navigation; `shown` says to whom."""

    label: str
    path: str
    shown: Callable[[Asked], bool] = everybody


TABS = (
    Tab("My exports", "/"),
    Tab("New export", "/exports/new"),
    Tab("Operator", "/operator", is_operator),
)
