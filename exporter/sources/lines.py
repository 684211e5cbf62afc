"""Reads a batch task and its details from JSON Lines or CSV, and says which line is wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, BinaryIO, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from exporter.sources import (
    BATCH_STATUSES,
    DETAIL_COLUMNS,
    DETAIL_STATUSES,
    BatchRefused,
    BatchStatus,
    Detail,
    DetailStatus,
    utc_text,
)

MAX_TARGET = 128
MAX_NAME = 128
MAX_CODE = 128
MAX_TEXT = 131_072
"""Characters of `output` and of `error_msg`: also the most that a CSV field may hold."""
MAX_LINE_BYTES = 4 * 1024 * 1024
"""Of one line without its end: room for both longest texts with every character escaped."""

Lines: TypeAlias = BinaryIO | Iterable[bytes]
NumberedLines: TypeAlias = Iterator[tuple[int, bytes]]
Format = Literal["jsonl", "csv"]

TaskId = Annotated[str, Meta(pattern=r"^[a-f0-9]{1,24}\Z")]
ProjectId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
AppId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,36}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Target = Annotated[str, Meta(min_length=1, max_length=MAX_TARGET)]
Code = Annotated[str, Meta(max_length=MAX_CODE)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Count = Annotated[int, Meta(ge=0)]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MESSAGE_LENGTH = 300


class Progress(Struct, forbid_unknown_fields=True):
    """`task_progress`: taken as IoTDA writes it, then left aside, for the details are counted."""

    total: Count = 0
    processing: Count = 0
    success: Count = 0
    fail: Count = 0
    waitting: Count = 0
    fail_wait_retry: Count = 0
    stopped: Count = 0
    removed: Count = 0


class BatchLine(Struct, forbid_unknown_fields=True):
    """What a file, or the one who imports it, says of the batch task (contract, section 5)."""

    task_id: TaskId | None = None
    task_name: Name | None = None
    task_type: Name | None = None
    status: BatchStatus | None = None
    task_progress: Progress | None = None
    create_time: str | None = None
    app_id: AppId | None = None

    def __post_init__(self) -> None:
        if self.create_time is not None:
            self.create_time = _create_time(self.create_time)


def _create_time(text: str) -> str:
    try:
        return utc_text(text)
    except ValueError as error:
        raise ValueError(f"create_time {error}") from error


class Place(Struct):
    """Where a batch task is put."""

    project_id: ProjectId
    app_id: AppId | None


class _Error(Struct, forbid_unknown_fields=True):
    error_code: Code | None = None
    error_msg: Text | None = None


_NO_ERROR = _Error()


class _JsonDetail(Struct, forbid_unknown_fields=True):
    target: Target
    status: DetailStatus
    output: Text | None = None
    error: _Error | None = None


class _CsvDetail(Struct):
    target: Target
    status: DetailStatus
    output: Text | None = None
    error_code: Code | None = None
    error_msg: Text | None = None


T = TypeVar("T")


def numbered(lines: Lines) -> NumberedLines:
    """The lines with their numbers from 1; one that is too long is refused before it is read."""
    for number, line in enumerate(_bounded(lines), 1):
        if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
            raise BatchRefused(f"line {number}: longer than {MAX_LINE_BYTES} bytes.")
        yield number, line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line


def batch_line(lines: NumberedLines) -> BatchLine:
    """The first line of JSON Lines: the batch task."""
    number, line = next(_filled(lines), (1, b""))
    if not line:
        raise BatchRefused("line 1: missing; the first line is the batch task.")
    return _json(f"line {number} (the batch task)", line, _BATCH)


def details(lines: NumberedLines, format: Format) -> Iterator[Detail]:
    """The details, each checked. Raises BatchRefused with line and field."""
    if format not in _FORMATS:
        raise BatchRefused(f"The format '{format}' is not one of {', '.join(_FORMATS)}.")
    return _FORMATS[format](lines)


def checked(values: Mapping[str, str | None], kind: type[T]) -> T:
    """Values that came as arguments, checked like those of a file."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _refusal("", error, kind) from error


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
            detail = msgspec.convert(values, _CsvDetail)
        except msgspec.ValidationError as error:
            raise _refusal(f"{place}", error, _CsvDetail) from error
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
            shown = name[:_MESSAGE_LENGTH]
            raise BatchRefused(f"line 1: unknown column '{shown}'; the header is {expected}.")
        if header.count(name) > 1:
            raise BatchRefused(f"line 1: the column '{name}' stands twice.")
    for name in ("target", "status"):
        if name not in header:
            raise BatchRefused(f"line 1: the column '{name}' is missing; the header is {expected}.")


def _json(place: str, line: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        decoded = decoder.decode(line)
        _DISTINCT.decode(line.decode())
    except UnicodeDecodeError as error:
        raise BatchRefused(f"{place}: not UTF-8 text.") from error
    except msgspec.ValidationError as error:
        raise _refusal(place, error, decoder.type) from error
    except msgspec.DecodeError as error:
        raise BatchRefused(f"{place}: not JSON: {error}.") from error
    except _Twice as error:
        raise BatchRefused(f"{place}: the field '{error}' stands twice.") from error
    return decoded


class _Twice(ValueError):
    """A key that an object has twice."""


def _distinct(pairs: list[tuple[str, object]]) -> None:
    names = dict(pairs)
    if len(names) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(next(key for key in names if keys.count(key) > 1))


# msgspec takes the last of two equal keys in silence; the standard reader shows them both.
_DISTINCT = json.JSONDecoder(object_pairs_hook=_distinct)
_BATCH = msgspec.json.Decoder(BatchLine)
_DETAIL = msgspec.json.Decoder(_JsonDetail)
_FORMATS: dict[str, Callable[[NumberedLines], Iterator[Detail]]] = {
    "jsonl": _json_details,
    "csv": _csv_details,
}


def _refusal(place: str, error: msgspec.ValidationError, kind: type) -> BatchRefused:
    """msgspec's words, with the place in front and the documented statuses behind."""
    text, _, path = str(error).partition(" - at `$")
    field = f"field '{path.strip('.`')}'" if path.strip(".`") else ""
    if text.startswith("Invalid enum value"):
        documented = DETAIL_STATUSES if kind in (_JsonDetail, _CsvDetail) else BATCH_STATUSES
        text = f"{text[:_MESSAGE_LENGTH]}; documented: {', '.join(documented)}"
    where = ", ".join(filter(None, (place, field)))
    return BatchRefused(f"{where}: {text[: 2 * _MESSAGE_LENGTH]}." if where else f"{text}.")
