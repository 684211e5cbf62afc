"""What a spreadsheet program shows as a document's properties: the stream SummaryInformation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import pack

STREAM = "\x05SummaryInformation"

_FORMAT = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_UTF_8 = 65_001

# Numbers of the properties, and of the types of their values.
_CODE_PAGE, _TITLE, _CREATED, _SAVED, _PROGRAM = 1, 2, 12, 13, 18
_SHORT, _TEXT, _TIME = 2, 30, 64


@dataclass(frozen=True, slots=True)
class Properties:
    """A document's title, the program that made it, and when; what is empty is left out.

    `created` has a time zone.
    """

    title: str = ""
    program: str = ""
    created: datetime | None = None

    def packed(self) -> bytes:
        """The stream: a property set of one section, of fewer than 4,096 bytes."""
        properties = list(self._properties())
        start = 8 + 8 * len(properties)
        places, values = b"", b""
        for number, value in properties:
            places += pack("<II", number, start + len(values))
            values += value
        section = pack("<II", start + len(values), len(properties)) + places + values
        # Byte order, version, Windows, no class; one section, its format and its place.
        head = pack("<HHHH16xI16sI", 0xFFFE, 0, 0x0A05, 2, 1, _FORMAT, 48)
        return head + section

    def _properties(self) -> list[tuple[int, bytes]]:
        found = [(_CODE_PAGE, pack("<IHxx", _SHORT, _UTF_8))]
        if self.title:
            found.append((_TITLE, _text(self.title)))
        if self.created:
            found += [(number, _time(self.created)) for number in (_CREATED, _SAVED)]
        if self.program:
            found.append((_PROGRAM, _text(self.program)))
        return found


def _text(text: str) -> bytes:
    data = text.encode() + b"\0"
    data += bytes(-len(data) % 4)
    return pack("<II", _TEXT, len(data)) + data


def _time(moment: datetime) -> bytes:
    return pack("<IQ", _TIME, (moment - _EPOCH) // _TICK * 10)
