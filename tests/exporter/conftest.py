"""A node with a source, a result store and exporters."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exporter.exporter import Exporter
from exporter.results import LocalResults
from exporter.sources import open_source
from exporter.sources.batches import Batches
from exporter.sweeper import Sweeper
from tests.facts import LEASE
from tests.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Factory(Node):
    """A node that makes files; its observers' monotonic clock stands until it is moved."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"sqlite:///{folder}/events.sqlite", folder / "read")
        self.folder = folder
        self.batches = Batches(f"sqlite:///{folder}/source.sqlite")
        self.source = open_source(f"sqlite:///{folder}/source.sqlite")
        self.results = LocalResults(folder / "results")
        self.now = 0.0

    def batch(self, rows: int = 10, app_id: str | None = None) -> str:
        """A finished batch task of that many details."""
        return self.batches.generate("p1", rows, app_id)

    def exporter(self, name: str = "e1", **options) -> Exporter:
        """An exporter of this node."""
        source = options.pop("source", self.source)
        results = options.pop("results", self.results)
        options = {"lease": LEASE, "monotonic": lambda: self.now, **options}
        return Exporter(self.story.ledger, self.queries, source, results, name=name, **options)

    def sweeper(self, hours: float = 24) -> Sweeper:
        """The sweeper of this node."""
        return Sweeper(
            self.story.ledger,
            self.queries,
            self.results,
            sweep_after=timedelta(hours=hours),
            clock=self.story.clock,
        )

    def files(self) -> list[str]:
        """The keys of all results, and of what is half written."""
        return [("~" if each.spool else "") + each.key for each in self.results.list()]

    def close(self) -> None:
        """Gives back what it holds."""
        self.batches.close()
        self.source.close()
        super().close()


@pytest.fixture
def factory(tmp_path: Path) -> Iterator[Factory]:
    """A node that makes files."""
    factory = Factory(tmp_path)
    yield factory
    factory.close()


@pytest.fixture
def story(factory: Factory):
    """What happens there."""
    return factory.story
