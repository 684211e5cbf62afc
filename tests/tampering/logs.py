"""Logs: told by the product's own ledger, stored by SQLite, sealed by signed checkpoints."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from eventsourcing.popo import POPOApplicationRecorder

from api.audit.given import Signed
from api.audit.leaves import Leaves
from api.audit.log import Log
from api.audit.note import Checkpoint, origin_of, read_note
from api.audit.stored import SQLiteEvents, leaves
from api.audit.verify import verify
from domain.refusals import Refusal
from tests.facts import ANN, BEN, OPERATOR, Story
from tests.sealed import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.persistence import Notification

    from api.audit.verify import Verdict

OWNERS = (ANN, BEN)
NOTHING = Leaves.joined(bytearray())

_TABLE = (
    "CREATE TABLE stored_events (originator_id TEXT, originator_version INTEGER, topic TEXT, "
    "state BLOB, PRIMARY KEY (originator_id, originator_version))"
)
INSERT = (
    "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) "
    "VALUES (?, ?, ?, ?, ?)"
)


@dataclass
class Told:
    """A stored log: its bytes as a database, the checkpoints of it, and its tiles."""

    image: bytes
    sealed: list[Signed]
    tiles: dict[str, Leaves]
    events: list[Notification]
    positions: list[int]

    @property
    def size(self) -> int:
        """How many events the last checkpoint seals."""
        return self.sealed[-1].size

    def opened(self) -> sqlite3.Connection:
        """A copy of the database, in memory."""
        database = sqlite3.connect(":memory:", isolation_level=None)
        database.deserialize(self.image)
        return database

    def judged(self, database: sqlite3.Connection, *, tiles: bool = True) -> Verdict:
        """What `audit verify` finds in a database."""
        stored = (lambda name: self.tiles[name]) if tiles else (lambda name: NOTHING)
        return verify(SQLiteEvents(database), self.sealed, stored)


def tell(chance: Random, *, steps: int = 25, restored: bool | None = None) -> Told:
    """A log of a few dozen events, with gaps in its positions or none, restored once or never."""
    story = Story(POPOApplicationRecorder(), seed=chance.getrandbits(32))
    story.ledger.begin(OPERATOR)
    live(story, chance, steps)
    sealed, tiles = seal(story, chance)
    if chance.random() < 0.3 if restored is None else restored:
        story = put_back(story, chance)
        live(story, chance, steps)
        more, others = seal(story, chance, after=put_back_at(story))
        sealed, tiles = sealed + more, tiles | others
    return stored(story, sealed, tiles, gaps=chance.choice((0, 0.1, 0.5)), chance=chance)


def live(story: Story, chance: Random, steps: int) -> None:
    """Tasks are created, completed, downloaded and deleted; what is refused leaves no event."""
    tasks = []
    for _ in range(steps):
        story.clock.pass_by(seconds=chance.randint(1, 60))
        owner = chance.choice(OWNERS)
        deed = chance.random()
        with suppress(Refusal):
            if deed < 0.5 or not tasks:
                tasks.append((story.create(owner, batch=f"{chance.getrandbits(64):x}"), owner))
                continue
            task, owner = chance.choice(tasks)
            if deed < 0.7:
                story.complete(task)
            elif deed < 0.8:
                story.claim(task)
                tasks.remove((task, owner))
            elif deed < 0.9:
                story.grant(task, owner=owner)
            else:
                story.delete(task, owner)


def told_of(story: Story) -> Sequence[Notification]:
    """The whole log as it is stored."""
    return story.recorder.select_notifications(None, 100_000)


def put_back(story: Story, chance: Random, kept: int | None = None) -> Story:
    """The log goes on from a backup of its first events, so many of them, or any number."""
    events = told_of(story)
    kept_events = events[: kept or chance.randint(1, len(events))]
    recorder = POPOApplicationRecorder()
    recorder.insert_events(kept_events)
    anew = Story(recorder, seed=chance.getrandbits(32))
    anew.clock.now = story.clock.now
    anew.ledger.begin_anew(len(kept_events), OPERATOR)
    return anew


def put_back_at(story: Story) -> int:
    """The rank of the restore."""
    return max(rank for rank, each in enumerate(told_of(story)) if each.topic == "log.begun")


def seal(story: Story, chance: Random, after: int = 0) -> tuple[list[Signed], dict[str, Leaves]]:
    """A few checkpoints of the incarnation that the log is now, and its tiles."""
    events = told_of(story)
    hashes = leaves([row_of(each.id, each) for each in events])
    tree = Leaves.joined(bytearray(b"".join(hashes)))
    incarnation = story.ledger.begin(OPERATOR).incarnation or ""
    sizes = sorted(chance.sample(range(after + 1, tree.count + 1), k=min(3, tree.count - after)))
    roots = tree.roots(sizes)
    sealed = [checkpoint(incarnation, size, roots[size]) for size in sizes]
    return sealed, {incarnation: tree.first(sizes[-1])}


def checkpoint(incarnation: str, size: int, root: bytes) -> Signed:
    """Signed, and read again by its key."""
    note = KEY.sign(Checkpoint(origin_of(incarnation), size, root))
    return Signed(read_note(note, [KEY.verifier]), incarnation, KEY.name, f"{size:012}-{KEY.name}")


def row_of(position: int, event: Notification) -> tuple[int, str, int, str, bytes]:
    """An event as the library's SQLite recorder stores it."""
    return (
        position,
        event.originator_id.hex,
        event.originator_version,
        event.topic,
        event.state,
    )


def stored(
    story: Story,
    sealed: list[Signed],
    tiles: dict[str, Leaves],
    gaps: float,
    chance: Random,
) -> Told:
    """The log in SQLite; conflicts spend positions, as on PostgreSQL, or leave no trace."""
    events, positions, position = list(told_of(story)), [], 0
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(_TABLE)
        for event in events:
            position += 1 + (chance.randint(1, 4) if chance.random() < gaps else 0)
            positions.append(position)
            database.execute(INSERT, row_of(position, event))
            if chance.random() < gaps:
                with suppress(sqlite3.IntegrityError):
                    database.execute(INSERT, row_of(position + 1, event))
        return Told(database.serialize(), sealed, tiles, events, positions)


def whole_of(story: Story) -> Leaves:
    """The leaves of all events there are."""
    told = stored(story, [], {}, 0, Random(0))
    with closing(told.opened()) as database:
        return Log(SQLiteEvents(database)).leaves


class Scene:
    """A log of one incarnation, whose first 20 of more events are sealed, and ways to judge it."""

    def __init__(self) -> None:
        self.story = Story(POPOApplicationRecorder())
        self.story.ledger.begin(OPERATOR)
        live(self.story, Random(3), 40)
        self.incarnation = self.story.ledger.begin(OPERATOR).incarnation or ""
        self.tree = whole_of(self.story)
        tiles = {self.incarnation: self.tree.first(20)}
        self.told = stored(self.story, [], tiles, 0, Random(1))
        self.seal(10, 20)

    def seal(self, *sizes: int, incarnation: str | None = None, root: bytes | None = None) -> None:
        """Signs more checkpoints; with a root, false ones."""
        for size in sizes:
            signed = root or self.tree.root(0, size)
            self.told.sealed.append(checkpoint(incarnation or self.incarnation, size, signed))

    def after(self, sql: str, *values: object, tiles: bool = True) -> Verdict:
        """The verdict after somebody changed the store."""
        with closing(self.told.opened()) as database:
            database.execute(sql, values)
            return self.told.judged(database, tiles=tiles)
