"""`doctor` finds each fault, and none where there is none; it changes nothing."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from collections import namedtuple
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from api.audit.key import kept_key
from api.audit.state import SinkState, StateFile, Trouble
from api.parts import Parts
from api.settings import Settings
from api.upkeep import doctor, log_checks, place_checks, result_checks
from api.upkeep.audit_checks import OVERDUE
from api.upkeep.findings import UNREACHABLE
from api.upkeep.place_checks import FREE_LEAST
from domain.journal import utc_now
from exporter.results import MARKER
from exporter.sources import iotda
from projections.schema import VERSION
from tests.installation import Installation
from tests.service import Home

CURRENT = f"current-v{VERSION}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation with one export, made; nobody changes it."""
    made = Installation(Home(tmp_path_factory.mktemp("template")))
    made.task_id = made.create(made.home.batch(3))
    made.export()
    made.home.run("task", "list")
    return made


@pytest.fixture
def task_id(template, home) -> str:
    """A copy of it in the test's own home; its one task."""
    shutil.copytree(template.settings.home, home)
    return template.task_id


@pytest.fixture
def create_task(template, task_id):
    """Asks for an export in it."""
    return lambda batch: Installation(template.home, Settings.read()).create(batch)


@pytest.fixture
def found(command):
    """What is found, each with a sentence and a command; exit 3."""

    def find(*options: str) -> dict[str, str]:
        told = command("doctor", "--json", *options, exit_code=3).stdout
        document = json.loads(told)
        assert list(document) == ["findings"]
        assert all(set(each) == {"code", "what", "mend"} for each in document["findings"])
        assert all(each["what"] and each["mend"] for each in document["findings"])
        return {each["code"]: f"{each['what']} {each['mend']}" for each in document["findings"]}

    return find


@pytest.fixture
def clean(command):
    """Nothing is found; what was noted."""

    def look(*options: str) -> str:
        told = command("doctor", "--json", *options)
        assert json.loads(told.stdout) == {"findings": []}
        return told.stderr

    return look


def result(home: Path) -> Path:
    (path,) = (home / "results").glob("*.xls")
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for each in statements:
            database.execute(each)


def read_file(home: Path) -> Path:
    return home / "read" / (home / "read" / CURRENT).read_text()


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file, save SQLite's own beside a database."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_in_a_sound_home_nothing_is_found_and_nothing_is_changed(home, task_id, clean):
    before = state(home)
    assert "nothing found" in clean("--deep")
    assert state(home) == before


def test_a_finding_is_one_line_with_the_command_that_mends_it(command, home, task_id):
    result(home).unlink()
    (line,) = command("doctor", exit_code=3).stdout.splitlines()
    assert line.startswith("missing_result: ")
    assert " Mend: cp BACKUP/results/" in line


def test_where_nothing_has_begun_it_says_so_and_makes_nothing(home, found):
    assert "export-tasks init" in found()["nothing_here"]
    assert not home.exists()


def test_a_store_without_an_event_is_nothing_too(command, home, found):
    command("migrate")
    assert "export-tasks init" in found()["nothing_here"]


# Settings


def test_with_a_broken_setting_nothing_else_is_looked_at(task_id, found, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_EVENTS", "nowhere")
    assert list(found()) == ["broken_setting"]


def test_each_broken_setting_is_a_line_of_its_own(command, task_id, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_COLOUR", "blue")
    monkeypatch.setenv("EXPORT_TASKS_LEASE", "soon")
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY_FILE", "/nowhere/secret")
    lines = command("doctor", exit_code=3).stdout.splitlines()
    assert len(lines) == 3
    for line, name in zip(lines, ("COLOUR", "LEASE", "SECRET_KEY_FILE"), strict=True):
        assert f"Mend: unset EXPORT_TASKS_{name};" in line


def test_a_setting_that_is_given_twice_is_one_finding(command, task_id, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", "k" * 43)
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY_FILE", "/nowhere/secret")
    (line,) = command("doctor", exit_code=3).stdout.splitlines()
    assert "are both given" in line


def test_settings_of_the_client_are_no_fault(task_id, clean, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_ENDPOINT", "http://127.0.0.1:8080")
    monkeypatch.setenv("EXPORT_TASKS_LEASE", "30s")
    clean()


# Results


def test_a_missing_result_is_found_with_its_task(home, task_id, found):
    result(home).unlink()
    told = found()["missing_result"]
    assert task_id in told
    assert "is not there" in told


def test_where_all_results_are_missing_one_finding_asks_for_the_setting_first(
    command, home, template, task_id, monkeypatch
):
    made = Installation(template.home, Settings.read())
    for rows in (4, 5):
        made.create(command.json("batch", "generate", "--project", template.home.project,
                                 "--rows", str(rows))["task_id"])  # fmt: skip
    made.export()
    monkeypatch.setenv("EXPORT_TASKS_RESULTS", f"file://{home}/emptied")
    (home / "emptied").mkdir()
    shutil.copy(home / "results" / MARKER, home / "emptied")
    (line,) = command("doctor", exit_code=3).stdout.splitlines()
    assert f"3 of 3 current files are not in file://{home}/emptied" in line
    assert "is EXPORT_TASKS_RESULTS right? Mend: export-tasks config show; " in line
    assert "cp BACKUP/results/" in line


def test_more_than_many_missing_results_are_one_finding(home, task_id, command, monkeypatch):
    monkeypatch.setattr(result_checks, "MANY", 0)
    result(home).unlink()
    assert "1 of 1 current files" in command("doctor", exit_code=3).stdout


def test_a_result_of_another_size_is_found(home, task_id, found):
    result(home).write_bytes(result(home).read_bytes() + b"\0")
    assert "another file" in found()["missing_result"]


def test_a_result_of_other_bytes_is_found_by_a_deep_look_alone(home, task_id, found, clean):
    content = bytearray(result(home).read_bytes())
    content[-1] ^= 1
    result(home).write_bytes(content)
    clean()
    assert "another file" in found("--deep")["missing_result"]


def test_a_result_that_is_swept_while_it_looks_is_no_finding(
    command, home, task_id, clean, monkeypatch
):
    looking = result_checks._fault

    def delete_first(*arguments):
        command("task", "delete", task_id)
        with Parts() as parts:
            parts.sweeper().sweep()
        return looking(*arguments)

    monkeypatch.setattr(result_checks, "_fault", delete_first)
    clean()


@pytest.mark.parametrize("folder", ["results", "results/.spool"])
def test_a_file_of_a_task_that_the_log_never_heard_of_is_found(home, task_id, found, folder):
    orphan = home / folder / f"{'0' * 24}-1-00.xls"
    orphan.parent.mkdir(exist_ok=True)
    orphan.touch()
    assert f"rm {orphan}" in found()["orphan_file"]


def test_dead_files_are_noted_for_the_sweep(command, home, task_id, clean):
    shutil.copy(result(home), home / "results" / f"{task_id}-2-00.xls")
    assert "1 files of ended attempts" in clean()
    command("task", "delete", task_id)
    assert "2 files of ended attempts" in clean()


def test_files_of_a_running_attempt_are_neither(command, home, task_id, create_task, clean):
    running = create_task("ab")
    (home / "results" / ".spool" / f"{running}-1-00.xls").touch()
    assert "note" not in clean()


def test_results_that_another_log_claimed_are_found(home, task_id, found):
    (home / "results" / MARKER).write_text("another")
    assert list(found()) == ["results_claimed"]


def test_a_place_of_results_that_fails_is_found(home, task_id, found):
    shutil.rmtree(home / "results")
    (home / "results").touch()
    assert str(home / "results") in found()["results_unreachable"]


def test_a_place_of_results_of_an_unknown_kind_is_found(task_id, found, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_RESULTS", "s3://Bucket/prefix")
    assert "s3://Bucket" in found()["results_unreachable"]


# The event log and the read tables


def test_read_tables_of_another_log_are_found(home, task_id, found):
    change(read_file(home), "UPDATE position SET incarnation = 'another'")
    assert "export-tasks rebuild" in found()["foreign_read_tables"]


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE tasks SET rows = 99",
        "DELETE FROM tasks",
        "UPDATE quotas SET kept = 7",
        "UPDATE position SET count = 1",
    ],
)
def test_read_tables_that_were_altered_are_found_and_mended_by_the_command(
    command, home, task_id, found, clean, harm
):
    change(read_file(home), harm)
    assert "export-tasks rebuild" in found()["altered_read_tables"]
    command("rebuild")
    clean()


def test_read_tables_that_are_behind_are_no_finding(command, home, task_id, create_task, clean):
    for batch in ("aa", "ab"):
        create_task(batch)
    with closing(sqlite3.connect(read_file(home))) as tables:
        (behind,) = tables.execute("SELECT position FROM position").fetchone()
    with Parts() as parts:
        assert parts.log.recorder.max_notification_id() > behind
    clean()


def test_read_tables_that_are_no_database_are_found(home, task_id, found):
    for each in (home / "read").glob("read-*"):
        each.write_text("no database " * 1000)
    assert "export-tasks rebuild" in found()["damaged_read_tables"]


def test_read_tables_that_are_replaced_while_it_looks_are_no_finding(
    command, home, task_id, clean, monkeypatch
):
    reading = log_checks._read_tables

    def replace_first(path):
        monkeypatch.setattr(log_checks, "_read_tables", reading)
        for _ in range(2):  # the former tables stay until the next rebuild
            command("rebuild")
        assert not path.exists()
        return reading(path)

    monkeypatch.setattr(log_checks, "_read_tables", replace_first)
    clean()


@pytest.mark.parametrize("gone", ["read", f"read/{CURRENT}", "file"])
def test_read_tables_that_are_not_there_are_made_when_asked(home, task_id, clean, gone):
    path = read_file(home) if gone == "file" else home / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    clean()
    assert path.exists() is False


def test_a_log_that_was_put_back_without_restore_is_found(command, home, task_id, found):
    shutil.copytree(home, home.parent / "old")
    command("limits", "set", "--kept", "40")
    command("task", "list")
    for each in home.glob("events.sqlite*"):
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    shutil.copy(home.parent / "old" / "events.sqlite", home)
    told = found()["restored_log"]
    assert "ends at position" in told
    assert "export-tasks restore" in told


def test_a_log_put_back_that_has_gone_on_since_is_found_by_its_bytes(command, home, task_id, found):
    path = home / "events.sqlite"
    command("limits", "set", "--kept", "40")
    command("task", "list")
    change(path, "DELETE FROM stored_events WHERE rowid = (SELECT max(rowid) FROM stored_events)")
    with Parts() as parts:
        parts.log.recorder.insert_events([])
    command("limits", "set", "--kept", "41")
    assert "is not the one that this node has read" in found()["restored_log"]


def test_read_tables_of_before_a_restore_are_a_note(command, home, task_id, clean, monkeypatch):
    command("backup", str(home.parent / "b"), "--with-secret-key")
    command("limits", "set", "--kept", "40")
    command("task", "list")
    monkeypatch.setenv("EXPORT_TASKS_HOME", str(home.parent / "there"))
    command("restore", str(home.parent / "b"))
    shutil.copytree(home / "read", home.parent / "there" / "read")
    assert "before a restore" in clean()
    command("task", "list")
    assert "before a restore" not in clean()


def test_a_damaged_event_store_is_found(home, task_id, found):
    path = home / "events.sqlite"
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    path.write_bytes(content)
    assert "export-tasks restore" in found()["damaged_event_store"]


def test_an_event_store_that_is_no_database_is_found(home, task_id, found):
    (home / "events.sqlite").write_text("no database " * 1000)
    assert "damaged_event_store" in found()


def test_a_stream_that_is_frozen_is_found(command, home, task_id, found):
    change(
        home / "events.sqlite",
        "UPDATE stored_events SET state = '{}' WHERE topic = 'task.completed'",
    )
    told = found()
    assert "task.completed" in told["quarantined_stream"]
    assert f"export-tasks task delete {task_id}" in told["quarantined_stream"]


def test_a_store_of_another_kind_is_exit_4(command, task_id, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_EVENTS", "postgresql://nowhere/none")
    assert "store_unreachable" in command("doctor", exit_code=4).stdout


def test_a_store_that_is_a_folder_is_exit_4(command, home, task_id, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_EVENTS", f"sqlite:///{home}")
    assert "store_unreachable" in command("doctor", exit_code=4).stdout


# The secret key


def test_a_wrong_secret_key_is_found(task_id, found, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", "w" * 43)
    assert "EXPORT_TASKS_SECRET_KEY_FILE" in found()["wrong_secret_key"]


def test_a_secret_key_that_is_too_short_is_found(home, task_id, found):
    (home / "secret.key").write_text("short")
    assert "secret.key" in found()["wrong_secret_key"]


def test_a_secret_key_that_is_gone_is_found_and_none_is_made(home, task_id, found):
    (home / "secret.key").unlink()
    assert "no secret key" in found()["no_secret_key"]
    assert not (home / "secret.key").exists()


@pytest.mark.parametrize("name", ["secret.key", "events.sqlite", "refused.sqlite"])
def test_secrets_that_others_can_read_are_found(home, task_id, found, clean, name):
    (home / name).touch()
    (home / name).chmod(0o640)
    assert f"chmod go= {home / name}" in found()["readable_by_others"]
    (home / name).chmod(0o600)
    clean()


def test_a_side_log_that_cannot_be_used_is_found(home, task_id, found, clean):
    path = home / "refused.sqlite"
    path.write_bytes(b"no database" * 1000)
    assert f"rm {path}" in found()["damaged_side_log"]
    path.unlink()
    clean()


# Room, and the source

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("name", sorted(FREE_LEAST))
def test_a_full_disk_is_found_by_the_setting_of_its_place(
    home, task_id, found, clean, monkeypatch, name
):
    places = {"events": home, "read_dir": home / "read", "results": home / "results"}
    free = FREE_LEAST[name]

    def usage(path):
        return Usage(2**50, 0, free if path == places[name] else 2**40)

    monkeypatch.setattr(place_checks.shutil, "disk_usage", usage)
    clean()
    free -= 1
    told = found()
    assert list(told) == ["disk_full"]
    assert f"EXPORT_TASKS_{name.upper()}" in told["disk_full"]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a mebibyte, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("no disk may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_small_disk_is_full(task_id, found, monkeypatch, small_disk):
    monkeypatch.setenv("EXPORT_TASKS_READ_DIR", str(small_disk / "read"))
    assert "EXPORT_TASKS_READ_DIR" in found()["disk_full"]


def test_a_backup_to_a_full_disk_is_refused_and_leaves_it_empty(
    command, template, task_id, small_disk
):
    command("batch", "generate", "--project", template.home.project, "--rows", "20000")
    told = command("backup", str(small_disk), exit_code=1).stderr
    assert "full" in told.splitlines()[-1]
    assert list(small_disk.iterdir()) == []


def test_a_source_that_is_not_there_is_found_where_it_was_named(task_id, found, monkeypatch, home):
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", f"sqlite:///{home}/none.sqlite")
    assert "none.sqlite" in found()["source_unreachable"]


def test_a_source_of_a_kind_that_is_not_there_yet_is_found(task_id, found, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", "iotda+https://iotda.example.com")
    assert "iotda.example.com" in found()["source_unreachable"]


def test_a_remote_source_is_asked_about_a_project_that_is_mapped(
    command, task_id, found, clean, monkeypatch
):
    monkeypatch.setattr(iotda, "ANSWER_PATIENCE", 0.1)
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", "iotda+http://127.0.0.1:1")
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "key")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "secret")
    clean()
    command("project", "add", "mapped", "--upstream-project", "far")
    assert "127.0.0.1:1" in found()["source_unreachable"]


def test_the_embedded_source_is_made_when_it_is_first_used(begun, home, clean):
    assert not (home / "source.sqlite").exists()
    clean()
    assert not (home / "source.sqlite").exists()


def test_an_embedded_source_that_is_damaged_is_found(home, task_id, found):
    for each in home.glob("source.sqlite*"):
        each.write_text("no database " * 1000)
    assert "not a SQLite database" in found()["source_unreachable"]


def test_every_code_is_in_the_documentation_and_nothing_else():
    root = Path(__file__).parents[2]
    table = (root / "docs" / "backup.md").read_text().split("| code |")[1]
    documented = {
        code for line in re.findall(r"^\| (`.*?) \|", table, re.M) for code in line.split("`")[1::2]
    }
    used = set()
    for path in (root / "api" / "upkeep").glob("*.py"):
        used |= set(re.findall(r"report\.find\(\s*\"([a-z_]+)\"", path.read_text()))
    assert documented == used | {UNREACHABLE}


# Checkpoints


@pytest.fixture
def keeper_wrote(home, task_id):
    """How the last turn of a keeper left it."""

    def write(**state: object) -> None:
        file = StateFile(home / "audit.json")
        for name, value in {"note": "note", **state}.items():
            setattr(file.state, name, value)
        file.save()

    return write


TROUBLE = Trouble("it is away", utc_now())


def test_a_log_that_was_altered_is_found(keeper_wrote, found):
    keeper_wrote(altered=TROUBLE, position=10**9)
    assert "it is away export-tasks audit verify" in found()["log_altered"]


def test_an_audit_place_that_fails_is_found(keeper_wrote, found, home):
    keeper_wrote(failing=TROUBLE, position=10**9)
    assert f"file://{home}/audit" in found()["audit_place_failing"]


def test_a_sink_that_fails_is_found_while_it_is_named(keeper_wrote, found, clean, monkeypatch):
    keeper_wrote(sinks={"file:///far": SinkState(None, TROUBLE)}, position=10**9)
    clean()
    monkeypatch.setenv("EXPORT_TASKS_AUDIT_SINKS", "file:///far,file:///near")
    assert "file:///far fails since" in found()["audit_sink_failing"]


def test_events_that_wait_too_long_for_a_checkpoint_are_found(
    keeper_wrote, found, clean, monkeypatch
):
    keeper_wrote(position=1)
    clean()
    monkeypatch.setattr(doctor, "utc_now", lambda: utc_now() + OVERDUE + timedelta(minutes=1))
    assert "export-tasks serve" in found()["checkpoint_overdue"]


def test_a_key_for_signing_that_others_may_read_is_found(home, task_id, found):
    kept_key(home / "audit.key")
    (home / "audit.key").chmod(0o640)
    assert f"chmod go= {home}/audit.key" in found()["readable_by_others"]
