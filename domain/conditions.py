"""What makes two exports the same, and which file is current for them (contract, section 2.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from json import dumps
from typing import NamedTuple


class OwnerId(NamedTuple):
    """One user within one project: whose tasks, quotas and downloads these are."""

    project_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class ExportConditions:
    """What is exported and how; `scope` is the app that the result is limited to, if any.

    `resource_condition` is canonical JSON text: user JSON never enters the log as structure.
    """

    resource_type: str
    resource_condition: str
    export_format: str
    app_type: str
    scope: str | None

    def digest(self, owner: OwnerId) -> str:
        """32 hexadecimal digits that are equal exactly where owner and conditions are."""
        parts = [*owner, self.resource_type, self.resource_condition]
        parts += [self.export_format, self.app_type, self.scope or ""]
        return sha256(dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class File:
    """A finished workbook in the result store; `key` names it, `task_id` is whose bytes it is."""

    task_id: str
    key: str
    size: int
    sha256: str
    rows: int
    sheets: int
    repaired: int
    complete: bool
    data_as_of: str


@dataclass(frozen=True, slots=True)
class Results:
    """Of some conditions: the `Success` tasks that remain, and the file that is current."""

    tasks: frozenset[str] = frozenset()
    current: File | None = None

    def completed(self, file: File) -> Results:
        """A task completed: the largest id wins, whichever finished last."""
        newer = self.current is None or file.task_id > self.current.task_id
        return Results(self.tasks | {file.task_id}, file if newer else self.current)

    def evicted(self, task_id: str) -> Results:
        """A task was removed: with the last `Success` task the file goes."""
        if task_id not in self.tasks:
            return self
        left = self.tasks - {task_id}
        return replace(self, tasks=left) if left else Results()
