"""Batch tasks in a database: of a long one the last half is read only while a test lets it."""

from __future__ import annotations

from random import SystemRandom
from secrets import token_hex
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from tests.database import Database

ROWS = 60_000

TABLES = """
CREATE TABLE batch_tasks (
    task_id text, project_id text, app_id text, task_name text, task_type text, status text,
    create_time text);
CREATE TABLE stored (task_id text, seq bigint, gated boolean, PRIMARY KEY (task_id, seq));
CREATE FUNCTION waits() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN
    FOR twentieth IN 1..100 LOOP
        EXIT WHEN NOT EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = {gate});
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN NULL;
END $$;
CREATE VIEW batch_task_details AS SELECT seq, task_id, 'd' || seq AS target, 'Success' AS status,
    CASE WHEN gated THEN waits() END AS output, NULL AS error_code, NULL AS error_msg FROM stored;
"""
"""A thousand rows wait for five seconds while the gate is shut: a source gives up a statement that
takes much longer.
"""


class Gated:
    """A short batch task and a long one of `plant-1`; the gate is open."""

    def __init__(
        self, database: Database, rows: int = 700, names: tuple[str, str] = ("made up", "made up")
    ) -> None:
        self.url = database.fresh()
        self._gate = SystemRandom().randrange(1, 2**31)
        self._connection = psycopg.connect(self.url, autocommit=True)
        self._connection.execute(TABLES.format(gate=self._gate))
        self.short, self.long = self.put(rows, names[0]), self.put(ROWS, names[1])
        self._connection.execute("ANALYZE stored")

    def shut(self) -> None:
        """An export of the long one stays where half of it is read; an exporter claims it, and says
        that it lives, as ever.
        """
        self._connection.execute("SELECT pg_advisory_lock(%s)", [self._gate])

    def open(self) -> None:
        """Exports of it go on to the end."""
        self._connection.execute("SELECT pg_advisory_unlock_all()")

    def close(self) -> None:
        """Ends it, the gate open."""
        self._connection.close()

    def put(self, rows: int, name: str = "made up") -> str:
        """Another batch task's id."""
        task_id = token_hex(12)
        task = (task_id, name, f"2026-11-24T12:00:0{rows % 2}.000Z")
        self._connection.execute(
            "INSERT INTO batch_tasks VALUES (%s, 'plant-1', NULL, %s, 'softwareUpgrade', 'Success',"
            " %s)",
            task,
        )
        self._connection.execute(
            "INSERT INTO stored SELECT %s, n, n %% 1000 = 0 AND n > %s"
            " FROM generate_series(1, %s) AS n",
            [task_id, ROWS // 2, rows],
        )
        return task_id
