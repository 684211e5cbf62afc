"""A node: one machine's log and read tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.access.register import Register
from projections.follower import Follower
from projections.log import open_log
from projections.queries import Queries
from projections.tables import ReadTables
from tests.facts import Story

if TYPE_CHECKING:
    from pathlib import Path


class Node:
    """One machine's view of a log."""

    def __init__(self, url: str, folder: Path, **options) -> None:
        self.log = open_log(url)
        self.story = Story(self.log.recorder)
        self.register = Register(self.story.journal)
        self.tables = ReadTables(folder)
        self.follower = Follower(self.log.recorder, self.tables, mark=self.log.mark, **options)
        self.queries = Queries(self.follower)

    def rows(self, table: str) -> list[dict]:
        """All rows of a table, caught up."""
        with self.follower.caught_up() as database:
            return [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY 1")]

    def close(self) -> None:
        """Gives back what it holds."""
        self.tables.close()
        self.log.close()
