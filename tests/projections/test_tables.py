"""Files of unique names, and a pointer that is replaced, never a live database."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("name", ["read-v1-gone.sqlite", "read-v0-old.sqlite"])
def test_a_pointer_to_nothing_or_to_another_version_begins_anew(node, story, name):
    story.create()
    node.queries.tasks(ANN)
    node.tables.point_to(name)
    assert node.queries.tasks(ANN).count == 1
    assert node.tables.current().startswith("read-v1-")


def test_a_connection_that_failed_is_not_used_again(node):
    with pytest.raises(ZeroDivisionError), node.tables.open():
        raise ZeroDivisionError
    assert node.queries.tasks(ANN).count == 0
