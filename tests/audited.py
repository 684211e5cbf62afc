"""A node whose log is audited: what tests tell, sign and look up."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from api.audit.auditor import Auditor
from api.audit.courier import Courier
from api.audit.note import NodeKey, read_note
from api.audit.place import CheckpointName, LocalPlace
from api.audit.sinks import open_sink
from tests.facts import OPERATOR
from tests.meddling import alter
from tests.node import Node

if TYPE_CHECKING:
    from pathlib import Path

    from api.audit.note import Checkpoint

KEY = NodeKey(bytes(range(32)))


class Audited:
    """One node, its auditor, and a clock that only a test moves."""

    def __init__(
        self, folder: Path, *sinks: str, key: NodeKey = KEY, place=None, url: str | None = None
    ) -> None:
        self.folder, self.key, self.sinks = folder, key, sinks
        self.url = url or f"sqlite:///{folder}/events.sqlite"
        self.node = Node(self.url, folder / "read")
        self.story = self.node.story
        self.place = place or LocalPlace(folder / "audit")
        self.story.ledger.begin(OPERATOR)
        self.start()

    def start(self, place=None) -> None:
        """As when the keeper starts."""
        place = place or self.place
        self.couriers = [
            Courier(url, open_sink(url), place, self.key.verifier) for url in self.sinks
        ]
        state = self.folder / f"{self.key.name}.json"
        self.auditor = Auditor(self.node.follower, place, self.key, self.couriers, state)

    @property
    def state(self):
        return self.auditor.state

    def step(self, **later: float) -> None:
        """A turn of the keeper, so much later."""
        self.story.clock.now += timedelta(**later)
        self.auditor.step(self.story.clock.now)

    def close(self) -> None:
        """The last turn."""
        self.auditor.close(self.story.clock.now)

    def happens(self, events: int) -> None:
        """So many events more."""
        for _ in range(events):
            self.story.limits()

    def count(self) -> int:
        """How many events there are."""
        return len(self.story.events())

    def sealed(self) -> list[CheckpointName]:
        """What was signed of every incarnation, the smallest first."""
        incarnations = self.place.list("checkpoints")
        return [each for one in incarnations for each in CheckpointName.all_in(self.place, one)]

    def sizes(self) -> list[int]:
        return [each.size for each in self.sealed()]

    def read(self, name: CheckpointName) -> Checkpoint:
        """A checkpoint, verified."""
        return read_note(self.place.get(name.name).decode(), [self.key.verifier])

    def alter(self, *statements: str) -> None:
        """What somebody does to the event store behind our back."""
        alter(self.url, *statements)

    def forget(self) -> None:
        """As when somebody deletes the read tables: they are made anew, of whatever the log is."""
        self.node.tables.close()
        shutil.rmtree(self.folder / "read")

    def stop(self) -> None:
        self.node.close()
