"""Vault: what may not stand in an event (names, secrets, passwords), sealed, beside the log."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import PersistenceError
from msgspec import Struct, json

from api.access import vault_tables
from api.access.sealing import CannotUnseal, Sealer
from api.access.vault_seals import VaultSealer
from domain.refusals import AlreadyThere, NotThere, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from projections.log import Cursor, OpenLog

_IS_KNOWN = "WHERE EXISTS (SELECT 1 FROM people WHERE user_id = ?)"


class Secret(Struct, frozen=True):
    """What an access key is used with; never changes. Only temporary keys have a token."""

    secret_key: str
    security_token: str | None

    def __repr__(self) -> str:
        return "Secret(…)"


class Vault:
    """The people's names, keys' secrets and passwords; safe for threads and processes.

    Nothing in it grants anything: whether a user or a key is there, the log says. `secret_key` is
    the installation's setting, at least 32 bytes; a vault filled under another one can only be
    forgotten. Every method may raise `Unavailable`; those that read, `CannotUnseal` for rows that
    were altered.
    """

    def __init__(self, log: OpenLog, secret_key: bytes) -> None:
        """The vault beside a log; makes its tables where they are missing.

        Raises:
            CannotUnseal: it was filled under another secret key.
            ValueError: the secret key is too short.
        """
        self._sealer = VaultSealer(secret_key)
        self._log = log
        self.create("people")
        self._must_be_mine()

    def create(self, group: str) -> None:
        """Makes a group of tables beside the log; several may do so at once."""
        with self.writing() as cursor:
            vault_tables.create(cursor, self._log.kind, group)

    # People

    def claim_name(self, user_id: str, name: str) -> None:
        """Gives a name to an id; names that differ in case alone are the same.

        Raises:
            AlreadyThere: the name or the id is taken.
        """
        row = self._sealer.new_person(user_id, name)
        if not self._changes("INSERT INTO people VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", *row):
            raise AlreadyThere(f"The user '{name}'")

    def user_id_of(self, name: str) -> str | None:
        """Whose name it is."""
        query = "SELECT user_id FROM people WHERE name_digest = ?"
        row = self._find(query, self._sealer.digest(name))
        return row["user_id"] if row else None

    def name_of(self, user_id: str) -> str | None:
        """A person's name, as it was written; None once forgotten."""
        row = self._find("SELECT * FROM people WHERE user_id = ?", user_id)
        return self._sealer.name(row) if row else None

    def names(self) -> dict[str, str]:
        """All names by user id."""
        with self.reading() as cursor:
            return {row["user_id"]: self._sealer.name(row) for row in _all(cursor, "people")}

    def forget(self, user_id: str) -> None:
        """Deletes all there is of a person, and with the person's key what it sealed elsewhere.

        In a file nothing is left of it. PostgreSQL's own log, and its tables until they are
        vacuumed, hold deleted rows for a while, sealed as they were.
        """
        with self._overwriting() as cursor:
            for table in vault_tables.COLUMNS:
                cursor.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))  # noqa: S608

    def reseal(self, secret_key: bytes) -> None:
        """Seals everything anew, under another secret key: all of it, or nothing.

        People's own keys stay, so that the addresses in events can be read as before. Whoever has
        this vault open under the earlier key can no longer read it.

        Raises:
            ValueError: the secret key is too short.
        """
        sealer, following = self._sealer, VaultSealer(secret_key)
        with self._overwriting() as cursor:
            for row in _all(cursor, "people"):
                query = "UPDATE people SET person_key = ?, name_digest = ? WHERE user_id = ?"
                cursor.execute(query, (*sealer.resealed_person(row, following), row["user_id"]))
            for row in _all(cursor, "secrets"):
                query = "UPDATE secrets SET secret = ? WHERE access_key = ?"
                cursor.execute(query, (sealer.resealed_secret(row, following), row["access_key"]))
            for row in _all(cursor, "passwords"):
                query = "UPDATE passwords SET hash = ? WHERE user_id = ?"
                cursor.execute(query, (sealer.resealed_password(row, following), row["user_id"]))
        self._sealer = following

    # Addresses, which stand in events

    def seal_address(self, user_id: str, address: str) -> str:
        """An address for an event's `address`, unreadable once the person is forgotten.

        Raises:
            NotThere: the person is not known.
        """
        sealed = self._sealer_of(user_id).seal(address.encode(), f"address/{user_id}")
        return urlsafe_b64encode(sealed).decode()

    def unseal_address(self, user_id: str, sealed: str) -> str:
        """The address in an event.

        Raises:
            NotThere: the person is not known, perhaps forgotten.
            CannotUnseal: the text is not one of this person's.
        """
        sealer = self._sealer_of(user_id)
        try:
            content = urlsafe_b64decode(sealed)
        except ValueError:
            raise CannotUnseal("an address was altered") from None
        return sealer.unseal(content, f"address/{user_id}").decode()

    # Access keys

    def keep_secret(self, access_key: str, user_id: str, secret: Secret) -> None:
        """Keeps what an access key is used with.

        Raises:
            NotThere: the person is not known.
            AlreadyThere: the access key is.
        """
        sealed = self._sealer.seal_secret(access_key, user_id, json.encode(secret))
        query = f"INSERT INTO secrets SELECT ?, ?, ? {_IS_KNOWN} ON CONFLICT DO NOTHING"
        if not self._changes(query, access_key, user_id, sealed, user_id):
            self._must_be_known(user_id)
            raise AlreadyThere(f"The access key '{access_key}'")

    def secret_of(self, access_key: str) -> Secret:
        """What an access key is used with.

        Raises:
            NotThere: the key is not known.
        """
        row = self._find("SELECT * FROM secrets WHERE access_key = ?", access_key)
        if row is None:
            raise NotThere(f"The access key '{access_key}'")
        return json.decode(self._sealer.secret(row), type=Secret)

    def drop_secret(self, access_key: str) -> bool:
        """Deletes what an access key is used with; says whether there was anything."""
        return self._changes("DELETE FROM secrets WHERE access_key = ?", access_key)

    # Passwords

    def keep_password(self, user_id: str, password_hash: str) -> None:
        """Keeps a password's hash, instead of the one before.

        Raises:
            NotThere: the person is not known.
        """
        sealed = self._sealer.seal_password(user_id, password_hash.encode())
        query = (
            f"INSERT INTO passwords SELECT ?, ? {_IS_KNOWN}"
            " ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash"
        )
        if not self._changes(query, user_id, sealed, user_id):
            raise NotThere(f"The user '{user_id}'")

    def password_hash(self, user_id: str) -> str | None:
        """A password's hash; None where the person has none."""
        row = self._find("SELECT * FROM passwords WHERE user_id = ?", user_id)
        return self._sealer.password(row).decode() if row else None

    def _must_be_mine(self) -> None:
        row = self._find("SELECT * FROM people LIMIT 1")
        if row:
            self._sealer.name(row)

    def _sealer_of(self, user_id: str) -> Sealer:
        return self._sealer.person(self._must_be_known(user_id))

    def _must_be_known(self, user_id: str) -> Any:
        row = self._find("SELECT user_id, person_key FROM people WHERE user_id = ?", user_id)
        if row is None:
            raise NotThere(f"The user '{user_id}'")
        return row

    def _find(self, query: str, *values: str | bytes) -> Any:
        with self.reading() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone()

    def _changes(self, query: str, *values: str | bytes) -> bool:
        """Writes, and says whether that changed a row."""
        with self.writing() as cursor:
            cursor.execute(query, values)
            return cursor.rowcount > 0

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """Reads in the store of the vault; each statement sees a moment of its own."""
        with _answering(), self._log.reading() as cursor:
            yield cursor

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A transaction in the store of the vault, alone from its beginning."""
        with _answering(), self._log.writing() as cursor:
            yield cursor

    @contextmanager
    def _overwriting(self) -> Iterator[Cursor]:
        """As `writing`; where the store is a file, what is deleted in it can be found nowhere."""
        with self.writing() as cursor:
            if self._log.kind == "sqlite":
                cursor.execute("PRAGMA secure_delete = ON")
            yield cursor
        if self._log.kind == "sqlite":
            with self.reading() as cursor:  # the write-ahead log holds rows as they were
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _all(cursor: Cursor, table: str) -> list[Any]:
    cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 (names are ours)
    return list(cursor.fetchall())


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PersistenceError as error:
        raise Unavailable from error
