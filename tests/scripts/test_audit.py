"""`audit`: from a real home to a verdict, and what each exit code means."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from api.parts import Parts
from projections.stores.sqlite import event_file
from tests.meddling import alter, run
from tests.sealed import KEY, OTHER, seal


@pytest.fixture(autouse=True)
def url(home, events_url, monkeypatch):
    """The event store, of each kind, and the key that has to be given where it may be shared."""
    monkeypatch.setenv("EXPORT_TASKS_EVENTS", events_url)
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", "k" * 32)
    return events_url


@pytest.fixture
def sealed(url, command, begun, home, create_task):
    """A home in which an export was made and then sealed; the task's id."""
    batch = command.json("batch", "generate", "--project", "plant-1", "--rows", "5")["task_id"]
    task = create_task(batch)
    with Parts() as parts:
        parts.claim_results()
        assert parts.exporter().step()
    command("limits", "set", "--kept", "48")
    seal(url, home / "audit")
    return task


def edit_one_byte(url: str, old: bytes, new: bytes) -> None:
    """As somebody with an editor does it: SQLite is not asked."""
    if not url.startswith("sqlite:"):
        replaced = f"CAST(replace(state, '{old.decode()}', '{new.decode()}') AS BLOB)"
        return alter(url, f"UPDATE stored_events SET state = {replaced}")
    events = event_file(url)
    with closing(sqlite3.connect(events)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = events.read_bytes()
    assert (content.count(old), len(old)) == (1, len(new))
    events.write_bytes(content.replace(old, new))
    return None


def test_a_real_home_is_sound(command, sealed):
    told = command("audit", "verify")
    assert told.stdout.startswith("verdict                sound\n")
    assert "another source" in told.stderr
    found = command.json("audit", "verify")
    assert found["events"] == found["sealed"] == found["proven"] > 5
    assert (found["not_sealed"], found["key"]) == (0, KEY.name)


def test_one_byte_of_one_event_is_found_and_named(command, sealed, url):
    edit_one_byte(url, b'"rows":5,"total":5,"sheets"', b'"rows":6,"total":5,"sheets"')
    told = command("audit", "verify", exit_code=3)
    found = json.loads(command("audit", "verify", "--json", exit_code=3).stdout)
    ((position,),) = run(url, "SELECT rowid FROM stored_events WHERE topic = 'task.completed'")
    assert (found["verdict"], found["damage"], found["task"]) == ("changed", "edited", sealed)
    assert (found["position"], found["rank"]) == (position, position - 1)
    assert found["topic"] == "task.completed"
    assert f"task                   {sealed}" in told.stdout
    assert "edited in place" in told.stdout


def test_nothing_was_sealed_yet_so_nothing_can_be_told(command, begun):
    told = command("audit", "verify", exit_code=4)
    assert "no checkpoint" in told.stdout
    assert command("audit", "checkpoint", exit_code=4).stdout == ""


def test_there_is_no_event_store_so_nothing_can_be_told(command):
    told = command("audit", "verify", exit_code=4)
    assert (told.stdout, "cannot tell" in told.stderr) == ("", True)


def test_an_auditor_brings_key_and_checkpoint(command, sealed, home, tmp_path):
    note, key = tmp_path / "note", tmp_path / "key"
    note.write_text(command("audit", "checkpoint").stdout)
    key.write_text(KEY.verifier.text)
    for each in (str(key), KEY.verifier.text):
        told = command("audit", "verify", "--checkpoint", str(note), "--key", each)
        assert "another source" not in told.stderr
        assert str(note) in told.stdout


def test_another_s_key_proves_nothing(command, sealed):
    told = command("audit", "verify", "--key", OTHER.verifier.text, exit_code=4)
    assert "not used" in told.stderr


def test_many_checkpoints_that_are_not_used_for_one_reason_are_one_line(command, sealed, home, url):
    for kept in (47, 46):
        command("limits", "set", "--kept", str(kept))
        seal(url, home / "audit")
    told = command("audit", "verify", "--key", OTHER.verifier.text, exit_code=4).stderr
    (line,) = [each for each in told.splitlines() if each.startswith("not used: ")]
    assert " and 2 more: None of the given keys signed this note" in line


@pytest.mark.parametrize("key", ["nonsense", "/nowhere/key"])
def test_what_is_no_key_is_told(command, sealed, key):
    assert (
        f"not used: the key {key}" in command("audit", "verify", "--key", key, exit_code=4).stderr
    )


def test_a_checkpoint_that_is_not_there_is_told(command, sealed):
    told = command("audit", "verify", "--checkpoint", "/nowhere/note", exit_code=4)
    assert "not used: /nowhere/note" in told.stderr


def test_a_file_that_is_no_note_is_told_and_the_others_judge(command, sealed, home):
    (home / "audit" / "checkpoints" / "nonsense").write_bytes(b"\xff")
    assert "nonsense" in command("audit", "verify").stderr


def test_the_newest_checkpoint_is_printed_as_it_was_signed(command, sealed, home, url):
    command("limits", "set", "--kept", "49")
    note = seal(url, home / "audit").read_text()
    assert command("audit", "checkpoint").stdout == note
    told = command.json("audit", "checkpoint")
    assert (told["note"], told["size"], told["key"]) == (note, int(note.split("\n")[1]), KEY.name)


@pytest.mark.parametrize("name", ["case", "case.zip"])
def test_a_bundle_is_judged_without_this_program(command, sealed, tmp_path, name):
    told = command.json("audit", "bundle", str(tmp_path / name), "--task", sealed)
    assert 0 < told["events"] < told["of"]
    if name.endswith(".zip"):
        unpack = [sys.executable, "-m", "zipfile", "-e", str(tmp_path / name), str(tmp_path)]
        subprocess.run(unpack, check=True)
    judge = [sys.executable, "-I", "verify.py"]
    done = subprocess.run(judge, cwd=tmp_path / "case", capture_output=True, text=True, check=True)
    assert "sound" in done.stdout


def test_a_bundle_of_a_user_goes_by_name_or_id(command, begun, sealed, tmp_path):
    by_name = command.json("audit", "bundle", str(tmp_path / "a"), "--user", "admin")
    by_id = command.json("audit", "bundle", str(tmp_path / "b"), "--user", begun["user_id"])
    assert by_name["events"] == by_id["events"] > 1


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
@pytest.mark.parametrize("about", ["task", "project"])
def test_a_bundle_about_nothing_is_refused_and_not_made(command, sealed, tmp_path, name, about):
    refused = command.refused("audit", "bundle", str(tmp_path / name), f"--{about}", "nope")
    assert refused == f"export-tasks: The event log holds no event about {about}_id 'nope'."
    assert not (tmp_path / name).exists()


def test_a_bundle_goes_over_nothing(command, sealed, tmp_path):
    assert "already" in command.refused("audit", "bundle", str(tmp_path))


def test_a_receipt_is_judged_without_this_program(command, sealed, tmp_path):
    command("audit", "bundle", str(tmp_path / "case"))
    told = command("audit", "receipt", sealed).stdout
    assert len(told.encode()) <= 1500
    assert command("audit", "receipt", sealed, "--json").stdout == told
    (tmp_path / "receipt.json").write_text(told)
    judge = [sys.executable, "-I", str(tmp_path / "case" / "verify.py"), "receipt.json"]
    done = subprocess.run(judge, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sealed in done.stdout


def test_a_receipt_of_what_is_not_sealed_yet_is_for_later(command, sealed, create_task):
    batch = command.json("batch", "generate", "--project", "plant-1", "--rows", "5")["task_id"]
    task = create_task(batch)
    assert "no completed" in command.refused("audit", "receipt", task)
    with Parts() as parts:
        assert parts.exporter().step()
    told = command("audit", "receipt", task, exit_code=4)
    assert (told.stdout, "in at most a minute" in told.stderr) == ("", True)


def test_a_changed_log_gives_no_receipt(command, sealed, url):
    edit_one_byte(url, b'"sheets":1,', b'"sheets":2,')
    assert "audit verify" in command("audit", "receipt", sealed, exit_code=3).stderr


def test_a_checkpoint_is_signed_at_once_where_that_is_asked_for(command, sealed):
    before = command.json("audit", "checkpoint")
    command("limits", "set", "--kept", "49")
    assert command.json("audit", "checkpoint") == before
    now = command.json("audit", "checkpoint", "--now")
    assert now["size"] == before["size"] + 1
    assert command.json("audit", "verify")["sealed"] == now["size"]
    assert command.json("audit", "checkpoint", "--now")["size"] == now["size"], "nothing is new"


def test_an_altered_log_is_not_signed_however_it_is_asked_for(command, sealed, url):
    command("audit", "checkpoint", "--now")
    edit_one_byte(url, b'"rows":5,"total":5,"sheets"', b'"rows":6,"total":5,"sheets"')
    told = command("audit", "checkpoint", "--now", exit_code=3)
    assert told.stdout == ""
    assert "Nothing is signed" in told.stderr
