"""Who writes waits for others, a bounded time, and nobody is passed over for long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from threading import Thread
from time import sleep

import pytest

from projections.write_lock import begin


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE numbers (number)")
    return path


@pytest.fixture
def writer(file):
    with closing(connect(file)) as database:
        yield database


def connect(file):
    return sqlite3.connect(file, isolation_level=None, check_same_thread=False)


def test_a_transaction_has_begun_and_can_write(file, writer):
    begin(writer)
    assert writer.in_transaction
    with closing(connect(file)) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
        begin(other, 0.0)


def test_it_waits_for_whoever_writes(file, writer):
    with closing(connect(file)) as other:
        begin(other)
        thread = Thread(target=lambda: (sleep(0.2), other.commit()))
        thread.start()
        begin(writer)
        assert writer.in_transaction
        thread.join()


def test_it_waits_so_long_and_no_longer(file, writer):
    with closing(connect(file)) as other:
        begin(other)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            begin(writer, 0.05)
        assert not writer.in_transaction


def test_what_is_no_lock_is_not_waited_for(writer):
    begin(writer)
    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        begin(writer, 1e9)


@pytest.mark.parametrize("fails", [True, False])
def test_other_statements_wait_as_before(file, writer, fails):
    with closing(connect(file)) as other:
        if fails:
            begin(other)
            with pytest.raises(sqlite3.OperationalError):
                begin(writer, 0.025)
        else:
            begin(writer, 0.025)
    assert writer.execute("PRAGMA busy_timeout").fetchone() == (25,)
