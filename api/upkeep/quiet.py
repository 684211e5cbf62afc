"""Quiet: nobody else may be at a log's database while it is made a new incarnation of itself."""

from __future__ import annotations

from contextlib import closing
from time import monotonic, sleep
from typing import TYPE_CHECKING

from api.values import is_shared
from domain.refusals import Refusal
from projections.log import CannotOpen

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

LEAVING_SECONDS = 3.0
"""How long a session may still be seen of a process that has ended."""

_OTHERS = (
    "SELECT count(*), string_agg(DISTINCT coalesce(host(client_addr), 'this machine'), ', ')"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
    " AND application_name = current_setting('application_name')"
)


class NotQuiet(Refusal):
    """Others are at the database; the text says how many, and from where."""


def must_be_quiet(url: str) -> None:
    """No other session of ours may be at the database: as many as show themselves by its name.

    Of a file nobody can tell; `serve` has a lock.

    Raises:
        NotQuiet: there is one, and it does not go.
        CannotOpen: the database cannot be asked.
    """
    if not is_shared(url):
        return
    import psycopg

    from projections.stores.postgres_store import connect_unhurried

    try:
        with closing(connect_unhurried(url)) as connection:
            connection.autocommit = True
            count, places = _after_a_while(connection)
    except psycopg.Error as error:
        raise CannotOpen(f"the database cannot be asked who is at it: {error}") from error
    if count:
        raise NotQuiet(
            f"Others are at this log's database: {count} sessions, from {places}. Nothing was "
            "changed. Stop every node first; or, if none of these is a node of this log: --insist"
        )


def _after_a_while(connection: Connection[TupleRow]) -> TupleRow:
    until = monotonic() + LEAVING_SECONDS
    while True:
        row = connection.execute(_OTHERS).fetchone() or (0, "")
        if not row[0] or monotonic() > until:
            return row
        sleep(0.05)
