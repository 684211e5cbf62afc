"""Files of unique names, and a pointer that is replaced, never a live database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from time import time

import pytest

from projections.rebuild import rebuild
from projections.schema import VERSION
from projections.tables import BEING_MADE_SECONDS, ReadTables, is_held, is_old
from tests.facts import ANN


def test_two_that_begin_at_once_agree(tmp_path, monkeypatch):
    first, second = ReadTables(tmp_path), ReadTables(tmp_path)
    with first.open():
        pass
    monkeypatch.setattr(second, "current", iter([None, first.current(), first.current()]).__next__)
    with second.open():
        pass
    assert len(list(tmp_path.glob("read-*.sqlite"))) == 1
    first.close(), second.close()


@pytest.mark.parametrize("name", [f"read-v{VERSION}-gone.sqlite", "read-v0-old.sqlite"])
def test_a_pointer_to_nothing_or_to_another_version_begins_anew(node, story, name):
    story.create()
    node.queries.tasks(ANN)
    node.tables.point_to(name)
    assert node.queries.tasks(ANN).count == 1
    assert node.tables.current().startswith(f"read-v{VERSION}-")


def test_a_connection_that_failed_is_not_used_again(node):
    with pytest.raises(ZeroDivisionError), node.tables.open():
        raise ZeroDivisionError
    assert node.queries.tasks(ANN).count == 0


@pytest.mark.parametrize("moment", ["between looking and opening", "between two looks"])
def test_a_file_that_is_replaced_under_a_readers_eyes_is_not_made_again(
    node, story, monkeypatch, moment
):
    story.create()
    node.queries.tasks(ANN)
    reader = ReadTables(node.tables.folder)
    look = reader.current

    def then_it_is_replaced():
        name = look()
        monkeypatch.setattr(reader, "current", look)
        rebuild(node.log.recorder, node.tables)
        node.tables.discard(name)  # as the next rebuild does
        if moment == "between looking and opening":
            (node.tables.folder / name).touch()
            monkeypatch.setattr(reader, "_reuse", lambda name: gone(name))
        return name

    def gone(name):
        monkeypatch.undo()
        node.tables.discard(name)

    monkeypatch.setattr(reader, "current", then_it_is_replaced)
    with reader.open() as database:
        assert database.execute("SELECT count(*) FROM tasks").fetchone()[0] == 1
    assert {path.name for path in reader.folder.glob("*.sqlite")} <= {look(), reader.former()}
    reader.close()


def test_a_file_that_cannot_be_opened_is_said_to_be_so(node):
    node.queries.tasks(ANN)
    name = node.tables.current()
    node.tables.close()
    node.tables.discard(name)
    (node.tables.folder / name).mkdir()
    with pytest.raises(sqlite3.OperationalError), node.tables.open():
        pass


# Pointers, a set for each version


OTHER = VERSION + 1


def touch(folder, name, age=0.0):
    """An empty file, written to so many seconds ago."""
    path = folder / name
    path.touch()
    os.utime(path, (time() - age, time() - age))
    return path


OLD = BEING_MADE_SECONDS + 60


def test_the_pointer_that_all_versions_shared_is_taken_over_where_it_is_of_this_one(node, story):
    story.create()
    node.queries.tasks(ANN)
    name = node.tables.current()
    (node.tables.folder / f"current-v{VERSION}").rename(node.tables.folder / "current")
    assert node.tables.current() == name
    rebuild(node.log.recorder, node.tables)
    assert (node.tables.folder / "current").read_text() == name
    assert node.tables.current() != name
    assert node.tables.former() == name


def test_the_pointer_that_all_versions_shared_is_left_to_another_version(node, story):
    (node.tables.folder / "current").write_text("read-v1-abc.sqlite")
    touch(node.tables.folder, "read-v1-abc.sqlite")
    story.create()
    assert node.tables.current() is None
    assert node.queries.tasks(ANN).count == 1
    assert (node.tables.folder / "current").read_text() == "read-v1-abc.sqlite"
    assert node.tables.is_ours(node.tables.current())


def test_each_version_goes_on_with_its_own_tables(node, story, monkeypatch):
    story.create()
    node.queries.tasks(ANN)
    ours = node.tables.current()
    monkeypatch.setattr("projections.schema.VERSION", OTHER)
    monkeypatch.setattr("projections.tables._PREFIX", f"read-v{OTHER}-")
    later = ReadTables(node.tables.folder)
    assert later.current() is None
    rebuild(node.log.recorder, later)
    assert later.is_ours(later.current())
    assert node.tables.current() == ours
    later.close()


@pytest.mark.parametrize("pointer", ["current", "current-v1", f"current-v{OTHER}"])
@pytest.mark.parametrize(("age", "stays"), [(0, True), (OLD, False)])
def test_tables_of_another_version_go_once_they_are_old_and_nobody_has_them_open(
    node, pointer, age, stays
):
    database = touch(node.tables.folder, "read-v1-abc.sqlite", age)
    (node.tables.folder / pointer).write_text(database.name)
    node.tables.tidy()
    assert database.exists() is stays
    assert (node.tables.folder / pointer).exists() is stays


HOLDING = """
import sys
from pathlib import Path
from projections.tables import connect
database = connect(Path(sys.argv[1]))
database.conn.execute("SELECT count(*) FROM tasks").fetchone()
print("held", flush=True)
sys.stdin.read()
"""


def test_tables_that_a_process_has_open_stay(node):
    name, database = node.tables.new()
    database.conn.close()
    path = (node.tables.folder / name).rename(node.tables.folder / "read-v1-abc.sqlite")
    os.utime(path, (0, 0))
    assert not is_held(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        os.utime(path, (0, 0))
        node.tables.tidy()
        assert path.exists()
        holder.kill()
    os.utime(path, (0, 0))
    node.tables.tidy()
    assert not path.exists()


def test_what_is_no_database_is_held_by_nobody(node):
    path = touch(node.tables.folder, "read-v1-abc.sqlite")
    path.write_bytes(b"no database at all, and long enough to tell" * 99)
    assert not is_held(path)


@pytest.mark.parametrize(("age", "stays"), [(0, True), (OLD, False)])
def test_drafts_of_pointers_go_once_they_are_old(node, age, stays):
    draft = touch(node.tables.folder, ".pointer-abc", age)
    node.tables.tidy()
    assert draft.exists() is stays


def test_a_pointer_that_is_written_leaves_no_draft(node):
    node.tables.point_to("read-v0-a.sqlite")
    node.queries.tasks(ANN)
    assert not [*node.tables.folder.glob(".pointer-*")]


def test_files_that_are_pointed_to_stay_however_old(node):
    rebuild(node.log.recorder, node.tables)
    built, database = node.tables.build()
    database.conn.close()
    node.tables.close()
    kept = {built, node.tables.current(), node.tables.former()} - {None}
    for name in kept:
        os.utime(node.tables.folder / name, (0, 0))
    node.tables.tidy()
    assert {path.name for path in node.tables.folder.glob("read-*.sqlite")} == kept


def test_a_swap_to_what_is_current_keeps_it(node):
    node.queries.tasks(ANN)
    name = node.tables.current()
    node.tables.swap(name, keep=True)
    assert (node.tables.current(), node.tables.former()) == (name, None)
    assert (node.tables.folder / name).exists()


def test_what_is_current_is_never_abandoned(node):
    name, database = node.tables.build()
    database.conn.close()
    node.tables.point_to(name)
    node.tables.abandon()
    assert (node.tables.folder / name).exists()


def test_a_file_that_goes_while_it_is_looked_at_is_no_fault(tmp_path):
    assert not is_old(tmp_path / "gone")
