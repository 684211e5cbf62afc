"""Vault: what may not stand in an event (names, secrets, passwords), sealed, beside the log."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import contextmanager
from hmac import digest
from secrets import token_bytes
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from eventsourcing.persistence import PersistenceError
from msgspec import Struct, json

from api.access.sealing import KEY_LENGTH, CannotUnseal, Seal, derive
from domain.refusals import AlreadyThere, NotThere, Unavailable
from projections.log import open_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from projections.log import Cursor

_TABLES = (
    "CREATE TABLE IF NOT EXISTS people (user_id TEXT PRIMARY KEY, name_digest BLOB NOT NULL UNIQUE,"
    " person_key BLOB NOT NULL, name BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS secrets (access_key TEXT PRIMARY KEY, user_id TEXT NOT NULL,"
    " secret BLOB NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS secrets_of ON secrets (user_id)",
    "CREATE TABLE IF NOT EXISTS passwords (user_id TEXT PRIMARY KEY, hash BLOB NOT NULL) STRICT",
)
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

    def __init__(self, url: str, secret_key: bytes) -> None:
        """Opens the event store's vault; makes its tables where they are missing.

        Raises:
            CannotOpen: the store cannot be opened.
            CannotUnseal: it was filled under another secret key.
            ValueError: the secret key is too short.
        """
        self._master, self._names_key = _keys(secret_key)
        self._log = open_log(url)
        try:
            with self.writing() as cursor:
                for table in _TABLES:
                    cursor.execute(table)
            self._must_be_mine()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes every connection that is not in use."""
        self._log.close()

    # People

    def claim_name(self, user_id: str, name: str) -> None:
        """Gives a name to an id; names that differ in case alone are the same.

        Raises:
            AlreadyThere: the name or the id is taken.
        """
        key = token_bytes(KEY_LENGTH)
        row = (
            user_id,
            self._digest(name),
            self._master.seal(key, _of_person(user_id)),
            Seal(key).seal(name.encode(), f"people.name/{user_id}"),
        )
        if not self._changes("INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?)", *row):
            raise AlreadyThere(f"The user '{name}'")

    def user_id_of(self, name: str) -> str | None:
        """Whose name it is."""
        row = self._find("SELECT user_id FROM people WHERE name_digest = ?", self._digest(name))
        return row["user_id"] if row else None

    def name_of(self, user_id: str) -> str | None:
        """A person's name, as it was written; None once forgotten."""
        row = self._find("SELECT * FROM people WHERE user_id = ?", user_id)
        return self._name(row) if row else None

    def names(self) -> dict[str, str]:
        """All names by user id."""
        with self._reading() as cursor:
            cursor.execute("SELECT * FROM people")
            return {row["user_id"]: self._name(row) for row in cursor.fetchall()}

    def forget(self, user_id: str) -> None:
        """Deletes all there is of a person, and with the person's key what it sealed elsewhere."""
        with self.writing() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")
            for table in ("people", "secrets", "passwords"):
                cursor.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))  # noqa: S608
        self._overwrite()

    def reseal(self, secret_key: bytes) -> None:
        """Seals everything anew, under another secret key: all of it, or nothing.

        People's own keys stay, so that the addresses in events can be read as before. Whoever has
        this vault open under the earlier key can no longer read it.

        Raises:
            ValueError: the secret key is too short.
        """
        master, names_key = _keys(secret_key)
        with self.writing() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")
            for row in _all(cursor, "people"):
                key = self._master.unseal(row["person_key"], _of_person(row["user_id"]))
                sealed = master.seal(key, _of_person(row["user_id"]))
                values = (sealed, folded_digest(names_key, self._name(row)), row["user_id"])
                query = "UPDATE people SET person_key = ?, name_digest = ? WHERE user_id = ?"
                cursor.execute(query, values)
            for row in _all(cursor, "secrets"):
                place = _of_secret(row["access_key"], row["user_id"])
                sealed = master.seal(self._master.unseal(row["secret"], place), place)
                query = "UPDATE secrets SET secret = ? WHERE access_key = ?"
                cursor.execute(query, (sealed, row["access_key"]))
            for row in _all(cursor, "passwords"):
                place = _of_password(row["user_id"])
                sealed = master.seal(self._master.unseal(row["hash"], place), place)
                query = "UPDATE passwords SET hash = ? WHERE user_id = ?"
                cursor.execute(query, (sealed, row["user_id"]))
        self._master, self._names_key = master, names_key
        self._overwrite()

    def _overwrite(self) -> None:
        """Begins the write-ahead log anew: until then it holds rows as they were."""
        with self._reading() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # Addresses, which stand in events

    def seal_address(self, user_id: str, address: str) -> str:
        """An address for an event's `address`, unreadable once the person is forgotten.

        Raises:
            NotThere: the person is not known.
        """
        sealed = self._seal_of(user_id).seal(address.encode(), f"address/{user_id}")
        return urlsafe_b64encode(sealed).decode()

    def unseal_address(self, user_id: str, sealed: str) -> str:
        """The address in an event.

        Raises:
            NotThere: the person is not known, perhaps forgotten.
            CannotUnseal: the text is not one of this person's.
        """
        seal = self._seal_of(user_id)
        try:
            content = urlsafe_b64decode(sealed)
        except ValueError:
            raise CannotUnseal("an address was altered") from None
        return seal.unseal(content, f"address/{user_id}").decode()

    # Access keys

    def keep_secret(self, access_key: str, user_id: str, secret: Secret) -> None:
        """Keeps what an access key is used with.

        Raises:
            NotThere: the person is not known.
            AlreadyThere: the access key is.
        """
        sealed = self._master.seal(json.encode(secret), _of_secret(access_key, user_id))
        query = f"INSERT OR IGNORE INTO secrets SELECT ?, ?, ? {_IS_KNOWN}"
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
        place = _of_secret(access_key, row["user_id"])
        return json.decode(self._master.unseal(row["secret"], place), type=Secret)

    def drop_secret(self, access_key: str) -> bool:
        """Deletes what an access key is used with; says whether there was anything."""
        return self._changes("DELETE FROM secrets WHERE access_key = ?", access_key)

    # Passwords

    def keep_password(self, user_id: str, password_hash: str) -> None:
        """Keeps a password's hash, instead of the one before.

        Raises:
            NotThere: the person is not known.
        """
        sealed = self._master.seal(password_hash.encode(), _of_password(user_id))
        query = f"INSERT OR REPLACE INTO passwords SELECT ?, ? {_IS_KNOWN}"
        if not self._changes(query, user_id, sealed, user_id):
            raise NotThere(f"The user '{user_id}'")

    def password_hash(self, user_id: str) -> str | None:
        """A password's hash; None where the person has none."""
        row = self._find("SELECT hash FROM passwords WHERE user_id = ?", user_id)
        if row is None:
            return None
        return self._master.unseal(row["hash"], _of_password(user_id)).decode()

    def _must_be_mine(self) -> None:
        row = self._find("SELECT * FROM people LIMIT 1")
        if row:
            self._name(row)

    def _name(self, row: Any) -> str:
        user_id = row["user_id"]
        return self._seal_in(row).unseal(row["name"], f"people.name/{user_id}").decode()

    def _seal_of(self, user_id: str) -> Seal:
        return self._seal_in(self._must_be_known(user_id))

    def _must_be_known(self, user_id: str) -> Any:
        row = self._find("SELECT user_id, person_key FROM people WHERE user_id = ?", user_id)
        if row is None:
            raise NotThere(f"The user '{user_id}'")
        return row

    def _seal_in(self, row: Any) -> Seal:
        return _persons_seal(self._master, row)

    def _digest(self, name: str) -> bytes:
        return folded_digest(self._names_key, name)

    def _find(self, query: str, *values: str | bytes) -> Any:
        with self._reading() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone()

    def _changes(self, query: str, *values: str | bytes) -> bool:
        """Writes, and says whether that changed a row."""
        with self.writing() as cursor:
            cursor.execute(f"{query} RETURNING rowid", values)
            return cursor.fetchone() is not None

    @contextmanager
    def _reading(self) -> Iterator[Cursor]:
        with _answering(), self._log.reading() as cursor:
            yield cursor

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A transaction in the store of the vault, alone from its beginning."""
        with _answering(), self._log.writing() as cursor:
            yield cursor


def check_secret_key(people: Iterable[Any], secret_key: bytes) -> None:
    """Tries the key on rows of the table `people`; for who only looks at a vault.

    Raises:
        CannotUnseal: one was sealed under another key.
        ValueError: the secret key is too short.
    """
    master, _ = _keys(secret_key)
    for row in people:
        _persons_seal(master, row)


def _keys(secret_key: bytes) -> tuple[Seal, bytes]:
    """What seals, and what names are told apart by."""
    return Seal(derive(secret_key, "vault")), derive(secret_key, "names")


def folded_digest(key: bytes, text: str) -> bytes:
    """What a text is told apart by: the same for texts that differ in case alone."""
    folded = normalize("NFC", text.casefold()).encode(errors="surrogatepass")
    return digest(key, folded, "sha256")


def _persons_seal(master: Seal, row: Any) -> Seal:
    return Seal(master.unseal(row["person_key"], _of_person(row["user_id"])))


# Where sealed bytes belong: they open nowhere else.


def _of_person(user_id: str) -> str:
    return f"people.person_key/{user_id}"


def _of_secret(access_key: str, user_id: str) -> str:
    return f"secrets.secret/{access_key}/{user_id}"


def _of_password(user_id: str) -> str:
    return f"passwords.hash/{user_id}"


def _all(cursor: Cursor, table: str) -> list[Any]:
    cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 (names are ours)
    return list(cursor.fetchall())


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PersistenceError as error:
        raise Unavailable from error
