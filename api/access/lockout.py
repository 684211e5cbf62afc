"""Lockout: whoever guesses at passwords has to wait, by the name and by the address."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from api.access.sealing import derive
from api.access.signatures import NotAuthentic
from api.access.vault_seals import folded_digest

if TYPE_CHECKING:
    from datetime import datetime

    from api.access.vault import Vault
    from projections.log import Cursor

TRIES_OF_A_NAME = 5
"""Wrong passwords in a row for one user name, known or not, before it is locked."""

TRIES_OF_A_KEY = 5
"""Wrong signatures by an access key, known or not, within `LOCKED`: then answers are held back."""

TRIES_FROM_AN_ADDRESS = 25
"""Wrong passwords in a row from one address, for whichever names; wrong signatures, likewise."""

LOCKED = timedelta(minutes=5)
"""How long, counted from the last try that was let through; a row of tries ends so too."""

HELD_BACK_SECONDS = 1.0
"""How long the answer to a wrong signature waits where there were too many."""


_COUNTED = (
    "INSERT INTO tries VALUES (?, ?, ?) ON CONFLICT (subject)"
    " DO UPDATE SET number = excluded.number, last = excluded.last"
)

_TAKEN_BACK = (
    "UPDATE tries SET number = CASE WHEN number > ? THEN number - ? ELSE 0 END WHERE subject = ?"
)


class Locked(NotAuthentic):
    """Too many tries; `retry_after` in whole seconds, at least one."""

    def __init__(self, seconds: float) -> None:
        self.retry_after = max(1, ceil(seconds))
        super().__init__(
            f"too many wrong passwords; passwords are taken again in {self.retry_after} s"
        )


class HeldBack(NotAuthentic):
    """A signature is wrong, after many others; `retry_after` in whole seconds.

    A right one is let in at once, all the same: nobody locks out whoever has the key.
    """

    def __init__(self, reason: str, seconds: float) -> None:
        self.retry_after = max(1, ceil(seconds))
        super().__init__(f"{reason} (wrong too often: answers are slow for {self.retry_after} s)")


class _Subject(NamedTuple):
    """What is counted, as a digest: no name and no address can be read in the store."""

    key: bytes
    most: int


class Lockout:
    """Counts the passwords that are tried, in the vault's store: for all processes together.

    A name is locked for passwords alone: no stranger keeps a user from signing requests, or from
    using a token. Safe for threads and processes; every method may raise `Unavailable`.
    """

    def __init__(self, vault: Vault, secret_key: bytes) -> None:
        self._vault = vault
        self._key = derive(secret_key, "lockout")
        vault.create("tries")

    def begin(self, name: str, address: str | None, now: datetime) -> None:
        """Counts a try before it is made, so that many at once are no more than one by one.

        Raises:
            Locked: there were too many. This one is not counted: waiting is enough.
        """
        subjects, at = self._subjects(name, address), now.timestamp()
        with self._vault.writing() as cursor:
            _forget_old(cursor, at)
            numbers = [_number(cursor, subject, at) for subject in subjects]
            for subject, number in zip(subjects, numbers, strict=True):
                row = (subject.key, number + 1, at)
                cursor.execute(_COUNTED, row)

    def succeeded(self, name: str, address: str | None) -> None:
        """The password was right: whatever was wrong before is forgotten.

        Of the address as much as was this name's: who has a password of their own guesses no more
        of others' by it.
        """
        with self._vault.writing() as cursor:
            of_name, *of_address = self._subjects(name, address)
            cursor.execute("SELECT number FROM tries WHERE subject = ?", (of_name.key,))
            row = cursor.fetchone()
            number = row["number"] if row else 0
            for subject in of_address:
                cursor.execute(_TAKEN_BACK, (number, number, subject.key))
            cursor.execute("DELETE FROM tries WHERE subject = ?", (of_name.key,))

    def _subjects(self, name: str, address: str | None) -> list[_Subject]:
        subjects = [_Subject(folded_digest(self._key, f"name {name}"), TRIES_OF_A_NAME)]
        if address is not None:
            of_address = folded_digest(self._key, f"address {address}")
            subjects.append(_Subject(of_address, TRIES_FROM_AN_ADDRESS))
        return subjects


def _forget_old(cursor: Cursor, now: float) -> None:
    """Rows that count no more; and those of a clock that was ahead."""
    lives = LOCKED.total_seconds()
    cursor.execute("DELETE FROM tries WHERE last <= ? OR last > ?", (now - lives, now + lives))


def _number(cursor: Cursor, subject: _Subject, now: float) -> int:
    """The tries so far. Raises Locked."""
    cursor.execute("SELECT number, last FROM tries WHERE subject = ?", (subject.key,))
    row = cursor.fetchone()
    if row is None:
        return 0
    if row["number"] >= subject.most:
        raise Locked(row["last"] + LOCKED.total_seconds() - now)
    return int(row["number"])
