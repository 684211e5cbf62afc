"""What is PostgreSQL's own of a source in it."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import chain
from pathlib import Path

import psycopg
import pytest

from exporter.sources import BatchTask, open_source
from exporter.sources.postgres import PostgresSource
from tests.database import QUICK, running_database, standing_still
from tests.own_tables import failure_of, in_postgres
from tests.workshop import Workshop


@pytest.fixture
def own(database):
    own = in_postgres(database)
    yield own
    own.close()


def test_the_documents_worked_example_is_a_source(database):
    document = Path(__file__).parents[2] / "docs" / "source.md"
    there, views = re.findall(r"```sql\n(.*?)```", document.read_text(), re.DOTALL)
    url = database.fresh()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(there.partition("-- What makes it a source.")[0])
        connection.execute(views)
    source = open_source(url)
    task_id = "00000000000000000000004d"
    assert source.find("main", task_id, None) == BatchTask(
        task_id=task_id,
        project_id="main",
        app_id=None,
        task_name="Firmware 2.2.0",
        task_type="firmwareUpgrade",
        status="PartialSuccess",
        create_time="2026-01-01T00:00:00.000Z",
        total=3,
    )
    assert list(chain.from_iterable(source.pages(task_id, 2))) == [
        ("000417", "Success", "2.1.0 -> 2.2.0", None, None),
        ("水表-0042", "Fail", None, "14016", "not online"),
        ("pump-7", "Success", "=1+1", None, None),
    ]


def test_columns_of_other_types_become_text(own):
    own.execute("DROP TABLE batch_tasks, batch_task_details")
    own.execute(
        "CREATE VIEW batch_tasks AS SELECT 'a1' AS task_id, 'p' AS project_id, NULL AS app_id,"
        " 'n'::varchar AS task_name, 't'::char(3) AS task_type, 'Success' AS status,"
        " timestamptz '2026-02-01 01:59:59.5+02' AS create_time"
    )
    own.execute(
        "CREATE VIEW batch_task_details AS SELECT 'a1' AS task_id, 7::int AS seq, 5 AS target,"
        " true AS status, '{\"a\": 1}'::jsonb AS output, 1.50 AS error_code, "
        "'\\x00ff'::bytea AS error_msg"
    )
    source = open_source(own.url)
    found = source.find("p", "a1", None)
    assert (found.task_name, found.create_time) == ("n", "2026-01-31T23:59:59.500Z")
    assert list(source.pages("a1")) == [[("5", "true", '{"a": 1}', "1.50", "\\x00ff")]]


def test_an_index_over_what_the_document_names_is_used(own):
    own.execute("CREATE INDEX ON batch_task_details (task_id, seq)")
    own.execute(
        "INSERT INTO batch_task_details SELECT n, 'a1', 'd', 'Success'"
        " FROM generate_series(1, 9999) AS n"
    )
    own.execute("ANALYZE batch_task_details")
    plan = own.execute(
        "EXPLAIN SELECT target FROM batch_task_details WHERE task_id = 'a1' AND seq > 5000"
        " ORDER BY seq LIMIT 1001"
    )
    assert "Index Scan" in str(plan)
    assert "Sort" not in str(plan)
    assert sum(map(len, open_source(own.url).pages("a1"))) == 9999


def test_a_statement_that_takes_too_long_is_a_passing_failure(own, monkeypatch):
    monkeypatch.setattr("exporter.sources.postgres.STATEMENT_SECONDS", 0.05)
    own.execute("ALTER TABLE batch_task_details RENAME TO theirs")
    own.execute(
        "CREATE VIEW batch_task_details AS SELECT theirs.* FROM theirs, pg_sleep(5) AS nothing"
    )
    own.execute("INSERT INTO theirs VALUES (1, 'a1', 'd', 'Success', NULL, NULL, NULL)")
    failure = failure_of(lambda: open_source(own.url).count("a1"))
    assert "too long" in str(failure)
    assert failure.passing


def test_a_database_that_stands_still_is_a_passing_failure(monkeypatch):
    monkeypatch.setattr("exporter.sources.postgres.STATEMENT_SECONDS", 1)
    with running_database(**QUICK) as database, closing(in_postgres(database)) as own:
        own.put(1, 2, 3, task_id="a1")
        pages = PostgresSource(own.url).pages("a1", 1)
        next(pages)
        with standing_still(database):
            failure = failure_of(lambda: next(pages))
    assert "the database is away" in str(failure)
    assert failure.passing


def test_text_that_is_no_utf_8_is_a_lasting_failure(database):
    database.execute("CREATE DATABASE bytes ENCODING SQL_ASCII TEMPLATE template0 LOCALE 'C'")
    url = database.url("bytes")
    columns = "target text, status text, output text, error_code text, error_msg text"
    database.execute(f"CREATE TABLE batch_task_details (task_id text, seq int, {columns})", "bytes")
    database.execute("INSERT INTO batch_task_details VALUES ('a1', 1, E'\\xff')", "bytes")
    failure = failure_of(lambda: list(open_source(url).pages("a1")))
    assert "SQLSTATE 22021" in str(failure)
    assert not failure.passing


def test_what_a_user_may_not_read_is_a_lasting_failure(own, database):
    own.execute("CREATE ROLE stranger LOGIN")
    url = own.url.replace("postgres@", "stranger@")
    schema = own.execute("SELECT current_schema()")[0][0]
    own.execute(f"GRANT USAGE ON SCHEMA {schema} TO stranger")
    failure = failure_of(lambda: open_source(url).count("a1"))
    own.execute(f"REVOKE ALL ON SCHEMA {schema} FROM stranger")
    own.execute("DROP ROLE stranger")
    assert "permission denied for table batch_task_details" in str(failure)
    assert not failure.passing


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@[h/d", "postgresql://u:secret@h/d?no_such=1"]
)
def test_an_address_that_is_none_is_refused_without_its_password(url):
    with pytest.raises(ValueError, match="libpq") as refused:
        open_source(url)
    assert "secret" not in str(refused.value)


def test_nobody_at_the_address_is_a_passing_failure_that_names_no_machine():
    failure = failure_of(PostgresSource("postgresql://u:secret@127.0.0.1:1/d").check)
    assert failure.passing
    assert "127" not in str(failure)
    assert "secret" not in str(failure)


@pytest.fixture(scope="module")
def guarded():
    """A server that lets some in and others not."""
    with running_database(**QUICK) as server:
        server.execute("CREATE ROLE alice LOGIN PASSWORD 'right'")
        server.execute("CREATE ROLE ben NOLOGIN")
        server.execute("CREATE ROLE eve LOGIN")
        rules = server.folder / "pg_hba.conf"
        told = "host all alice all scram-sha-256\nhost all eve all reject\n"
        rules.write_text(told + rules.read_text())
        server.execute("SELECT pg_reload_conf()")
        yield server


@pytest.mark.parametrize(
    ("who", "where", "words"),
    [
        ("alice:wrong@127.0.0.1", "postgres", "refuses the user or the password"),
        ("alice@127.0.0.1", "postgres", "refuses the user or the password"),
        ("alice:wrong@localhost", "postgres", "refuses the user or the password"),
        ("nobody@127.0.0.1", "postgres", "refuses the user or the password"),
        ("ben@127.0.0.1", "postgres", "refuses the user or the password"),
        ("eve@127.0.0.1", "postgres", "pg_hba.conf"),
        ("postgres@127.0.0.1", "nowhere", "no database of that name"),
        ("postgres@127.0.0.1", "postgres?sslmode=require", "TLS"),
        ("postgres@127.0.0.1", "postgres?sslmode=verify-full&sslrootcert=/none", "TLS"),
    ],
)
def test_a_database_that_lets_nobody_in_is_a_lasting_failure_that_says_why(
    guarded, who, where, words, monkeypatch, tmp_path
):
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    failure = failure_of(PostgresSource(f"postgresql://{who}:{guarded.port}/{where}").check)
    assert words in str(failure)
    assert not failure.passing
    for secret in ("wrong", "127.0.0.1", "alice", "nowhere"):
        assert secret not in str(failure)


def test_a_database_with_no_room_for_another_is_a_passing_failure(guarded):
    guarded.execute("CREATE ROLE one LOGIN CONNECTION LIMIT 0")
    failure = failure_of(
        PostgresSource(f"postgresql://one@127.0.0.1:{guarded.port}/postgres").check
    )
    assert failure.passing


def test_an_export_goes_on_after_the_database_was_killed_while_it_was_read(tmp_path):
    with running_database(**QUICK) as database:
        own = in_postgres(database)
        own.execute("UPDATE batch_tasks SET project_id = 'p1', task_id = 'ab'")
        own.put(*range(30), task_id="ab")
        shop = Workshop(tmp_path)

        class Killed(PostgresSource):
            """After the first page that is ever read the database dies."""

            killed = False

            def pages(self, task_id, size=10):
                for page in super().pages(task_id, 10):
                    yield page
                    if not self.killed:
                        self.killed = True
                        database.kill()

        task, exporter = shop.create("ab"), shop.exporter(source=Killed(own.url))
        assert exporter.step()
        event = shop.progressed(task)[-1]
        assert (event.released, event.faults) == (True, 1)
        assert "the database is away" in event.reason
        database.start()
        assert not exporter.step(), "it waits"
        shop.watch.pass_by(event.wait)
        assert exporter.step()
        assert [row[0] for row in shop.book(task)["details"][1:]] == [f"d{n}" for n in range(30)]
        own.close()
        shop.close()


def test_the_session_is_as_it_must_be_whatever_the_url_says(own):
    joined = "&" if "?" in own.url else "?"
    reading = PostgresSource(f"{own.url}{joined}client_encoding=latin1").reading()
    shown = {
        name: reading.rows(f"SHOW {name}")[0][0]
        for name in ("default_transaction_read_only", "statement_timeout", "lock_timeout",
                     "timezone", "client_encoding", "application_name")
    }  # fmt: skip
    reading.close()
    assert shown == {
        "default_transaction_read_only": "on",
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "timezone": "UTC",
        "client_encoding": "UTF8",
        "application_name": "export-tasks",
    }
