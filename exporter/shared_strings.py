"""The texts of a workbook, each held once: BIFF8's SST record and the CONTINUE records after it."""

from __future__ import annotations

from struct import pack, pack_into

RECORD_BYTES = 8_224
"""What a BIFF8 record holds at most."""

_SST, _CONTINUE = 0x00FC, 0x003C
_HEADER = 4
_HIGH_SURROGATE, _HIGH_SURROGATE_MASK = 0xD8, 0xFC


class SharedStrings:
    """Stands in the place of `xlwt.BIFFRecords.SharedStringTable`.

    The library's own table splits a text wherever a record is full, also between the two units of a
    surrogate pair; `xlrd` decodes each part by itself and then fails on the whole workbook. Here a
    text is split only where it is longer than a record, and never inside a pair.
    """

    def __init__(self) -> None:
        self._indexes: dict[str, int] = {}
        self._cells = 0
        self.size = 0
        """Bytes that the texts take in the file, at most."""

    def add_str(self, text: str) -> int:
        """The index of a text, which cannot be empty and is held by one cell more."""
        self._cells += 1
        index = self._indexes.get(text)
        if index is None:
            index = self._indexes[text] = len(self._indexes)
            self.size += 3 + (len(text) if text.isascii() else len(text.encode("utf-16-le")))
        return index

    def get_biff_record(self) -> bytes:
        """The records, with their headers. The texts are let go of: a workbook is saved once."""
        records = _Records(pack("<II", self._cells, len(self._indexes)))
        for text in self._indexes:
            records.add(text)
        self._indexes.clear()
        return records.finish()


class _Records:
    """The SST record and its continuations while they are being filled."""

    def __init__(self, counts: bytes) -> None:
        self._out = bytearray()
        self._begin(_SST)
        self._out += counts

    def add(self, text: str) -> None:
        data, wide = _encoded(text)
        head = pack("<HB", len(data) >> wide, wide)
        if self._room() < len(head) + len(data):
            self._continue()
        self._out += head
        start = 0
        while len(data) - start > (room := self._room()):
            end = _split(data, start + room) if wide else start + room
            self._out += data[start:end]
            self._continue()
            self._out.append(wide)
            start = end
        self._out += data[start:]

    def finish(self) -> bytes:
        self._end()
        return bytes(self._out)

    def _room(self) -> int:
        return self._start + RECORD_BYTES - len(self._out)

    def _continue(self) -> None:
        self._end()
        self._begin(_CONTINUE)

    def _begin(self, kind: int) -> None:
        self._out += pack("<HH", kind, 0)
        self._start = len(self._out)

    def _end(self) -> None:
        pack_into("<H", self._out, self._start - _HEADER // 2, len(self._out) - self._start)


def _encoded(text: str) -> tuple[bytes, int]:
    """The characters as BIFF8 stores them, and 1 where each takes two bytes, 0 where one."""
    try:
        return text.encode("latin-1"), 0
    except UnicodeEncodeError:
        return text.encode("utf-16-le"), 1


def _split(data: bytes, end: int) -> int:
    """The last place up to `end` where wide characters may be split."""
    end &= ~1
    return end - 2 if data[end - 1] & _HIGH_SURROGATE_MASK == _HIGH_SURROGATE else end
