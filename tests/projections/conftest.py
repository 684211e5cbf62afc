"""A node: its log, its read tables, and a story to tell to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.access.register import Register
from projections.follower import Follower
from projections.log import open_log
from projections.queries import Queries
from projections.tables import ReadTables
from tests.facts import Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Node:
    """One machine's view of a log."""

    def __init__(self, url: str, folder: Path, **options) -> None:
        self.log = open_log(url)
        self.story = Story(self.log.recorder)
        self.register = Register(self.story.journal)
        self.tables = ReadTables(folder)
        self.follower = Follower(self.log.recorder, self.tables, **options)
        self.queries = Queries(self.follower)

    def rows(self, table: str) -> list[dict]:
        """All rows of a table, caught up."""
        with self.follower.caught_up() as database:
            return [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY 1")]

    def close(self) -> None:
        """Gives back what it holds."""
        self.tables.close()
        self.log.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node over an empty log."""
    node = Node(f"sqlite:///{tmp_path}/events.sqlite", tmp_path / "read")
    yield node
    node.close()


@pytest.fixture
def story(node: Node) -> Story:
    """What happens on the node."""
    return node.story
