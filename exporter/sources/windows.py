"""Windows: how all details are read from an upstream that gives fifty at a time, newest first."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

from domain.commands import NEWEST
from exporter.sources import SourceFailed

if TYPE_CHECKING:
    from exporter.sources import Detail

PAGE = 50
"""Details of one answer: the upstream gives no more."""

OFFSETS = tuple(range(0, 501, PAGE))
"""The pages of one window: an offset may be 500 at most, so eleven can be asked for at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: details, how many there are in all, and the last one's id (None: no details)."""

    rows: list[Detail]
    count: int
    marker: str | None

    @property
    def full(self) -> bool:
        """Whether more may follow it."""
        return len(self.rows) >= PAGE


Rows: TypeAlias = Generator[list["Detail"], None, None]
Pages: TypeAlias = Generator[list["Detail"], None, list[Page]]
"""Yields empty lists while it waits, and returns the pages."""

Ask: TypeAlias = Callable[[str, Sequence[int]], Pages]
"""Asks for the pages at some offsets behind a marker, side by side."""


def read_all(ask: Ask) -> Rows:
    """The details, newest first: those that were there when the reading began, each once.

    Details that come meanwhile have larger ids than all that were there, and so stand before the
    first page. Everything after it is asked for behind the id of a detail that was read: nothing
    that comes can move it. Where details go meanwhile, see `_window`. Empty lists are yielded while
    there is nothing yet.

    Raises:
        SourceFailed: as `ask` does; or the ids are not as published.
    """
    pages, read, marker = (yield from ask(NEWEST, OFFSETS[:1])), 0, NEWEST
    while True:
        for page in pages:
            read += len(page.rows)
            yield page.rows
        if not page.full:
            return
        marker = _id(page, marker)
        pages = yield from _window(ask, marker, page.count - read)


def _window(ask: Ask, marker: str, expected: int) -> Pages:
    """Up to eleven pages behind a marker, the last one full where more may follow.

    Details that go while a window is read move those behind them, and one could be passed over.
    Then the count changes, and the window is read again one page after the other: each page behind
    the last id of the one before, where nothing moves.
    """
    wanted = min(max(1, ceil(expected / PAGE)), len(OFFSETS))
    pages = yield from ask(marker, OFFSETS[:wanted])
    if not _steady(pages):
        pages = yield from _in_turn(ask, marker, wanted)
    for page in pages:
        marker = _id(page, marker) if page.rows else marker
    return pages


def _steady(pages: Sequence[Page]) -> bool:
    """Whether all pages are of one moment: one count, and nothing behind one that is not full."""
    gaps = any(after.rows and not before.full for before, after in pairwise(pages))
    return not gaps and len({page.count for page in pages}) == 1


def _in_turn(ask: Ask, marker: str, wanted: int) -> Pages:
    pages: list[Page] = []
    while len(pages) < wanted:
        pages += yield from ask(marker, OFFSETS[:1])
        if not pages[-1].full:
            break
        marker = _id(pages[-1], marker)
    return pages


def _id(page: Page, before: str) -> str:
    """The id behind which the next page lies: without an order, a reading would have no end."""
    if page.marker is None or not page.marker < before:
        raise SourceFailed("The upstream's markers do not fall from page to page.", passing=False)
    return page.marker
