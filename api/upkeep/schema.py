"""Schema: the tables of an event store and beside it, made where they are missing."""

from __future__ import annotations

from contextlib import closing

from api.access import vault_tables
from projections.log import open_log


def create_schema(url: str) -> None:
    """Makes the tables of the event store that are missing; several may do so at once.

    Raises:
        CannotOpen: the store cannot be made or reached.
        PersistenceError: it fails meanwhile.
    """
    with closing(open_log(url)) as log, log.writing() as cursor:
        vault_tables.create(cursor, log.kind)
