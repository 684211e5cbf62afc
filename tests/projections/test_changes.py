"""Rows are changed in memory first: by key, one stack of changes on another, and then stored."""

from __future__ import annotations

import pytest

from projections.changes import Changes, nothing, stored_in
from projections.position import immediate

FROZEN = {"stream": "s", "position": 1, "topic": "t", "error": "e"}
QUOTA = {
    "project_id": "p1",
    "user_id": "ann",
    "kept": 1,
    "unfinished": 0,
    "running": 0,
    "served": 2,
}


def test_changes_begin_at_no_event_and_with_no_rows():
    changes = Changes(nothing)
    assert (changes.position, changes.rows) == (0, {})
    assert changes.get("quarantine", "s") is None


def test_a_row_is_found_as_it_was_changed_last_and_else_below():
    below = Changes(nothing, 7)
    below.put("quarantine", FROZEN)
    changes = Changes(below.get, 8)
    assert changes.get("quarantine", "s") == FROZEN
    changes.put("quarantine", {**FROZEN, "topic": "u"})
    assert changes.get("quarantine", "s")["topic"] == "u"
    changes.delete("quarantine", "s")
    assert changes.get("quarantine", "s") is None
    assert below.get("quarantine", "s") == FROZEN
    below.take(changes)
    assert below.get("quarantine", "s") is None


def test_what_was_changed_is_stored_and_what_is_deleted_goes(node):
    with node.tables.open() as database:
        for change in (
            lambda changes: changes.put("quarantine", FROZEN),
            lambda changes: changes.put("quarantine", {**FROZEN, "stream": "other"}),
            lambda changes: changes.put("quarantine", {**FROZEN, "topic": "u"}),
            lambda changes: changes.delete("quarantine", "other"),
        ):
            with immediate(database):
                changes = Changes(stored_in(database))
                change(changes)
                changes.store(database)
        rows = [dict(row) for row in database.execute("SELECT * FROM quarantine")]
    assert rows == [{**FROZEN, "topic": "u"}]


def test_many_rows_of_many_tables_are_stored_at_once(node):
    changes = Changes(nothing)
    for stream in "abc":
        changes.put("quarantine", {**FROZEN, "stream": stream})
    changes.put("quotas", {**QUOTA, "last_download": None})
    changes.delete("quarantine", "x")
    changes.delete("quarantine", "y")
    with node.tables.open() as database:
        with immediate(database):
            changes.store(database)
        assert [row[0] for row in database.execute("SELECT stream FROM quarantine")] == [*"abc"]
        assert database.execute("SELECT kept, served FROM quotas").fetchone()[:] == (1, 2)


def test_a_stored_row_is_read_once(node):
    with node.tables.open() as database:
        database.execute("INSERT INTO quarantine VALUES ('s', 1, 't', 'e')")
        find = stored_in(database)
        assert find("quarantine", "s") == FROZEN
        assert find("quarantine", "other") is None
        database.execute("DELETE FROM quarantine")
        assert find("quarantine", "s") == FROZEN


@pytest.mark.parametrize(
    ("column", "value"),
    [("topic", 5), ("position", "5"), ("position", 1.0), ("error", b"e"), ("stream", None)],
)
def test_a_value_that_does_not_fit_its_column_is_refused(column, value):
    changes = Changes(nothing)
    changes.put("quarantine", {**FROZEN, column: value})
    with pytest.raises(TypeError, match=f"quarantine.{column} cannot be {value!r}"):
        changes.check()


def test_a_text_that_cannot_be_stored_is_refused():
    changes = Changes(nothing)
    changes.put("quarantine", {**FROZEN, "error": "\ud800"})
    with pytest.raises(UnicodeEncodeError):
        changes.check()


def test_what_fits_is_no_refusal():
    changes = Changes(nothing)
    changes.put("quarantine", {**FROZEN, "topic": "Übung", "error": None})
    changes.delete("quarantine", "other")
    changes.check()
