"""Stored: the event store as an auditor reads it, byte by byte, and never written to.

Not the library's reader: that one trusts the store, and makes an object of every row. What is
read from a database of PostgreSQL's stands in `stored_postgres`.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from api.access.vault_tables import COLUMNS
from api.values import is_shared
from domain.refusals import Refusal
from projections import seal
from projections.stores.sqlite import event_file
from projections.stores.whole_file import read_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 2048
"""Rows that are held at once."""

_ROWS = "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
_PAGES = f"{_ROWS} WHERE rowid > ? ORDER BY rowid"
_AT = f"{_ROWS} ORDER BY rowid LIMIT 1 OFFSET ?"
_FIRST = f"{_ROWS} WHERE originator_id = ? ORDER BY originator_version LIMIT 1"
_LAST = f"{_ROWS} WHERE originator_id = ? ORDER BY originator_version DESC LIMIT 1"
_GAPS = (
    "SELECT originator_id, max(originator_version) FROM stored_events "
    "GROUP BY 1 HAVING count(*) != max(originator_version) LIMIT ?"
)
_COUNT = "SELECT count(*) FROM stored_events"
_THERE = "SELECT 1 FROM sqlite_schema WHERE name = ?"
_DAMAGE = {sqlite3.SQLITE_CORRUPT}
_FIRST_ROWID = -(2**63)


class CannotRead(Refusal):
    """The event store cannot be read at all; the text says why."""


class NothingStored(CannotRead):
    """The database is there, and no event store is in it."""


class Unreadable(Refusal):
    """The event store is damaged: what follows the rows read so far cannot be read."""


Row = tuple[int, Any, Any, Any, Any]
"""Position, stream, version, topic and state as they are stored, in whatever type the store holds.

Plain tuples: at these speeds a named one would be the bill.
"""


class Events(Protocol):
    """What the audit asks of an event store."""

    def pages(self) -> Iterator[list[Row]]:
        """Every event in the order of commits. Raises Unreadable, CannotRead."""

    def at(self, rank: int) -> Row | None:
        """The event of a rank, counted from 0; None where there are not so many."""

    def first(self, stream: Any) -> Row | None:
        """The first event of a stream."""

    def last(self, stream: Any) -> Row | None:
        """The last event of a stream."""

    def count(self) -> int:
        """How many events there are, without a look at them. Raises Unreadable, CannotRead."""

    def gaps(self, most: int) -> list[tuple[str, int]]:
        """Streams in which a version is missing, with their last one."""

    def beside(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table of the vault, as of the same moment. Raises CannotRead."""


class SQLiteEvents:
    """The events of a SQLite file, as of one moment."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def pages(self) -> Iterator[list[Row]]:
        """Every event in the order of commits.

        Raises:
            Unreadable: the file is damaged behind what was read.
            CannotRead: SQLite cannot read it, for another reason.
        """
        with _told():
            last = _FIRST_ROWID
            try:
                for page in self._after(last):
                    yield page
                    last = page[-1][0]
            except sqlite3.OperationalError as error:
                if "decode" not in str(error):
                    raise
                # Somebody put into a text what is no text: read it as it is, which is slower.
                self._database.text_factory = _leniently
                yield from self._after(last)

    def at(self, rank: int) -> Row | None:
        """The event of a rank, counted from 0; None where there are not so many."""
        return self._one(_AT, rank)

    def first(self, stream: Any) -> Row | None:
        """The first event of a stream."""
        return self._one(_FIRST, stream)

    def last(self, stream: Any) -> Row | None:
        """The last event of a stream."""
        return self._one(_LAST, stream)

    def count(self) -> int:
        """How many there are."""
        with _told():
            return int(self._database.execute(_COUNT).fetchone()[0])

    def gaps(self, most: int) -> list[tuple[str, int]]:
        """Streams in which a version is missing, with their last one."""
        with suppress(sqlite3.Error):
            return self._database.execute(_GAPS, [most]).fetchall()
        return []

    def beside(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table of the vault; none where there is no such table."""
        with _told():
            if not self._database.execute(_THERE, [table]).fetchone():
                return []
            return self._database.execute(select(table)).fetchall()

    def _one(self, query: str, value: Any) -> Row | None:
        with suppress(sqlite3.Error):
            row: Row | None = self._database.execute(query, [value]).fetchone()
            return row
        return None

    def _after(self, last: int) -> Iterator[list[Row]]:
        rows = self._database.execute(_PAGES, [last])
        while page := rows.fetchmany(PAGE):
            yield page


@contextmanager
def open_events(url: str) -> Iterator[Events]:
    """The event store that a URL names, read-only, as of one moment.

    Raises:
        CannotOpen: another kind of URL.
        CannotRead: there is none, or it cannot be opened.
    """
    if is_shared(url):
        from api.audit.stored_postgres import opened

        with opened(url) as events:
            yield events
        return
    with _opened(event_file(url)) as database:
        yield SQLiteEvents(database)


def select(table: str) -> str:
    """What reads all rows of a table of the vault, in an order of their own."""
    names = COLUMNS[table]
    return f"SELECT {', '.join(names)} FROM {table} ORDER BY {names[0]}"  # noqa: S608


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        database = read_only(path)
    except sqlite3.Error as error:
        raise CannotRead(f"{path} cannot be read: {error}") from error
    with closing(database):
        database.row_factory = None
        with _told():
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield database


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise Unreadable(str(error)) from error
        raise CannotRead(f"the event store cannot be read: {error}") from error


def _leniently(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


def leaves(rows: list[Row]) -> list[bytes]:
    """The leaves of stored rows: those of `projections.seal.leaf`, several times as fast."""
    found: list[bytes] = []
    keep, topics = found.append, _TOPICS
    for row in rows:
        _, stream, version, topic, state = row
        try:
            place = bytes.fromhex(stream)
            middle = topics[topic]
            if place.hex() == stream and len(place) == 16 and type(state) is bytes:
                number = version.to_bytes(8, "big")
                entry = _BEFORE + place + _NUMBER + number + middle + sha256(state).digest()
                keep(sha256(entry).digest())
                continue
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            pass
        keep(_leaf(row))
    return found


def facts_of(row: Row | None) -> dict[str, Any]:
    """What an event says, as far as it can be read."""
    with suppress(ValueError, TypeError, RecursionError):
        facts = json.loads(row[4]) if row else {}
        return facts if isinstance(facts, dict) else {}
    return {}


def event_of(row: Row) -> StoredEvent:
    """A row as the library would have it; what is no stream of ours stays what it is."""
    _, stream, version, topic, state = row
    return StoredEvent(UUID(stream) if is_stream(stream) else stream, version, topic, state)


def _leaf(row: Row) -> bytes:
    """Any row's leaf; learns an honest topic on the way."""
    topic = row[3]
    if isinstance(topic, str) and topic.isascii() and len(topic) < 64 and len(_TOPICS) < 256:
        _TOPICS[topic] = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00\x20"
    return seal.leaf(event_of(row))


def is_stream(stream: object) -> bool:
    if not isinstance(stream, str) or len(stream) != 32:
        return False
    with suppress(ValueError):
        return bytes.fromhex(stream).hex() == stream
    return False


_TOPICS: dict[Any, bytes] = {}
_BEFORE = b"\x00" + len(seal.TAG).to_bytes(2, "big") + seal.TAG + b"\x00\x10"
_NUMBER = b"\x00\x08"
