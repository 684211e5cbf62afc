"""Gauges: what an operator wants to know of all owners together, in a few reads of small rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database

STATUSES = ("Processing", "Success", "Failed")

_STATUSES = "SELECT status, count(*) FROM tasks GROUP BY status"
_HELD = "SELECT count(*) FROM tasks WHERE status = 'Processing' AND held = 1"
_WAITING_SINCE = "SELECT min(created_at) FROM tasks WHERE status = 'Processing' AND held = 0"
_FROZEN = "SELECT count(*) FROM quarantine"
_FROZEN_OWNERS = (
    "SELECT count(*) FROM"
    " (SELECT DISTINCT project_id, user_id FROM quarantine JOIN tasks USING (stream))"
)


class Gauges(NamedTuple):
    """Kept tasks by status; of the unfinished ones, exporters work on those that are `held`, and
    the oldest of the others was created at `waiting_since`. Streams that are frozen, and how many
    owners have a task among them. `measures` are the counts and amounts of `projections.measures`.
    """

    statuses: Mapping[str, int]
    held: int
    waiting_since: str | None
    frozen: int
    frozen_owners: int
    measures: Mapping[tuple[str, str], tuple[int, int]]

    @classmethod
    def read(cls, database: Database) -> Gauges:
        """As the tables are; whoever asks has caught them up."""
        ask = database.conn.execute
        return cls(
            statuses=dict.fromkeys(STATUSES, 0) | dict(map(tuple, ask(_STATUSES))),
            held=ask(_HELD).fetchone()[0],
            waiting_since=ask(_WAITING_SINCE).fetchone()[0],
            frozen=ask(_FROZEN).fetchone()[0],
            frozen_owners=ask(_FROZEN_OWNERS).fetchone()[0],
            measures={
                (row["measure"], row["of"]): (row["count"], row["amount"])
                for row in ask("SELECT * FROM measures")
            },
        )

    @property
    def waiting(self) -> int:
        """Unfinished tasks that no exporter works on."""
        return self.statuses["Processing"] - self.held

    def count(self, measure: str, of: str = "") -> int:
        """How often something happened."""
        return self.measures.get((measure, of), (0, 0))[0]

    def amount(self, measure: str, of: str = "") -> int:
        """How much of it there was in all."""
        return self.measures.get((measure, of), (0, 0))[1]
