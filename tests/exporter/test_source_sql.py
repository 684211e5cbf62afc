"""What is SQLite's own of a source in it, and how sources are named."""

from __future__ import annotations

import os
import re
import resource
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.sources import BatchTask, SourceFailed, open_source, utc_text
from exporter.sources.sql import FIRST_PAGE, NEXT_PAGE, SqlSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.sources import Source

DOCUMENT = Path(__file__).parents[2] / "docs" / "source.md"
TABLES = """
CREATE TABLE batch_tasks
    (task_id, project_id, app_id, task_name, task_type, status, create_time);
CREATE TABLE batch_task_details
    (task_id, seq, target, status, output, error_code, error_msg);
INSERT INTO batch_tasks VALUES
    ('a1', 'p', 'app', 'name', 'createCommands', 'Success', '20260131T235959Z');
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a source?.sqlite"


@pytest.fixture
def own(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody's own database, with tables of no declared types."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(TABLES)
    yield connection
    connection.close()


@pytest.fixture
def source(own: sqlite3.Connection, path: Path) -> Source:
    return open_source(f"sqlite:///{path}")


def put(own: sqlite3.Connection, *rows: tuple[object, ...]) -> None:
    own.executemany("INSERT INTO batch_task_details VALUES ('a1',?,?,'Success',?,?,?)", rows)


def put_many(own: sqlite3.Connection, count: int) -> None:
    put(own, *((seq, f"d{seq}", None, None, None) for seq in range(count)))


def failure_of(source: Source) -> SourceFailed:
    with pytest.raises(SourceFailed) as failed:
        list(source.pages("a1"))
    return failed.value


def test_the_documents_worked_example_is_a_source(path: Path) -> None:
    block = re.search(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert block
    connection = sqlite3.connect(path)
    connection.executescript(block.group(1))
    source = open_source(f"sqlite:///{path}")
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
    assert list(source.pages(task_id, 2)) == [
        [
            ("000417", "Success", "2.1.0 -> 2.2.0", None, None),
            ("水表-0042", "Fail", None, "14016", "not online"),
        ],
        [("pump-7", "Success", "=1+1", None, None)],
    ]
    for statement, values in ((FIRST_PAGE, (task_id, 9)), (NEXT_PAGE, (task_id, 0, 9))):
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
    connection.close()


@pytest.mark.parametrize(
    ("status", "finished"),
    [
        ("Initializing", False),
        ("Waitting", False),
        ("Processing", False),
        ("Stopping", False),
        ("Success", True),
        ("Fail", True),
        ("PartialSuccess", True),
        ("Stopped", True),
    ],
)
def test_the_status_says_whether_a_batch_task_has_finished(
    own: sqlite3.Connection, source: Source, status: str, finished: bool
) -> None:
    own.execute("UPDATE batch_tasks SET status = ?", (status,))
    found = source.find("p", "a1", None)
    assert found
    assert found.finished is finished


def test_every_type_of_value_becomes_text(own: sqlite3.Connection, source: Source) -> None:
    put(
        own,
        (1, 9223372036854775807, -5, "007", None),
        (2, b"caf\xc3\xa9 \xff", "", 0.5, "a\0b"),
    )
    own.execute("UPDATE batch_task_details SET error_msg = CAST(x'61ff62' AS TEXT) WHERE seq = 1")
    # A byte that is no UTF-8 is left as half of a pair: the workbook mends that, and counts it.
    assert list(source.pages("a1")) == [
        [
            ("9223372036854775807", "Success", "-5", "007", "a\udcffb"),
            ("café \udcff", "Success", "", "0.5", "a\0b"),
        ]
    ]


@pytest.mark.parametrize("seq", [None, "7", 1.5, b"1"])
def test_a_seq_that_is_no_integer_is_a_failure(
    own: sqlite3.Connection, source: Source, seq: object
) -> None:
    put(own, (1, "a", None, None, None), (seq, "b", None, None, None))
    assert "integer" in str(failure_of(source))


def test_a_source_that_is_not_there_is_a_lasting_failure(path: Path) -> None:
    source = open_source(f"sqlite:///{path}")
    for ask in (lambda: source.find("p", "a1", None), lambda: source.count("a1")):
        with pytest.raises(SourceFailed, match="not there") as failed:
            ask()
        assert not failed.value.passing
        assert str(path.parent) not in str(failed.value)
    assert not path.exists()


def test_a_source_below_a_file_cannot_be_reached(path: Path) -> None:
    path.write_text("")
    with pytest.raises(SourceFailed, match="cannot be reached"):
        SqlSource(path / "below").count("a1")


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="cannot be read"):
        SqlSource(tmp_path).count("a1")


def test_a_file_that_is_no_database_is_a_lasting_failure(path: Path) -> None:
    path.write_bytes(b"target,status\n" * 100)
    failure = failure_of(open_source(f"sqlite:///{path}"))
    assert "not a SQLite database" in str(failure)
    assert not failure.passing


@contextmanager
def no_free_descriptor() -> Iterator[None]:
    """This process may open nothing more."""
    kept, taken = resource.getrlimit(resource.RLIMIT_NOFILE), []
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, kept[1]))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)


def test_a_reader_without_a_free_descriptor_meets_a_passing_failure(source: Source) -> None:
    with no_free_descriptor():
        failure = failure_of(source)
    assert "cannot be opened just now" in str(failure)
    assert failure.passing
    assert list(source.pages("a1")) == []


def test_a_source_that_may_not_be_read_is_a_lasting_failure(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with no_free_descriptor():
        failure = failure_of(source)
    assert "does not let it be opened" in str(failure)
    assert not failure.passing


@pytest.mark.parametrize("replaced", [True, False])
def test_a_source_that_vanishes_while_it_is_read_never_ends_as_half_a_file(
    own: sqlite3.Connection, source: Source, path: Path, replaced: bool
) -> None:
    put_many(own, 5)
    pages = source.pages("a1", 2)
    assert len(next(pages)) == 2
    if replaced:
        other = path.with_name("other")
        with sqlite3.connect(other) as connection:
            connection.executescript(TABLES)
        connection.close()
        other.rename(path)
    else:
        path.unlink()
    with pytest.raises(SourceFailed) as failed:
        next(pages)
    assert not failed.value.passing


def test_a_reader_holds_back_no_writer_between_two_pages(
    own: sqlite3.Connection, source: Source
) -> None:
    own.execute("PRAGMA journal_mode = WAL")
    put_many(own, 3)
    pages = source.pages("a1", 1)
    next(pages)
    put(own, (3, "d3", None, None, None))
    busy, _, _ = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert [row[0] for page in pages for row in page] == ["d1", "d2", "d3"]


def test_reading_writes_nothing(own: sqlite3.Connection, source: Source, path: Path) -> None:
    put_many(own, 3)
    before = path.read_bytes()
    path.chmod(0o400)
    source.find("p", "a1", None)
    list(source.pages("a1"))
    source.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "url", ["mysql://h/d", "source.sqlite", "", "sqlite://host/x", "sqlite:///"]
)
def test_a_url_of_another_kind_is_refused_and_says_which_work(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite://"):
        open_source(url)


def test_a_relative_path_has_three_slashes(
    own: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    assert open_source(f"sqlite:///{path.name}").find("p", "a1", None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("20260131T235959Z", "2026-01-31T23:59:59.000Z"),
        ("2026-01-31T23:59:59.123456Z", "2026-01-31T23:59:59.123Z"),
        ("2026-01-31 23:59:59", "2026-01-31T23:59:59.000Z"),
        ("2026-02-01T01:59:59+02:00", "2026-01-31T23:59:59.000Z"),
    ],
)
def test_times_are_shown_in_one_form(text: str, shown: str) -> None:
    assert utc_text(text) == shown
