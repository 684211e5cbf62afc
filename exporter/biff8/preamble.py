"""Preamble: the records of a workbook that stand before its texts and its sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.biff8.records import BOOK, begin, record, text_record
from exporter.biff8.styles import styles

if TYPE_CHECKING:
    from collections.abc import Sequence

_BOUNDSHEET = 0x0085
_UNICODE = 1_200


def preamble(names: Sequence[str], places: Sequence[int]) -> bytes:
    """The records up to the texts, for sheets of these names that begin at these places."""
    listed = (
        text_record(_BOUNDSHEET, "IH", place, 0, text=name)
        for name, place in zip(names, places, strict=True)
    )
    return b"".join([begin(BOOK), _settings(len(names)), styles(), *listed, _country()])


def _settings(sheets: int) -> bytes:
    return b"".join(
        [
            record(0x00E1, "H", _UNICODE),  # INTERFACEHDR
            record(0x00C1, "H", 0),  # MMS
            record(0x00E2),  # INTERFACEEND
            record(0x005C, "112s", b"export-tasks".ljust(112)),  # WRITEACCESS: who saved it
            record(0x0042, "H", _UNICODE),  # CODEPAGE
            record(0x0161, "H", 0),  # DSF
            record(0x013D, f"{sheets}H", *range(1, sheets + 1)),  # TABID
            record(0x009C, "H", 14),  # FNGROUPCOUNT
            *(record(kind, "H", 0) for kind in (0x0019, 0x0012, 0x0013, 0x01AF, 0x01BC)),  # no lock
            # WINDOW1: place and size, options (scroll bars, tabs), sheet shown, first tab, one
            # sheet selected, share of the tabs
            record(0x003D, "9H", 0, 0, 0x4000, 0x2800, 0x0038, 0, 0, 1, 600),
            record(0x0040, "H", 0),  # BACKUP
            record(0x008D, "H", 0),  # HIDEOBJ
            record(0x0022, "H", 0),  # DATEMODE: days since 1900
            record(0x000E, "H", 1),  # PRECISION
            record(0x01B7, "H", 0),  # REFRESHALL
            record(0x00DA, "H", 0),  # BOOKBOOL
        ]
    )


def _country() -> bytes:
    return record(0x0160, "H", 0) + record(0x008C, "HH", 1, 1)  # USESELFS, COUNTRY
