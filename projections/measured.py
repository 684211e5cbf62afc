"""Measured: what `projections.measures` has counted, and what is frozen, in reads of small rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database

_FROZEN = "SELECT count(*) FROM quarantine"
_FROZEN_OWNERS = (
    "SELECT count(*) FROM"
    " (SELECT DISTINCT project_id, user_id FROM quarantine JOIN tasks USING (stream))"
)


class Measured(NamedTuple):
    """Of each measure how often it happened and how much of it there was; streams that are frozen,
    and how many owners have a kept task among them.
    """

    measures: Mapping[tuple[str, str], tuple[int, int]]
    frozen: int
    frozen_owners: int

    @classmethod
    def read(cls, database: Database) -> Measured:
        """As the tables are; whoever asks has caught them up."""
        ask = database.conn.execute
        return cls(
            measures={
                (row["measure"], row["of"]): (row["count"], row["amount"])
                for row in ask("SELECT * FROM measures")
            },
            frozen=ask(_FROZEN).fetchone()[0],
            frozen_owners=ask(_FROZEN_OWNERS).fetchone()[0],
        )

    def count(self, measure: str, of: str = "") -> int:
        """How often something happened."""
        return self.measures.get((measure, of), (0, 0))[0]

    def amount(self, measure: str, of: str = "") -> int:
        """How much of it there was in all."""
        return self.measures.get((measure, of), (0, 0))[1]
