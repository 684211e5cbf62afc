"""Fonts and formats of a workbook: plain cells, and a header's."""

from __future__ import annotations

from exporter.biff8.records import record, text_record

PLAIN, HEADER, DATE, MOMENT, TIME = range(15, 20)
"""Numbers of the formats of cells: fifteen of styles stand before them."""

_FONT, _FORMAT_OF_CELL, _STYLE = 0x0031, 0x00E0, 0x0293
_NORMAL_WEIGHT, _BOLD_WEIGHT = 400, 700
_OF_A_STYLE, _OF_A_CELL = 0xFFF5, 0x0001
_OWN_NUMBER, _OWN_FONT, _OWN_ALIGNMENT = 0x04, 0x08, 0x10
_TOP, _BOTTOM = 0x00, 0x20


# Number formats that every spreadsheet program has: general, date, date and time, time.
_GENERAL, _NUMBERS = 0, {DATE: 14, MOMENT: 22, TIME: 21}


def styles() -> bytes:
    """The records of all fonts, formats and styles."""
    # Spreadsheet programs expect four fonts at least, and fifteen formats of styles.
    fonts = [_font(weight) for weight in (_NORMAL_WEIGHT, _BOLD_WEIGHT, *[_NORMAL_WEIGHT] * 2)]
    cells = [_cell_format(), _cell_format(font=1, own=_OWN_FONT)]
    cells += [_cell_format(number=number, own=_OWN_NUMBER) for number in _NUMBERS.values()]
    normal = record(_STYLE, "HBB", 0x8000, 0, 0xFF)
    return b"".join([*fonts, *[_format(_OF_A_STYLE)] * PLAIN, *cells, normal])


def _font(weight: int) -> bytes:
    # Height in twentieths of a point, bold, automatic colour, weight; no escapement, no underline,
    # family (swiss), character set (the system's).
    layout = (200, int(weight == _BOLD_WEIGHT), 0x7FFF, weight, 0, 0, 2, 1, 0)
    return text_record(_FONT, "HHHHHBBBB", *layout, text="Arial")


def _cell_format(*, own: int = 0, font: int = 0, number: int = _GENERAL) -> bytes:
    # At the top: of a text of several lines, the first is seen.
    return _format(_OF_A_CELL, _TOP, own | _OWN_ALIGNMENT, font, number)


def _format(
    kind: int, alignment: int = _BOTTOM, own: int = 0, font: int = 0, number: int = _GENERAL
) -> bytes:
    # `own` is what a cell does not take from its style. No rotation, no indent, no borders;
    # automatic colours.
    layout = (font, number, kind, alignment, 0, 0, own, 0, 0, 0x20C0)
    return record(_FORMAT_OF_CELL, "HHHBBBBIIH", *layout)
