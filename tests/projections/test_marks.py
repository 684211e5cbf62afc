"""A mark is another one after every commit, and the same where there was none."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from projections.stores.marks import Marks


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.sqlite"
    commit(path, "CREATE TABLE numbers (number)")
    return path


@pytest.fixture
def marks(file):
    found = Marks(file)
    yield found
    found.close()


def commit(path, statement):
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(statement)


def test_nothing_new_has_the_same_mark(marks):
    assert marks.now() == marks.now()


def test_every_commit_has_another(file, marks):
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        seen = {marks.now()}
        for number in range(20):
            database.execute("INSERT INTO numbers VALUES (?)", [number])
            seen.add(marks.now())
    assert len(seen) == 21


def test_what_is_not_committed_has_none(file, marks):
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        before = marks.now()
        database.execute("BEGIN")
        database.execute("INSERT INTO numbers VALUES (1)")
        assert marks.now() == before
        database.execute("COMMIT")
        assert marks.now() != before


def test_another_file_in_its_place_has_another(file, marks, tmp_path):
    before = marks.now()
    shutil.copy(file, tmp_path / "b.sqlite")
    (tmp_path / "b.sqlite").replace(file)
    assert marks.now() != before


def test_what_is_copied_over_it_has_another(file, marks, tmp_path):
    other = tmp_path / "b.sqlite"
    commit(other, "CREATE TABLE words (word)")
    before = marks.now()
    file.write_bytes(other.read_bytes())
    assert marks.now() != before


def test_a_file_that_is_not_there_is_said(file, marks):
    file.unlink()
    with pytest.raises(FileNotFoundError):
        marks.now()


def test_it_may_be_closed_before_it_is_used_and_twice(file):
    marks = Marks(file)
    marks.close()
    marks.now()
    marks.close()
    marks.close()
