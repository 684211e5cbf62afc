"""After a database's own tools put a log back, what is said leads to `restore --in-place`."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from api.parts import Parts
from scripts.serve import LOCK, alone, check
from tests.installation import Installation
from tests.invoked import invoke, refused, told
from tests.meddling import alter, run
from tests.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "a secret key of many characters.."
LOOK, DO = "export-tasks restore --in-place --dry-run", "export-tasks restore --in-place"


@pytest.fixture
def origin(events_url, tmp_path):
    """An installation over each kind of store."""
    yield from begun(events_url, tmp_path)


@pytest.fixture
def shared(database, tmp_path):
    """One over a database."""
    yield from begun(database.fresh(), tmp_path)


def begun(url: str, folder: Path) -> Iterator[Installation]:
    """With a file, all of whose events are signed."""
    made = Installation(Home(folder / "first", events=url, secret_key=KEY))
    made.env, made.url = made.home.environment, url
    made.create(made.home.batch(5))
    made.export()
    invoke(made.env, "audit", "checkpoint", "--now")
    made.kept = count(made.url)
    yield made
    made.home.close()


def count(url: str) -> int:
    return run(url, "SELECT count(*) FROM stored_events")[0][0]


def go_on(origin: Installation, kept: str = "45") -> None:
    """Something happens, and this node reads it."""
    invoke(origin.env, "limits", "set", "--kept", kept)
    invoke(origin.env, "task", "list")


def put_back(origin: Installation) -> None:
    """What a database's own tools do: the first events alone are there."""
    alter(
        origin.url,
        "DELETE FROM stored_events WHERE rowid NOT IN "
        f"(SELECT rowid FROM stored_events ORDER BY rowid LIMIT {origin.kept})",
    )


def lose(origin: Installation) -> None:
    """Events that were signed are gone."""
    go_on(origin)
    invoke(origin.env, "audit", "checkpoint", "--now")
    put_back(origin)


def findings(origin: Installation, exit_code: int = 3) -> dict[str, dict[str, str]]:
    done = invoke(origin.env, "doctor", "--json", exit_code=exit_code)
    return {each["code"]: each for each in json.loads(done.stdout)["findings"]}


def incarnation(origin: Installation) -> str:
    with Parts(origin.settings) as parts:
        return parts.follower.position().incarnation


# What leads to it


def test_doctor_names_a_look_and_then_the_restore_in_place_first(origin):
    lose(origin)
    mend = findings(origin)["restored_log"]["mend"]
    places = [mend.index(each) for each in (LOOK, f"then {DO}", "restore FROM", "--accept-history")]
    assert places == sorted(places)


def test_a_history_in_which_signed_events_are_gone_is_not_accepted(origin):
    lose(origin)
    line = refused(origin.env, "rebuild", "--accept-history", incarnation(origin))
    assert "1 events that were signed are gone" in line
    assert line.endswith(f"{LOOK}, then {DO}")
    assert count(origin.url) == origin.kept
    assert told(origin.env, "restore", "--in-place")["lost"] == 1
    invoke(origin.env, "audit", "checkpoint", "--now")
    assert told(origin.env, "audit", "verify")["verdict"] == "sound"


def test_this_nodes_own_last_checkpoint_counts_where_the_audit_place_is_another(origin, tmp_path):
    lose(origin)
    origin.env["EXPORT_TASKS_AUDIT"] = f"file://{tmp_path}/empty"
    line = refused(origin.env, "rebuild", "--accept-history", incarnation(origin))
    assert "1 events that were signed are gone" in line


def test_a_history_that_is_otherwise_than_it_was_signed_is_not_accepted(origin):
    go_on(origin)
    alter(origin.url, "UPDATE stored_events SET state = x'7b7d' WHERE rowid = 4")
    line = refused(origin.env, "rebuild", "--accept-history", incarnation(origin))
    assert "edited in place" in line
    assert "audit verify" in line


def test_a_history_of_which_nothing_signed_is_gone_is_accepted_by_name(origin):
    go_on(origin)
    put_back(origin)
    go_on_unread = ("limits", "set", "--kept", "41")
    invoke(origin.env, *go_on_unread)
    line = refused(origin.env, "rebuild")
    assert LOOK in line
    invoke(origin.env, "rebuild", "--accept-history", incarnation(origin))
    assert told(origin.env, "limits", "show")["kept"] == 41


def test_every_other_command_names_doctor(origin):
    lose(origin)
    assert "an operator must look (export-tasks doctor)" in refused(origin.env, "task", "list")


def test_serve_blames_the_log_and_not_the_folder_of_read_tables(origin):
    lose(origin)
    with pytest.raises(Exception, match="export-tasks doctor") as refusal:
        check(origin.settings)
    assert "READ_DIR" not in str(refusal.value)


# While the log is in doubt


def test_a_file_that_the_log_does_not_know_is_kept_while_another_log_may_come_back(origin):
    with Parts(origin.settings) as parts:
        folder = parts.results.folder
    orphan = folder / f"{'0' * 24}-1-00.xls"
    orphan.touch()
    assert findings(origin)["orphan_file"]["mend"] == f"rm {orphan}"
    lose(origin)
    found = findings(origin)
    assert "rm " not in found["orphan_file"]["mend"]
    assert "keep" in found["orphan_file"]["mend"]
    invoke(origin.env, "restore", "--in-place")
    invoke(origin.env, "task", "list")
    assert findings(origin)["orphan_file"]["mend"] == f"rm {orphan}"


# After it


def test_a_verdict_on_the_incarnation_before_is_none_on_the_next(origin):
    lose(origin)
    invoke(origin.env, "audit", "checkpoint", "--now", exit_code=3)
    assert LOOK in findings(origin)["log_altered"]["mend"]
    invoke(origin.env, "restore", "--in-place")
    assert findings(origin, exit_code=0) == {}


# Where it may not be


def test_beside_a_running_serve_nothing_is_put_back(origin):
    lose(origin)
    with alone(origin.settings.home / LOCK):
        assert "Another serve runs in this home" in refused(origin.env, "restore", "--in-place")
        assert told(origin.env, "restore", "--in-place", "--dry-run")["lost"] == 1
    assert count(origin.url) == origin.kept


def test_a_log_of_which_nothing_is_gone_is_left_as_it_is_unless_somebody_insists(origin):
    invoke(origin.env, "task", "list")
    before = incarnation(origin)
    assert "Nothing was put back here" in refused(origin.env, "restore", "--in-place")
    assert count(origin.url) == origin.kept
    assert told(origin.env, "restore", "--in-place", "--insist")["previous"] == before
    assert count(origin.url) == origin.kept + 1


def test_sessions_of_other_nodes_keep_it_from_a_database(shared, monkeypatch):
    lose(shared)
    monkeypatch.setattr("api.upkeep.quiet.LEAVING_SECONDS", 0.2)
    with closing(psycopg.connect(shared.url, application_name="export-tasks")):
        line = refused(shared.env, "restore", "--in-place")
        assert "1 sessions, from 127.0.0.1" in line
        assert count(shared.url) == shared.kept
        assert told(shared.env, "restore", "--in-place", "--insist")["lost"] == 1


def test_a_session_of_another_program_does_not(shared):
    lose(shared)
    with closing(psycopg.connect(shared.url, application_name="psql")):
        assert told(shared.env, "restore", "--in-place")["lost"] == 1


def test_insisting_is_for_in_place(origin, tmp_path: Path):
    done = invoke(origin.env, "restore", str(tmp_path), "--insist", exit_code=2)
    assert "goes with --in-place" in done.stderr
