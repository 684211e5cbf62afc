"""Side log: each refusal on this machine, for a while; how often whom, until the event log has it.

Nobody who is refused writes to the event log. What may be learnt from it goes there as summaries,
one for a user's key and a minute; strangers leave nothing there at all.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import inf
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import PersistenceError

from api.access.lockout import LOCKED, TRIES_FROM_AN_ADDRESS, TRIES_OF_A_KEY
from api.access.sealing import CannotUnseal, Sealer, derive
from api.access.vault_seals import folded_digest
from domain.access.refused import Summary
from domain.refusals import Refusal
from projections.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eventsourcing.sqlite import SQLiteCursor

    from domain.access.register import Register
    from domain.fact import Caller

KEPT = 10_000
"""Single refusals that are kept; one more removes the earliest."""

LIVES = timedelta(days=7)
"""How long a single refusal is kept."""

COUNT_LASTS = timedelta(minutes=1)
"""How long refusals are counted together, at least: one summary a key for them."""

BUSY_SECONDS = 0.5
COMPLAIN_SECONDS = 60.0

_TABLES = (
    "CREATE TABLE IF NOT EXISTS state (only_one INTEGER PRIMARY KEY CHECK (only_one = 1),"
    " counter TEXT NOT NULL, number INTEGER NOT NULL, began REAL NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS counts (number INTEGER, user_id TEXT, access_key TEXT, code TEXT,"
    " times INTEGER NOT NULL, since REAL NOT NULL, until REAL NOT NULL,"
    " PRIMARY KEY (number, user_id, access_key, code)) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS singles (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,"
    " code TEXT NOT NULL, call TEXT NOT NULL, request_id TEXT NOT NULL, user_id TEXT NOT NULL,"
    " access_key TEXT NOT NULL, address BLOB NOT NULL, claimed BLOB, origin BLOB) STRICT",
    "CREATE INDEX IF NOT EXISTS singles_claimed ON singles (claimed, at) WHERE claimed NOT NULL",
    "CREATE INDEX IF NOT EXISTS singles_origin ON singles (origin, at) WHERE origin NOT NULL",
)
_COUNT = (
    "INSERT INTO counts SELECT number, ?, ?, ?, 1, ?, ? FROM state WHERE true"
    " ON CONFLICT DO UPDATE SET times = times + 1,"
    " since = min(since, excluded.since), until = max(until, excluded.until)"
)

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A request that was refused; `call` is its name in the route table.

    `user_id` and `access_key` are known ones, of whom it was or would have been; `claimed` is the
    access key of a wrong signature as it was sent, known or not: that is never kept readable.
    """

    at: datetime
    code: str
    call: str
    request_id: str
    user_id: str | None = None
    access_key: str | None = None
    address: str | None = None
    claimed: str | None = None


class SideLogFails(Refusal):
    """The side log cannot be read or written."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(f"The side log {path} cannot be used: {error}.")


class SideLog:
    """A bounded file beside the event log; safe for threads and processes.

    What is written survives the process at once, and a power loss but for the last moments.
    """

    def __init__(self, path: Path, secret_key: bytes) -> None:
        self._path = path
        self._sealer = Sealer(derive(secret_key, "side log"))
        self._key = derive(secret_key, "side log subjects")
        self._store = SQLiteStore(path, busy_seconds=BUSY_SECONDS, synchronous="NORMAL")
        self._complained = -inf

    def close(self) -> None:
        """Closes every connection that is not in use."""
        self._store.close()

    # Requests

    def note(self, refused: RefusedRequest) -> float:
        """Keeps and counts a refusal; what keeps it from doing so is logged, and stops nobody.

        Says for how many seconds wrong signatures by this key or from this address are too many.
        """
        try:
            return self._note(refused)
        except PersistenceError as error:
            if monotonic() - self._complained >= COMPLAIN_SECONDS:
                self._complained = monotonic()
                _LOGGER.error("refusals are not counted: %s: %s", self._path, error)
            return 0.0

    def _note(self, refused: RefusedRequest) -> float:
        at = refused.at.timestamp()
        who = (refused.user_id or "", refused.access_key or "")
        claimed = origin = None
        if refused.claimed is not None:
            claimed = folded_digest(self._key, f"key {refused.claimed}")
            origin = folded_digest(self._key, f"address {refused.address}")
        address = self._sealer.seal((refused.address or "").encode(), refused.request_id)
        row = (at, refused.code, refused.call, refused.request_id, *who, address, claimed, origin)
        with self._writing() as cursor:
            cursor.execute(_COUNT, (*who, refused.code, at, at))
            cursor.execute("INSERT INTO singles VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            cursor.execute("DELETE FROM singles WHERE id <= last_insert_rowid() - ?", (KEPT,))
            return max(
                _locked(cursor, "claimed", claimed, TRIES_OF_A_KEY, at),
                _locked(cursor, "origin", origin, TRIES_FROM_AN_ADDRESS, at),
            )

    # The keeper

    def hand_on(self, register: Register, caller: Caller, now: datetime) -> None:
        """Has summaries of all that was counted more than a minute ago in the event log, once.

        Cut off anywhere, the next call ends the work.

        Raises:
            SideLogFails: it cannot be read or written.
            Unavailable: the event store does not answer.
        """
        with self._telling():
            self._end_count(now)
            counts = self._ended()
        for number, summaries in counts:
            register.count_refusals(summaries, caller)
            with self._telling(), self._writing() as cursor:
                cursor.execute("DELETE FROM counts WHERE number = ?", (number,))

    def _end_count(self, now: datetime) -> None:
        """What is refused from here on belongs to the next count."""
        at = now.timestamp()
        began = (at - COUNT_LASTS.total_seconds(), at)
        with self._writing() as cursor:
            cursor.execute("DELETE FROM singles WHERE at < ?", (at - LIVES.total_seconds(),))
            cursor.execute(
                "UPDATE state SET number = number + 1, began = ?"
                " WHERE began NOT BETWEEN ? AND ? AND number IN (SELECT number FROM counts)",
                (at, *began),
            )

    def _ended(self) -> list[tuple[int, list[Summary]]]:
        with self._store.transaction(commit=False) as cursor:
            cursor.execute(
                "SELECT counts.*, counter FROM counts JOIN state ON counts.number < state.number"
                " ORDER BY number, user_id, access_key, code"
            )
            rows = cursor.fetchall()
        return [
            (number, _summaries([row for row in of_one if row["user_id"]]))
            for number, of_one in groupby(rows, key=lambda row: row["number"])
        ]

    # Operators

    def singles(self) -> Iterator[RefusedRequest]:
        """The single refusals that are kept, newest first; without the keys that were claimed.

        Raises:
            SideLogFails: it cannot be read.
        """
        with self._telling(), self._writing() as cursor:
            cursor.execute("SELECT * FROM singles ORDER BY id DESC")
            rows = cursor.fetchall()
        return map(self._single, rows)

    def _single(self, row: Any) -> RefusedRequest:
        return RefusedRequest(
            at=datetime.fromtimestamp(row["at"], UTC),
            code=row["code"],
            call=row["call"],
            request_id=row["request_id"],
            user_id=row["user_id"] or None,
            access_key=row["access_key"] or None,
            address=self._address(row),
        )

    def _address(self, row: Any) -> str | None:
        try:
            return self._sealer.unseal(row["address"], row["request_id"]).decode() or None
        except CannotUnseal:  # from before the secret key was changed
            return None

    @contextmanager
    def _writing(self) -> Iterator[SQLiteCursor]:
        """A transaction in the file, which is made where it is missing, for its owner alone."""
        if not self._path.exists():
            try:
                self._path.touch(mode=0o600)
            except OSError as error:
                raise PersistenceError(error) from error
        with self._store.transaction(commit=True) as cursor:
            for table in _TABLES:
                cursor.execute(table)
            cursor.execute("INSERT OR IGNORE INTO state VALUES (1, ?, 1, 0)", (token_hex(16),))
            yield cursor

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except PersistenceError as error:
            raise SideLogFails(self._path, error) from error


def _locked(
    cursor: SQLiteCursor, column: str, subject: bytes | None, most: int, now: float
) -> float:
    """Seconds until a row of too many tries ends; 0 where there is none."""
    if subject is None:
        return 0.0
    lasts = LOCKED.total_seconds()
    query = f"SELECT at FROM singles WHERE {column} = ? AND at > ? LIMIT ?"  # noqa: S608
    cursor.execute(query, (subject, now - lasts, most + 1))
    return lasts if len(cursor.fetchall()) > most else 0.0


def _summaries(rows: list[Any]) -> list[Summary]:
    """The summaries of one count: its rows, gathered by user and key."""
    return [
        _summary(list(of_one))
        for _, of_one in groupby(rows, key=lambda row: (row["user_id"], row["access_key"]))
    ]


def _summary(rows: list[Any]) -> Summary:
    one = rows[0]
    return Summary(
        user_id=one["user_id"],
        access_key=one["access_key"] or None,
        counter=one["counter"],
        number=one["number"],
        since=datetime.fromtimestamp(min(row["since"] for row in rows), UTC),
        until=datetime.fromtimestamp(max(row["until"] for row in rows), UTC),
        refusals={row["code"]: row["times"] for row in rows},
    )
