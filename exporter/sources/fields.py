"""What a batch task and its details may say: the fields, their limits, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from exporter.sources import (
    BATCH_STATUSES,
    DETAIL_STATUSES,
    BatchRefused,
    BatchStatus,
    DetailStatus,
    utc_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_LENGTH = 300
"""Characters that an answer repeats of what was sent."""
MAX_TARGET = 128
MAX_NAME = 128
MAX_CODE = 128
MAX_TEXT = 131_072
"""Characters of `output` and of `error_msg`: also the most that a CSV field may hold."""

TaskId = Annotated[str, Meta(pattern=r"^[a-f0-9]{1,24}\Z")]
ProjectId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
AppId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,36}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Target = Annotated[str, Meta(min_length=1, max_length=MAX_TARGET)]
Code = Annotated[str, Meta(max_length=MAX_CODE)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Count = Annotated[int, Meta(ge=0)]


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


class DetailError(Struct, forbid_unknown_fields=True):
    """`error` of a detail."""

    error_code: Code | None = None
    error_msg: Text | None = None


class JsonDetail(Struct, forbid_unknown_fields=True):
    """A detail as a line of JSON says it."""

    target: Target
    status: DetailStatus
    output: Text | None = None
    error: DetailError | None = None


class CsvDetail(Struct):
    """A detail as a row of CSV says it, in the order of DETAIL_COLUMNS."""

    target: Target
    status: DetailStatus
    output: Text | None = None
    error_code: Code | None = None
    error_msg: Text | None = None


T = TypeVar("T")


def checked(values: Mapping[str, str | None], kind: type[T]) -> T:
    """Values that came as arguments, checked like those of a file."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise refusal("", error, kind) from error


def refusal(place: str, error: msgspec.ValidationError, kind: type) -> BatchRefused:
    """msgspec's words, with the place in front and the documented statuses behind."""
    text, _, path = str(error).partition(" - at `$")
    field = f"field '{path.strip('.`')}'" if path.strip(".`") else ""
    if text.startswith("Invalid enum value"):
        documented = DETAIL_STATUSES if kind in (JsonDetail, CsvDetail) else BATCH_STATUSES
        text = f"{text[:MESSAGE_LENGTH]}; documented: {', '.join(documented)}"
    where = ", ".join(filter(None, (place, field)))
    return BatchRefused(f"{where}: {text[: 2 * MESSAGE_LENGTH]}." if where else f"{text}.")
