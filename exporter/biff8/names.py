"""Names of sheets: those that every spreadsheet program opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

NAME_UNITS = 31
"""UTF-16 units that a sheet's name has at most."""

_FORBIDDEN = frozenset("[]:*?/\\") | frozenset(map(chr, range(32)))
_RESERVED = "history"


def checked(name: str, taken: Collection[str]) -> str:
    """The name, as it was given; a ValueError says why it cannot be one beside those `taken`.

    A name is never cut: two that differ in their ends alone would become one.
    """
    if why := _fault(name, taken):
        raise ValueError(f"a sheet cannot be called {name!r}: {why}")
    return name


def _fault(name: str, taken: Collection[str]) -> str | None:
    if not name:
        return "a name has a character at least"
    if len(name.encode("utf-16-le")) > 2 * NAME_UNITS:
        return f"a name has at most {NAME_UNITS} UTF-16 units"
    if wrong := sorted(_FORBIDDEN.intersection(name)):
        return f"{''.join(wrong)!r} cannot stand in a name"
    if "'" in (name[0], name[-1]):
        return "a name neither begins nor ends with an apostrophe"
    if name.casefold() == _RESERVED:
        return "spreadsheet programs keep that name for themselves"
    if name.casefold() in map(str.casefold, taken):
        return "another sheet has that name"
    return None
