"""Measured: what `projections.measures` has counted, and what is frozen, in reads of small rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.codes import DIED_TOO_OFTEN
from projections.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from projections.follower import Follower
    from projections.rows import Activity

_FROZEN = "SELECT count(*) FROM quarantine"
_FROZEN_OWNERS = (
    "SELECT count(*) FROM"
    " (SELECT DISTINCT project_id, user_id FROM quarantine JOIN tasks USING (stream))"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Of each measure how often it happened and how much of it there was; kept tasks by what they
    are at; streams that are frozen, and how many owners have a kept task among them.
    """

    measures: Mapping[tuple[str, str], tuple[int, int]]
    kept: Activity
    frozen: int
    frozen_owners: int

    @classmethod
    def read(cls, follower: Follower) -> Measured:
        """As it is now. Raises what `Follower.caught_up` does."""
        with follower.once(), follower.caught_up() as database:
            ask = database.conn.execute
            return cls(
                measures={
                    (row["measure"], row["of"]): (row["count"], row["amount"])
                    for row in ask("SELECT * FROM measures")
                },
                kept=Queries(follower).activity(),
                frozen=ask(_FROZEN).fetchone()[0],
                frozen_owners=ask(_FROZEN_OWNERS).fetchone()[0],
            )

    def count(self, measure: str, of: str) -> int:
        """How often something happened."""
        return self.measures.get((measure, of), (0, 0))[0]

    def counts(self, measure: str) -> dict[str, int]:
        """How often, by what it happened to."""
        return {of: count for (what, of), (count, _) in self.measures.items() if what == measure}

    def amount(self, measure: str) -> int:
        """How much of it there was in all."""
        return sum(much for (what, _), (_, much) in self.measures.items() if what == measure)

    @property
    def written(self) -> tuple[int, int]:
        """Rows and bytes of all files that were completed."""
        return self.measures.get(("written", ""), (0, 0))

    @property
    def created(self) -> int:
        """How many tasks were created."""
        kept = self.kept.processing + self.kept.success + self.kept.failure
        return kept + sum(self.counts("removed").values())

    @property
    def ended(self) -> dict[str, int]:
        """How claims ended."""
        failed = self.counts("failed")
        return {
            "completed": sum(self.counts("run").values()),
            "failed": sum(failed.values()) - failed.get(DIED_TOO_OFTEN, 0),
            **{how: self.count("ended", how) for how in ("released", "lost", "removed")},
        }

    @property
    def claims(self) -> int:
        """How many there were."""
        return sum(self.ended.values()) + self.kept.running
