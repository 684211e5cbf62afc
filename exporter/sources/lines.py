"""Reads a batch task and its details from JSON Lines or CSV, and says which line is wrong."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Generic, Literal, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Struct

from exporter.sources import DETAIL_COLUMNS, BatchRefused, Detail
from exporter.sources.embedded import Torn
from exporter.sources.fields import (
    MESSAGE_LENGTH,
    BatchLine,
    CsvDetail,
    DetailError,
    JsonDetail,
    Progress,
    refusal,
)

MAX_LINE_BYTES = 4 * 1024 * 1024
"""Of one line without its end: room for both longest texts with every character escaped."""

Lines: TypeAlias = BinaryIO | Iterable[bytes]
NumberedLines: TypeAlias = Iterator[tuple[int, bytes]]
Format = Literal["jsonl", "csv"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_ERROR = DetailError()

T = TypeVar("T")


def numbered(lines: Lines) -> NumberedLines:
    """The lines with their numbers from 1; a too long one is refused unread."""
    for number, read in enumerate(_bounded(lines), 1):
        line = read.removeprefix(_BYTE_ORDER_MARK) if number == 1 else read
        if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
            raise BatchRefused(f"line {number}: longer than {MAX_LINE_BYTES} bytes.")
        yield number, line


def batch_line(lines: NumberedLines) -> BatchLine:
    """The first line of JSON Lines: the batch task."""
    number, line = next(_filled(lines), (1, b""))
    if not line:
        raise BatchRefused("line 1 (the batch task): missing.")
    return _json(f"line {number} (the batch task)", line, _BATCH)


def details(lines: NumberedLines, format: Format) -> Iterator[Detail]:
    """The details, each checked. Raises BatchRefused with line and field."""
    if format not in _FORMATS:
        raise BatchRefused(f"The format '{format}' is not one of {', '.join(_FORMATS)}.")
    return _FORMATS[format](lines)


def _bounded(lines: Lines) -> Iterable[bytes]:
    read = getattr(lines, "readline", None)
    longest = len(_BYTE_ORDER_MARK) + MAX_LINE_BYTES + len(b"\r\n")
    return iter(lambda: read(longest), b"") if read else lines


def _filled(lines: NumberedLines) -> NumberedLines:
    return ((number, line) for number, line in lines if not line.isspace())


def _json_details(lines: NumberedLines) -> Iterator[Detail]:
    for number, line in _filled(lines):
        detail = _json(f"line {number}", line, _DETAIL)
        error = detail.error or _NO_ERROR
        yield detail.target, detail.status, detail.output, error.error_code, error.error_msg


def _csv_details(lines: NumberedLines) -> Iterator[Detail]:
    rows = _csv_rows(lines)
    _, header = next(rows, (1, []))
    _check_header(header)
    for place, row in rows:
        if len(row) != len(header):
            raise BatchRefused(f"{place}: {len(row)} fields where the header has {len(header)}.")
        values = {name: cell or None for name, cell in zip(header, row, strict=True)}
        try:
            detail = msgspec.convert(values, CsvDetail)
        except msgspec.ValidationError as error:
            raise refusal(place, error, CsvDetail) from error
        yield msgspec.structs.astuple(detail)


def _csv_rows(lines: NumberedLines) -> Iterator[tuple[str, list[str]]]:
    """The filled rows, each with the line where it begins."""
    rows = csv.reader(_csv_texts(lines), strict=True)
    while True:
        place = f"line {rows.line_num + 1}"
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise BatchRefused(f"{place}: not CSV: {error}.") from error
        if row is None:
            return
        if row:
            yield place, row


def _csv_texts(lines: NumberedLines) -> Iterator[str]:
    for number, line in lines:
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise BatchRefused(f"line {number}: not UTF-8 text.") from error


def _check_header(header: list[str]) -> None:
    expected = ",".join(DETAIL_COLUMNS)
    for name in header:
        if name not in DETAIL_COLUMNS:
            shown = name[:MESSAGE_LENGTH]
            raise BatchRefused(f"line 1: unknown column '{shown}'; the header is {expected}.")
        if header.count(name) > 1:
            raise BatchRefused(f"line 1: the column '{name}' stands twice.")
    for name in ("target", "status"):
        if name not in header:
            raise BatchRefused(f"line 1: the column '{name}' is missing; the header is {expected}.")


class _Kind(Generic[T]):
    """One kind of JSON line: how to read it, and the names that it may hold once."""

    def __init__(self, kind: type[T], *structs: type[Struct]) -> None:
        names = {name for struct in structs for name in struct.__struct_fields__}
        self.type = kind
        self._decoder = msgspec.json.Decoder(kind)
        self._quoted = tuple(f'"{name}"'.encode() for name in names)

    def decode(self, line: bytes) -> T:
        """Raises _Twice, UnicodeDecodeError and what msgspec raises."""
        whole = _ESCAPES.sub(_whole, line) if b"\\u" in line else line
        decoded = self._decoder.decode(whole)
        if whole != line:  # what msgspec cannot take, the standard reader can
            decoded = _torn(msgspec.convert(json.loads(line), self.type))
        if max(map(line.count, self._quoted)) > 1 or b"\\u" in line:
            _DISTINCT.decode(line.decode())
        return decoded


def _json(place: str, line: bytes, kind: _Kind[T]) -> T:
    try:
        return kind.decode(line)
    except UnicodeDecodeError as error:
        raise BatchRefused(f"{place}: not UTF-8 text.") from error
    except msgspec.ValidationError as error:
        raise refusal(place, error, kind.type) from error
    except msgspec.DecodeError as error:
        raise BatchRefused(f"{place}: not JSON: {error}.") from error
    except _Twice as error:
        raise BatchRefused(f"{place}: the field '{error}' stands twice.") from error


def _whole(escape: re.Match[bytes]) -> bytes:
    """An escape as it stands; or where it is half of a surrogate pair alone, a whole character."""
    return escape[0] if escape[1] else rb"\ufffd"


def _torn(said: T) -> T:
    """The same, its texts with halves of surrogate pairs such as can be stored."""
    for name in cast("Struct", said).__struct_fields__:
        value = getattr(said, name)
        if isinstance(value, str):
            setattr(said, name, Torn.or_whole(value))
        elif isinstance(value, Struct):
            _torn(value)
    return said


class _Twice(ValueError):
    """A key that an object has twice."""


def _distinct(pairs: list[tuple[str, object]]) -> None:
    names = dict(pairs)
    if len(names) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(next(key for key in names if keys.count(key) > 1))


_ESCAPES = re.compile(
    rb"(\\[^u]|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u[dD][89a-fA-F][0-9a-fA-F]{2}", re.DOTALL
)
"""Escapes in JSON: the first group others and whole pairs, as far as they matter here."""

# msgspec takes the last of two equal keys in silence; the standard reader, slower, shows both.
# It is asked only where a name is seen twice, or may be spelt with escapes.
_DISTINCT = json.JSONDecoder(object_pairs_hook=_distinct)
_BATCH = _Kind(BatchLine, BatchLine, Progress)
_DETAIL = _Kind(JsonDetail, JsonDetail, DetailError)
_FORMATS: dict[str, Callable[[NumberedLines], Iterator[Detail]]] = {
    "jsonl": _json_details,
    "csv": _csv_details,
}
