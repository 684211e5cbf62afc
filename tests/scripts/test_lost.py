"""What is lost when a log is put back to an earlier state is named, by whoever still knows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.installation import Installation
from tests.invoked import invoke, refused, told
from tests.meddling import alter, run
from tests.service import Home

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a secret key of many characters.."
GONE = "not there"


@pytest.fixture
def origin(events_url, tmp_path):
    """An installation whose log will be put back to where it has one task that waits."""
    made = Installation(Home(tmp_path / "first", events=events_url, secret_key=KEY))
    made.env, made.url = made.home.environment, events_url
    made.export()
    made.waiting = made.create(made.home.batch(5))
    made.deleted = made.create(made.home.batch(5))
    made.kept = count(events_url)
    yield made
    made.home.close()


def count(url: str) -> int:
    return run(url, "SELECT count(*) FROM stored_events")[0][0]


def go_on(origin: Installation) -> str:
    """One task is deleted, one done, one is new; a user comes. The id of the new task."""
    origin.delete(origin.deleted)
    origin.export()
    ahead = origin.create(origin.home.batch(5))
    invoke(origin.env, "user", "add", "ben", "--project", origin.home.project, "--admin")
    invoke(origin.env, "task", "list")
    return ahead


def put_back(origin: Installation) -> None:
    """What a database's own tools do: the first events alone are there."""
    alter(
        origin.url,
        "DELETE FROM stored_events WHERE rowid NOT IN "
        f"(SELECT rowid FROM stored_events ORDER BY rowid LIMIT {origin.kept})",
    )


def copied(origin: Installation, to: Path) -> str:
    """The address of a copy of the log as it is."""
    invoke(origin.env, "backup", str(to))
    return f"sqlite:///{to}/events.sqlite"


def tasks(found: dict) -> dict[str, tuple[str, str]]:
    """Of each task that is otherwise, what it was and what it is."""
    return {
        each["id"]: (each["before"], each["now"])
        for each in found["differences"]
        if each["kind"] == "task"
    }


def test_read_tables_that_had_read_further_name_what_is_gone(origin):
    ahead = go_on(origin)
    lost = count(origin.url) - origin.kept
    put_back(origin)
    found = told(origin.env, "restore", "--in-place")
    assert found["known_by"] == "this machine's read tables"
    assert (found["events"], found["lost"]) == (origin.kept, lost)
    assert tasks(found) == {
        ahead: ("Processing", GONE),
        origin.waiting: ("Success", "Processing"),
        origin.deleted: (GONE, "Processing"),
    }
    owners = {(each["project_id"], each["user_id"]) for each in found["differences"] if
              each["kind"] == "task"}  # fmt: skip
    assert owners == {origin.owner}
    assert {each["kind"] for each in found["differences"]} == {"task", "user", "right", "key"}
    assert found["lost_events"] == []


def test_the_log_before_names_every_event_and_whose_it_was(origin, tmp_path):
    ahead = go_on(origin)
    before = copied(origin, tmp_path / "before")
    rows = run(origin.url, "SELECT topic FROM stored_events ORDER BY rowid")
    put_back(origin)
    found = told(origin.env, "restore", "--in-place", "--replaced", before)
    assert found["known_by"] == "the log that was replaced"
    assert tasks(found) == {
        ahead: ("Processing", GONE),
        origin.waiting: ("Success", "Processing"),
        origin.deleted: (GONE, "Processing"),
    }
    events = found["lost_events"]
    assert [each["event"] for each in events] == [topic for (topic,) in rows[origin.kept :]]
    assert found["lost"] == len(events) == len(rows) - origin.kept
    assert {each["task_id"] for each in events} == {ahead, origin.waiting, origin.deleted, None}
    whose = {(e["project_id"], e["user_id"]) for e in events if e["event"].startswith("task.")}
    assert whose == {origin.owner}
    assert all(each["time"] for each in events)


def test_people_read_it_as_lines(origin, tmp_path):
    ahead = go_on(origin)
    before = copied(origin, tmp_path / "before")
    put_back(origin)
    lines = invoke(origin.env, "restore", "--in-place", "--dry-run").stdout.splitlines()
    (line,) = [each.split() for each in lines if ahead in each]
    assert line == ["task", ahead, *origin.owner, "Processing", "not", "there"]
    done = invoke(origin.env, "restore", "--in-place", "--replaced", before)
    assert "task.evicted" in done.stdout
    assert "events, at least, are gone" in done.stderr


def test_a_look_changes_nothing_and_may_be_repeated(origin):
    go_on(origin)
    put_back(origin)
    first = told(origin.env, "restore", "--in-place", "--dry-run")
    assert count(origin.url) == origin.kept
    assert "operator must look" in refused(origin.env, "task", "list")
    assert told(origin.env, "restore", "--in-place", "--dry-run") == first
    done = told(origin.env, "restore", "--in-place")
    assert done["differences"] == first["differences"] != []
    assert count(origin.url) == origin.kept + 1


def test_where_nobody_had_read_further_nothing_is_named(origin):
    invoke(origin.env, "task", "list")
    unread = origin.create(origin.home.batch(5))
    put_back(origin)
    found = told(origin.env, "restore", "--in-place", "--dry-run")
    assert unread not in json.dumps(found)
    assert (found["known_by"], found["differences"], found["lost"]) == (None, [], 0)


def test_tables_that_are_damaged_name_nothing(origin):
    go_on(origin)
    put_back(origin)
    (tables,) = (origin.settings.read_dir).glob("read-*.sqlite")
    tables.write_bytes(b"no database" * 1000)
    assert told(origin.env, "restore", "--in-place", "--dry-run")["known_by"] is None


def test_another_log_is_not_the_one_before(origin, tmp_path):
    other = Home(tmp_path / "other", secret_key=KEY)
    stranger = f"sqlite:///{tmp_path}/other/home/events.sqlite"
    assert "is not the log before" in refused(
        origin.env, "restore", "--in-place", "--replaced", stranger
    )
    assert count(origin.url) == origin.kept
    other.close()


def test_a_backup_that_is_put_back_is_compared_with_the_log_before_too(origin, tmp_path):
    copied(origin, tmp_path / "monday")
    ahead = go_on(origin)
    home = str(tmp_path / "there")
    there = {
        **origin.env,
        "EXPORT_TASKS_HOME": home,
        "EXPORT_TASKS_EVENTS": f"sqlite:///{home}/events.sqlite",
    }
    stranger = Home(tmp_path / "other", secret_key=KEY)
    wrong = ("--replaced", f"sqlite:///{stranger.folder}/home/events.sqlite")
    assert "not the log before" in refused(there, "restore", str(tmp_path / "monday"), *wrong)
    found = told(there, "restore", str(tmp_path / "monday"), "--replaced", origin.url)
    assert tasks(found)[ahead] == ("Processing", GONE)
    assert found["lost"] == len(found["lost_events"]) > 0
    stranger.close()
