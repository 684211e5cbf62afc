"""An installation in which tests ask for exports and make them, without a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from api.parts import Parts
from api.settings import Settings
from domain.commands import CreateTask, DeleteTask
from domain.conditions import ExportConditions, OwnerId
from domain.fact import Caller

if TYPE_CHECKING:
    from tests.service import Home


class Installation:
    """A home, asked and worked in by this process alone."""

    def __init__(self, home: Home, settings: Settings | None = None) -> None:
        self.home = home
        self.settings = settings or Settings.read(home.environment)
        self.owner = OwnerId(home.project, home.begun["user_id"])

    def create(self, batch: str) -> str:
        """Asks for an export as the API does; the task's id."""
        conditions = ExportConditions(
            "BatchTask", json.dumps({"task_id": batch}), "xls", "GLOBAL", None
        )
        with Parts(self.settings) as parts:
            caller = Caller(self.owner.user_id, parts.operator().request_id)
            command = CreateTask(self.owner, conditions, None, None, caller)
            return parts.ledger.create(command).task_id

    def export(self) -> None:
        """Makes the files of all tasks that may be claimed."""
        with Parts(self.settings) as parts:
            parts.claim_results()
            exporter = parts.exporter()
            while exporter.step():
                pass

    def delete(self, task_id: str) -> None:
        """Removes a task as the API does."""
        with Parts(self.settings) as parts:
            caller = Caller(self.owner.user_id, parts.operator().request_id)
            parts.ledger.delete(DeleteTask(self.owner, task_id, caller))

    def sweep(self) -> None:
        """Removes dead files."""
        with Parts(self.settings) as parts:
            parts.sweeper().sweep()

    def file(self, task_id: str) -> Path:
        """Where the current file of a task is."""
        with Parts(self.settings) as parts:
            row = parts.queries.any_task(task_id)
            assert row
            current = parts.queries.current_file(row.conditions)
            assert current
            return Path(parts.results.where(current.key))
