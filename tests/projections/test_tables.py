"""Files of unique names, and a pointer that is replaced, never a live database."""

from __future__ import annotations

import sqlite3

import pytest

from projections.rebuild import rebuild
from projections.schema import VERSION
from projections.tables import ReadTables
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
    assert [path.name for path in reader.folder.glob("*.sqlite")] == [look()]
    reader.close()


def test_a_file_that_cannot_be_opened_is_said_to_be_so(node):
    node.queries.tasks(ANN)
    name = node.tables.current()
    node.tables.close()
    node.tables.discard(name)
    (node.tables.folder / name).mkdir()
    with pytest.raises(sqlite3.OperationalError), node.tables.open():
        pass
