"""The text of a cell: what an `.xls` file and its readers can bear, and what replaces the rest."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.biff8.strings import TEXT_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable

CELL_UNITS = TEXT_UNITS
"""UTF-16 units that a cell holds at most (BIFF8)."""

CUT_MARK = "…[cut]"
"""What a cut text ends in."""

REPLACEMENT = "\ufffd"
"""What stands in the place of a character that a cell cannot hold."""

_UNBEARABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PLAIN_LENGTH = CELL_UNITS // 2


class Kind(StrEnum):
    """What was wrong with a cell that was repaired."""

    CONTROL = "control"
    SURROGATE = "surrogate"
    NONCHARACTER = "noncharacter"
    CUT = "cut"


def are_plain(cells: Iterable[str | None]) -> bool:
    """Whether a glance shows that no cell needs a repair; False where only `mend` can tell.

    No unbearable character is printable, and no text of this length is over `CELL_UNITS`, not even
    one of pairs alone. All texts are looked at as one: so a glance at many costs little more than
    at one.
    """
    texts = list(filter(None, cells))
    if max(map(len, texts), default=0) > _PLAIN_LENGTH:
        return False
    together = "".join(texts)
    return together.isprintable() or not _UNBEARABLE.search(together)


def mend(text: str) -> tuple[str, frozenset[Kind]]:
    """The text as a cell can hold it, and the kinds of repair that this took (contract, section 5).

    C0 controls but tab, LF and CR, surrogates, U+FFFE and U+FFFF become U+FFFD. A text over
    `CELL_UNITS` ends in `CUT_MARK` and has exactly `CELL_UNITS`, or one less where the last would
    be half of a pair.
    """
    kinds = frozenset(map(_kind, _UNBEARABLE.findall(text)))
    text = _UNBEARABLE.sub(REPLACEMENT, text) if kinds else text
    encoded = text.encode("utf-16-le")
    if len(encoded) <= 2 * CELL_UNITS:
        return text, kinds
    kept = encoded[: 2 * (CELL_UNITS - len(CUT_MARK))]
    return kept.decode("utf-16-le", "ignore") + CUT_MARK, kinds | {Kind.CUT}


def _kind(character: str) -> Kind:
    if character < " ":
        return Kind.CONTROL
    return Kind.SURROGATE if character < "\ue000" else Kind.NONCHARACTER
