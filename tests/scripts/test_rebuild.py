"""`rebuild` as an operator runs it: checked, built, compared, swapped, undone."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from eventsourcing.persistence import StoredEvent

from api.parts import Parts
from domain.task import task_stream
from projections.schema import VERSION
from scripts.group import command_line
from tests.service import Home
from tests.terminal import Terminal

CHECKS = ["event store", "topics", "room on the disk", "no other rebuild", "the live tables' log"]


@pytest.fixture
def task_id(create_task) -> str:
    return create_task("abc")


@pytest.fixture
def poisoned(task_id) -> int:
    """The position of an event that cannot be applied."""
    with Parts() as parts:
        event = StoredEvent(task_stream(task_id), 2, "task.unheard_of", b"{}")
        (position,) = parts.log.recorder.insert_events([event])
    return position


def altered() -> str:
    """Changes the first event of a log without an incarnation; returns how that is accepted."""
    with Parts() as parts:
        parts.queries.projects()
        assert parts.follower.position().incarnation is None
        with parts.log.recorder.datastore.transaction(commit=True) as cursor:
            cursor.execute(
                "UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE rowid = 1"
            )
    return "none"


def current(home) -> str:
    return (home / "read" / f"current-v{VERSION}").read_text()


def test_its_document_tells_what_was_done(command, task_id):
    told = command.json("rebuild")
    assert set(told) == {
        *("events", "rows", "position", "root", "seconds", "resumed", "swapped", "compared"),
        *("different", "differences", "quarantined"),
    }
    assert len(told["root"]) == 64
    assert (told["swapped"], told["compared"], told["different"]) == (True, True, 0)


def test_only_the_document_is_on_stdout_and_progress_on_stderr(command, task_id):
    done = command("rebuild", "--json")
    events = json.loads(done.stdout)["events"]
    assert f"rebuilding: {events} events, 100%" in done.stderr


def test_a_check_alone_changes_nothing(command, home, task_id):
    before = current(home)
    told = command.json("rebuild", "--check")
    assert [(each["name"], each["ok"]) for each in told] == [(name, True) for name in CHECKS]
    assert "readable" in command("rebuild", "--check").stdout
    assert current(home) == before


def test_a_check_that_fails_is_a_refusal(command, poisoned):
    found = command("rebuild", "--check", "--json", exit_code=1)
    assert [each["name"] for each in json.loads(found.stdout) if not each["ok"]] == ["topics"]


def test_what_is_different_is_shown_with_the_event_that_made_it(command, begun):
    with Parts() as parts, parts.follower.caught_up() as database:
        database.execute("UPDATE projects SET name = 'altered'")
    found = command("rebuild", "--compare", exit_code=3).stdout
    assert "live project_id: plant-1, name: altered" in found
    assert "; by project.app_added at " in found
    (told,) = json.loads(command("rebuild", "--compare", "--json", exit_code=3).stdout)[
        "differences"
    ]
    assert told["live"]["name"] == "altered"
    assert told["rebuilt"]["name"] == "cn-north-4"
    assert told["by"]["topic"] == "project.app_added"


def test_a_stale_row_was_made_by_no_event(command, begun):
    with Parts() as parts, parts.follower.caught_up() as database:
        database.execute("INSERT INTO users VALUES ('ghost', 'never', 0, NULL, '[]', '[]')")
    assert "; rebuilt -; by no event" in command("rebuild").stdout


def test_an_event_that_cannot_be_applied_stops_it(command, home, task_id, poisoned):
    before = current(home)
    line = command.refused("rebuild")
    assert f"position {poisoned} cannot be applied: task.unheard_of of the " in line
    assert f"export-tasks event list --from {poisoned}" in line
    assert current(home) == before


def test_frozen_streams_are_accepted_by_their_number(command, home, task_id, poisoned):
    before = current(home)
    found = command("rebuild", "--quarantine", exit_code=3)
    assert "export-tasks rebuild --quarantine --accept-quarantined 1" in found.stderr
    assert "swapped      no" in found.stdout
    assert f"position: {poisoned}, topic: task.unheard_of" in found.stdout
    command("rebuild", "--quarantine", "--accept-quarantined", "2", exit_code=3)
    assert current(home) == before
    command("rebuild", "--quarantine", "--accept-quarantined", "1")
    assert current(home) != before
    command("rebuild", "--quarantine", "--compare", exit_code=3)


def test_an_altered_log_is_accepted_by_its_name(command, home, task_id):
    incarnation = altered()
    before = current(home)
    line = command.refused("rebuild")
    assert f"export-tasks rebuild --accept-history {incarnation}" in line
    assert current(home) == before
    command("rebuild", "--accept-history", incarnation)
    assert current(home) != before
    command("rebuild", "--compare")


def test_tables_that_cannot_be_written_are_told_in_a_line(command, home, task_id, monkeypatch):
    before = current(home)

    def full(*arguments):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("projections.rebuild.fold", full)
    told = command("rebuild", exit_code=1).stderr.splitlines()[-1]
    assert "cannot be made: database or disk is full. Nothing was changed." in told
    assert current(home) == before


def test_the_last_one_is_undone(command, home, task_id):
    before = current(home)
    command("rebuild")
    assert command.json("rebuild", "--undo")["events"] > 0
    assert current(home) == before
    command("rebuild", "--compare")


def test_there_may_be_nothing_to_undo(command, task_id):
    assert "no former read tables" in command.refused("rebuild", "--undo")


@pytest.mark.parametrize(
    "options", [("--check", "--undo"), ("--check", "--compare"), ("--compare", "--undo")]
)
def test_what_does_not_go_together_is_wrong_usage(command, task_id, options):
    assert "do not go together" in command("rebuild", *options, exit_code=2).stderr


def test_a_second_one_is_told_who_runs_the_first(command, home, task_id):
    with Parts() as parts:
        from projections.checks import alone

        with alone(parts.tables):
            line = command.refused("rebuild")
    assert f"process {os.getpid()} on " in line
    assert "since 2" in line


def test_a_new_version_of_the_tables_is_built_beside_the_old_before_anybody_listens(tmp_path):
    home = Home(tmp_path)
    try:
        read = tmp_path / "home" / "read"
        ours = (read / f"current-v{VERSION}").read_text()
        older = "read-v1-abc.sqlite"
        shutil.copy(read / ours, read / older)
        (read / f"current-v{VERSION}").rename(read / "current")
        (read / "current").write_text(older)
        (read / ours).unlink()
        service = home.serve()
        assert (read / "current").read_text() == older
        assert (read / older).exists()
        assert (read / f"current-v{VERSION}").read_text().startswith(f"read-v{VERSION}-")
        said = (tmp_path / "log").read_text()
        assert all(json.loads(line)["time"] for line in said.splitlines())
        assert said.index("building read tables: ") < said.index("listening on ")
        service.stop()
    finally:
        home.close()


def test_of_an_empty_store_no_work_is_shown(home):
    begun = Terminal(command_line("worker", "check"), {**os.environ, "TERM": "xterm"})
    assert begun.end() == 0
    assert "building" not in begun.shown


def test_whoever_needs_tables_that_another_is_building_waits_for_them(tmp_path):
    home = Home(tmp_path)
    read = tmp_path / "home" / "read"
    shutil.rmtree(read)
    read.mkdir()
    holding = (
        "import sys, time\nfrom pathlib import Path\nfrom projections.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, read / "rebuild.lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        waiting = subprocess.Popen(
            command_line("exporter"),
            env=home.environment,
            stderr=subprocess.PIPE,
        )
        assert f"process {holder.pid} on ".encode() in waiting.stderr.readline()
        holder.communicate(b"\n")
    said = b""
    while b"exporting" not in said:
        said = waiting.stderr.readline()
    assert (read / f"current-v{VERSION}").exists()
    waiting.terminate()
    waiting.communicate()
