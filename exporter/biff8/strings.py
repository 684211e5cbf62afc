"""The texts of a workbook: BIFF8's SST record and the CONTINUE records after it, spooled."""

from __future__ import annotations

import re
from bisect import bisect_right
from codecs import utf_16_le_encode
from functools import cache
from itertools import accumulate, chain, compress, count, filterfalse
from operator import itemgetter, not_
from struct import pack
from typing import TYPE_CHECKING

from exporter.biff8.records import HEAD_BYTES, RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.biff8.spool import Spool

TEXT_UNITS = 32_767
"""UTF-16 units that a cell's text has at most."""

GENERATION_TEXTS, GENERATION_BYTES = 32_768, 2**22
"""Texts, and bytes of them, after which those that did not come again are forgotten."""

_SST, _CONTINUE = 0x00FC, 0x003C
_COUNTS, _HEAD = 8, 3
_HIGH_SURROGATE, _HIGH_SURROGATE_MASK = 0xD8, 0xFC

_BEYOND_LATIN = re.compile("[^\0-\xff]")


class SharedStrings:
    """Texts get numbers; one that comes again soon gets the number that it had.

    The table may hold a text twice. So only the texts of late are remembered, in two generations:
    what is met again moves into the younger one, and when that is full the older one is forgotten.
    Memory is bounded, and a text that keeps coming is stored once.

    The texts go to `spool`, an empty file, as the finished records. Each is held by one record,
    unless it is longer than a record: then it is split, but never inside a surrogate pair, which
    `xlrd` would fail on.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._numbers = count()
        self._generation_bytes = 0
        self._cells = self._texts = 0
        self._kind = _SST
        self._record = bytearray(_COUNTS)
        self._empty = _COUNTS

    def numbers(self, texts: Sequence[str]) -> Sequence[int]:
        """The number of each; none may be empty.

        ValueError where one has more than `TEXT_UNITS` or a lone surrogate; then the table is of
        no more use.
        """
        self._cells += len(texts)
        if len(self._young) >= GENERATION_TEXTS or self._generation_bytes >= GENERATION_BYTES:
            self._old, self._young, self._generation_bytes = self._young, {}, 0
        unseen = list(dict.fromkeys(filterfalse(self._young.__contains__, texts)))
        if self._old:
            unseen = self._moved(unseen)
        if unseen:
            self._store(unseen)
        return list(map(self._young.__getitem__, texts))

    def finish(self) -> None:
        """Completes the records in the spool; after that no text can be added."""
        self._young.clear()
        self._old.clear()
        self._end_record()
        self._spool.overwrite(HEAD_BYTES, pack("<II", self._cells, self._texts))

    def _moved(self, texts: Sequence[str]) -> list[str]:
        """Moves those that the older generation knows into the younger, and gives the others."""
        unknown = list(filterfalse(self._old.__contains__, texts))
        if len(unknown) < len(texts):
            known = list(filter(self._old.__contains__, texts))
            self._young.update(zip(known, map(self._old.__getitem__, known), strict=True))
        return unknown

    def _store(self, texts: Sequence[str]) -> None:
        """Numbers new texts, and adds them to the table: the narrow ones, then the wide ones."""
        others = list(filterfalse(str.isascii, texts))
        beyond = list(map(_BEYOND_LATIN.search, others))
        narrow = [*filter(str.isascii, texts), *compress(others, map(not_, beyond))]
        wide = list(compress(others, beyond))
        self._young.update(zip(chain(narrow, wide), self._numbers, strict=False))
        self._texts += len(texts)
        self._add_narrow(narrow)
        self._add_wide(wide)

    def _add_narrow(self, texts: Sequence[str]) -> None:
        lengths = list(map(len, texts))
        packed = "".join(chain.from_iterable(zip(map(_narrow_head, lengths), texts, strict=True)))
        self._add(packed.encode("latin-1"), list(accumulate(map(_HEAD.__add__, lengths))))

    def _add_wide(self, texts: Sequence[str]) -> None:
        encoded = list(map(itemgetter(0), map(utf_16_le_encode, texts)))
        lengths = list(map(len, encoded))
        packed = b"".join(chain.from_iterable(zip(map(_wide_head, lengths), encoded, strict=True)))
        self._add(packed, list(accumulate(map(_HEAD.__add__, lengths))))

    def _add(self, data: bytes, ends: Sequence[int]) -> None:
        """Adds texts, packed one after the other, that end where `ends` says."""
        self._generation_bytes += len(data)
        start = 0
        while len(data) - start > (room := RECORD_BYTES - len(self._record)):
            fitting = bisect_right(ends, start + room)
            end = ends[fitting - 1] if fitting else 0
            if end > start:
                self._record += data[start:end]
                self._begin_record()
                start = end
            elif len(self._record) > self._empty:
                self._begin_record()
            else:
                self._add_in_parts(data[start : ends[fitting]])
                start = ends[fitting]
        self._record += data[start:]

    def _add_in_parts(self, data: bytes) -> None:
        """Adds one text, packed, that is longer than a record; each part says its width again."""
        wide, start = data[_HEAD - 1], 0
        while len(data) - start > (room := RECORD_BYTES - len(self._record)):
            end = _split(data, start + room) if wide else start + room
            self._record += data[start:end]
            self._begin_record()
            self._record.append(wide)
            start = end
        self._record += data[start:]

    def _begin_record(self) -> None:
        self._end_record()
        self._kind, self._empty = _CONTINUE, 0
        self._record.clear()

    def _end_record(self) -> None:
        self._spool.write(pack("<HH", self._kind, len(self._record)))
        self._spool.write(self._record)


@cache
def _narrow_head(length: int) -> str:
    """What stands before a text of one byte a character, as characters."""
    return _head(length, wide=0).decode("latin-1")


@cache
def _wide_head(length: int) -> bytes:
    """What stands before a text of two bytes a unit, of so many bytes."""
    return _head(length // 2, wide=1)


def _head(units: int, wide: int) -> bytes:
    if units > TEXT_UNITS:
        raise ValueError(f"a text of {units:,} UTF-16 units: a cell holds {TEXT_UNITS:,}")
    return pack("<HB", units, wide)


def _split(data: bytes, end: int) -> int:
    """The last place up to `end` where the wide characters after the head may be split."""
    end -= (end - _HEAD) % 2
    return end - 2 if data[end - 1] & _HIGH_SURROGATE_MASK == _HIGH_SURROGATE else end
