"""What can be asked of the write side; a command that exists is a valid one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.refusals import Invalid

if TYPE_CHECKING:
    from domain.conditions import ExportConditions, File, OwnerId
    from domain.fact import Caller

TASK_ID = re.compile(r"[0-9a-f]{24}")
NEWEST = "f" * 24
"""The marker of a first page: no task has a larger id."""

BATCH_TASK_ID = re.compile(r"[0-9a-f]{1,24}")
APP_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
INSTANCE_ID_LENGTH = 36
KEPT_MOST = 1000
INTERVAL_MOST = 86_400.0


def check(field: str, holds: bool, rule: str) -> None:
    """Refuses a field that breaks its rule.

    Raises:
        Invalid: where `holds` is false.
    """
    if not holds:
        raise Invalid(field, rule)


def check_app_id(app_id: str | None) -> None:
    """Contract, section 1; None where there is none. Raises Invalid."""
    rule = "must be 1 to 36 letters, digits, underscores or hyphens"
    check("app_id", app_id is None or bool(APP_ID.fullmatch(app_id)), rule)


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Export something under a new task. `app_id` is what the client sent, kept and echoed.

    `retries` is the failed task in whose stead it is asked for, if it is.
    """

    owner: OwnerId
    conditions: ExportConditions
    app_id: str | None
    instance_id: str | None
    caller: Caller
    retries: str | None = None

    def __post_init__(self) -> None:
        kinds = self.conditions
        check("resource_type", kinds.resource_type == "BatchTask", "must be 'BatchTask'")
        check("export_format", kinds.export_format == "xls", "must be 'xls'")
        check("app_type", kinds.app_type in ("GLOBAL", "APP"), "must be 'GLOBAL' or 'APP'")
        check("app_id", (kinds.scope is None) == (kinds.app_type == "GLOBAL"), "goes with 'APP'")
        check_app_id(self.app_id)
        check_app_id(kinds.scope)
        length = INSTANCE_ID_LENGTH if self.instance_id is None else len(self.instance_id)
        check("Instance-Id", 1 <= length <= INSTANCE_ID_LENGTH, "must be 1 to 36 characters")


@dataclass(frozen=True, slots=True)
class DeleteTask:
    """Remove a task, whatever its state (contract, section 2.6)."""

    owner: OwnerId
    task_id: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class RetryTask:
    """Export again what a failed task, which stays as it is, was to."""

    task_id: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class GrantDownload:
    """Let the owner have the bytes with this ETag now (contract, section 2.5)."""

    owner: OwnerId
    task_id: str
    file_key: str
    etag: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class SetLimits:
    """The rules' numbers (contract, section 2); the interval in seconds."""

    unfinished: int
    kept: int
    download_interval: float
    caller: Caller

    def __post_init__(self) -> None:
        check("kept", 1 <= self.kept <= KEPT_MOST, f"must be 1 to {KEPT_MOST}")
        check("unfinished", 1 <= self.unfinished <= self.kept, "must be 1 to the number kept")
        interval = 0 <= self.download_interval <= INTERVAL_MOST
        check("download_interval", interval, f"must be 0 to {INTERVAL_MOST:g} seconds")


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt of an exporter to finish a task; the version check makes it the only one."""

    task_id: str
    attempt: int
    exporter: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt is: rows written, rows there are (None: not known), percent (1 to 99).

    `batch_name` is what it exports, by its name (None: not told).
    """

    rows: int = 0
    total: int | None = None
    percent: int = 1
    batch_name: str | None = None

    def __post_init__(self) -> None:
        check("percent", 1 <= self.percent <= 99, "must be 1 to 99 while unfinished")


@dataclass(frozen=True, slots=True)
class CompleteTask:
    """The attempt's file is safe in the result store; `batch_name` as in `Progress`."""

    claim: Claim
    file: File
    total: int
    batch_name: str | None = None
