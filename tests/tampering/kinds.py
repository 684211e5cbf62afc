"""Kinds: the seven ways in which a log is tampered with, as SQL on the stored rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from eventsourcing.popo import POPOApplicationRecorder

from tests.facts import Story
from tests.tampering.logs import INSERT, live, row_of, told_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from random import Random

    from tests.tampering.logs import Told

_UP = "UPDATE stored_events SET rowid = -rowid - 1 WHERE rowid >= ?"
_DOWN = "UPDATE stored_events SET rowid = 1 - rowid WHERE rowid >= ?"
_BACK = "UPDATE stored_events SET rowid = -rowid WHERE rowid < 0"


class Expected(NamedTuple):
    """What a tampering must be called: one of these kinds, at this rank, maybe this position."""

    kinds: tuple[str, ...]
    rank: int
    position: int | None = None


def edit(told: Told, database: sqlite3.Connection, chance: Random) -> Expected:
    """One column of one event gets another value."""
    rank = chance.randrange(told.size)
    position, event = told.positions[rank], told.events[rank]
    column, value = chance.choice(
        (
            ("state", _flipped(event.state, chance)),
            ("state", _flipped(event.state, chance)),
            ("state", _flipped(event.state, chance)),
            ("state", event.state.decode()),
            ("state", event.state + b" "),
            ("topic", event.topic + "x"),
            ("originator_version", event.originator_version + 1000),
            ("originator_id", f"{chance.getrandbits(128):032x}"),
        )
    )
    # Named by us, one of three.
    database.execute(f"UPDATE stored_events SET {column} = ? WHERE rowid = ?", [value, position])
    last = rank + 1 == told.size
    return Expected(("replaced",) if last else ("edited",), rank, position)


def swap(told: Told, database: sqlite3.Connection, chance: Random) -> Expected:
    """Two events change places."""
    first, second = sorted(chance.sample(range(told.size), k=2))
    a, b = told.positions[first], told.positions[second]
    for old, new in ((a, -1), (b, a), (-1, b)):
        database.execute("UPDATE stored_events SET rowid = ? WHERE rowid = ?", [new, old])
    return Expected(("swapped",), first, a)


def insert(told: Told, database: sqlite3.Connection, chance: Random) -> Expected:
    """An event comes to stand before one that was sealed."""
    rank = chance.randrange(told.size)
    position = told.positions[rank]
    model = chance.choice(told.events)
    before = told.positions[rank - 1] if rank else 0
    if position - before > 1 and chance.random() < 0.5:
        position -= 1
    else:
        database.execute(_UP, [position])
        database.execute(_BACK)
    stream = chance.choice((model.originator_id.hex, f"{chance.getrandbits(128):032x}"))
    version = model.originator_version + 1000
    database.execute(INSERT, [position, stream, version, model.topic, model.state])
    return Expected(("inserted",), rank, position)


def delete(told: Told, database: sqlite3.Connection, chance: Random) -> Expected:
    """An event goes; its position stays free."""
    rank = chance.randrange(told.size)
    database.execute("DELETE FROM stored_events WHERE rowid = ?", [told.positions[rank]])
    if rank + 1 < told.size:
        return Expected(("missing",), rank)
    return Expected(("cut",) if told.size == len(told.events) else ("replaced",), rank)


def delete_and_renumber(told: Told, database: sqlite3.Connection, chance: Random) -> Expected:
    """An event goes, and those after it move up."""
    expected = delete(told, database, chance)
    database.execute(_DOWN, [told.positions[expected.rank] + 1])
    database.execute(_BACK)
    return expected


def cut(told: Told, database: sqlite3.Connection, chance: Random) -> Expected:
    """The tail goes."""
    rank = chance.randrange(told.size)
    database.execute("DELETE FROM stored_events WHERE rowid >= ?", [told.positions[rank]])
    return Expected(("cut",), rank)


def cut_and_grow_again(told: Told, database: sqlite3.Connection, chance: Random) -> Expected:
    """The tail goes, and the service goes on from there."""
    expected = cut(told, database, chance)
    recorder = POPOApplicationRecorder()
    recorder.insert_events(told.events[: expected.rank])
    story = Story(recorder, seed=chance.getrandbits(32))
    live(story, chance, chance.randint(3, 25))
    grown = told_of(story)[expected.rank :]
    last = told.positions[expected.rank - 1] if expected.rank else 0
    database.executemany(INSERT, [row_of(last + n, each) for n, each in enumerate(grown, 1)])
    if not grown:
        return expected
    only = expected.rank + 1 == told.size
    return Expected(("replaced",) if only else ("cut and grown again",), expected.rank)


def _flipped(state: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(state))
    return state[:at] + bytes([state[at] ^ (1 << chance.randrange(8))]) + state[at + 1 :]


KINDS: dict[str, Callable[[Told, sqlite3.Connection, Random], Expected]] = {
    "edit": edit,
    "swap": swap,
    "insert": insert,
    "delete": delete,
    "delete and renumber": delete_and_renumber,
    "cut the tail": cut,
    "cut and grow again": cut_and_grow_again,
}
