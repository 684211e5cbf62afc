"""`backup` while everything runs, `restore` into an empty home, and what a kill leaves of them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkiotda.v5 import (
    AddExportTask,
    CreateExportTaskRequest,
    DeleteExportTaskRequest,
    IoTDAClient,
    ListExportTasksRequest,
    ShowExportTaskRequest,
)

from api.parts import Parts
from api.upkeep.copied_log import read_copy
from api.upkeep.copies import alone_in
from api.upkeep.manifest import MANIFEST
from projections.schema import VERSION
from scripts.cli import cli
from tests.cut_off import backing_up, calls_of, is_cut_off, restoring
from tests.gated import Gated
from tests.installation import Installation
from tests.service import Home, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")

KILLS = 7
"""Points at which a backup or a restore is killed, spread over all of its calls to the disk."""


def run(environment: dict[str, str], *arguments: str, exit_code: int = 0) -> str:
    done = CliRunner(env=environment).invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == exit_code, done.output
    return done.stdout


def refused(environment: dict[str, str], *arguments: str) -> str:
    done = CliRunner(env=environment).invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    return done.stderr.splitlines()[-1]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a file that was superseded, two current ones, a task that waits."""
    home = Home(tmp_path_factory.mktemp("origin"))
    made = Installation(home)
    made.once, made.other = home.batch(20), home.batch(30)
    made.tasks = []
    for batch in (made.once, made.once, made.other):
        made.tasks.append(made.create(batch))
        made.export()
    made.waiting = made.create(home.batch(5))
    yield made
    home.close()


@pytest.fixture(scope="module")
def kept(origin: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it, with the secret key; nobody changes it."""
    folder = tmp_path_factory.mktemp("kept") / "backup"
    run(origin.home.environment, "backup", str(folder), "--with-secret-key")
    return folder


@pytest.fixture
def there(origin: Installation, tmp_path: Path) -> dict[str, str]:
    """The environment of a new home."""
    return {**origin.home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "there")}


# Backup


def test_a_backup_tells_what_it_holds_and_is_for_its_owner_alone(origin, tmp_path):
    told = json.loads(run(origin.home.environment, "backup", str(tmp_path / "b"), "--json"))
    manifest = json.loads((tmp_path / "b" / MANIFEST).read_text())
    events = [json.loads(line) for line in origin.home.run("event", "list", "--json").splitlines()]
    assert told["events"] == manifest["events"] == len(events)
    assert told["position"] == events[-1]["position"]
    assert told["complete"] is True
    assert told["result_files"] == 3
    assert manifest["incarnation"] == told["incarnation"] != None  # noqa: E711
    assert manifest["settings"] == {"EXPORT_TASKS_HOME": str(origin.settings.home)}
    found = contents(tmp_path / "b")
    del found[MANIFEST]
    said = manifest["files"] | {
        f"results/{key.replace('/', '-')}": each for key, each in manifest["results"].items()
    }
    assert {
        name: {"size": len(content), "sha256": sha256(content).hexdigest()}
        for name, content in found.items()
    } == said
    assert sorted(manifest["files"]) == ["events.sqlite", "source.sqlite"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "b").rglob("*")} == {0o600, 0o700}
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o700


def test_the_secret_key_is_copied_where_it_is_asked_for_and_only_there(origin, kept, tmp_path):
    assert (kept / "secret.key").read_text() == origin.settings.secret_file.read_text()
    done = CliRunner(env=origin.home.environment).invoke(cli, ["backup", str(tmp_path / "b")])
    assert "secret key is not in it" in done.stderr
    secret = origin.settings.secret_file.read_bytes()
    assert not any(secret in each for each in contents(tmp_path / "b").values())


def test_a_secret_key_that_is_given_is_copied_too(origin, tmp_path):
    secret = origin.settings.secret_file.read_text()
    env = {**origin.home.environment, "EXPORT_TASKS_SECRET_KEY": secret}
    run(env, "backup", str(tmp_path / "b"), "--with-secret-key")
    assert (tmp_path / "b" / "secret.key").read_text() == secret


def test_where_there_is_no_secret_key_none_is_made_for_a_backup(origin, tmp_path):
    env = {
        **origin.home.environment,
        "EXPORT_TASKS_HOME": str(tmp_path / "elsewhere"),
        "EXPORT_TASKS_EVENTS": origin.settings.events,
    }
    assert "no secret key" in refused(env, "backup", str(tmp_path / "b"), "--with-secret-key")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [(MANIFEST, "a backup already"), ("events.sqlite", "not finished"), ("else", "not empty")],
)
def test_a_folder_with_anything_in_it_is_refused_and_left_alone(origin, tmp_path, name, told):
    (tmp_path / name).write_text("mine")
    assert told in refused(origin.home.environment, "backup", str(tmp_path))
    assert contents(tmp_path) == {name: b"mine"}


def test_a_file_is_no_folder_for_a_backup(origin, tmp_path):
    (tmp_path / "file").touch()
    assert "no folder" in refused(origin.home.environment, "backup", str(tmp_path / "file"))


def test_an_empty_folder_is_taken_and_made_private(origin, tmp_path):
    (tmp_path / "b").mkdir(mode=0o755)
    run(origin.home.environment, "backup", str(tmp_path / "b"))
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def linking(tmp_path, monkeypatch):
    """Lets every other name of a file below this test's folder fail with an error's number."""
    link = os.link

    def fail(number: int) -> None:
        def refuse(source: Path, final: Path, **more: object) -> None:
            if Path(final).is_relative_to(tmp_path):
                raise OSError(number, os.strerror(number))
            link(source, final, **more)

        monkeypatch.setattr(os, "link", refuse)

    return fail


def test_a_disk_on_which_a_file_has_one_name_alone_takes_a_backup(
    origin, kept, there, tmp_path, linking
):
    linking(errno.EPERM)
    run(origin.home.environment, "backup", str(tmp_path / "b"), "--with-secret-key")
    assert contents(tmp_path / "b" / "results") == contents(kept / "results")
    run(there, "restore", str(tmp_path / "b"), "--dry-run")


def test_a_backup_that_fails_names_the_place_that_is_meant_and_leaves_it_empty(
    origin, tmp_path, linking
):
    linking(errno.ENOSPC)
    line = refused(origin.home.environment, "backup", str(tmp_path / "b"))
    assert f"{tmp_path}/b/results/" in line
    assert "no room left" in line
    assert list((tmp_path / "b").iterdir()) == []


def test_where_there_is_no_store_there_is_nothing_to_back_up_and_none_is_made(there, tmp_path):
    assert "export-tasks init" in refused(there, "backup", str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "there").exists()


def test_two_backups_into_one_folder_do_not_mix(origin, tmp_path):
    with alone_in(tmp_path, "A backup"):
        line = refused(origin.home.environment, "backup", str(tmp_path))
    assert f"Another backup is running in {tmp_path}: process {os.getpid()} on " in line


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Installation]:
    """An installation of its own, with two current files."""
    home = Home(tmp_path)
    made = Installation(home)
    made.tasks = [made.create(home.batch(3)), made.create(home.batch(4))]
    made.export()
    yield made
    home.close()


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (Path.unlink, "not there"),
        (lambda path: path.write_bytes(b"x"), "another file"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
)
def test_a_lost_result_is_told_with_exit_1_and_all_the_rest_is_a_backup(
    damaged, tmp_path, harm, why
):
    lost, whole = map(damaged.file, damaged.tasks)
    harm(lost)
    done = CliRunner(env=damaged.home.environment).invoke(
        cli, ["backup", str(tmp_path / "b"), "--with-secret-key", "--json"]
    )
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    (absent,) = told["absent"]
    assert (told["complete"], told["result_files"]) == (False, 1)
    assert absent["task_id"] == damaged.tasks[0]
    assert why in absent["why"]
    assert f"{absent['key']} is not in the backup" in done.stderr
    env = {**damaged.home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "there")}
    assert json.loads(run(env, "restore", str(tmp_path / "b"), "--json"))["complete"] is False
    assert [path.read_bytes() for path in (tmp_path / "there" / "results").glob("*.xls")] == [
        whole.read_bytes()
    ]
    assert "missing_result" in run(env, "doctor", exit_code=3)


def test_a_damaged_event_store_makes_no_backup(damaged, tmp_path):
    path = damaged.settings.home / "events.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 4] = b"\xff" * 8192
    path.write_bytes(content)
    assert "damaged" in refused(damaged.home.environment, "backup", str(tmp_path / "b"))
    assert list((tmp_path / "b").iterdir()) == []


def test_a_source_of_ones_own_is_not_copied(damaged, tmp_path):
    own = tmp_path / "own.sqlite"
    with closing(sqlite3.connect(own)) as database:
        database.execute("CREATE TABLE batch_tasks (x)")
    env = {**damaged.home.environment, "EXPORT_TASKS_SOURCE": f"sqlite:///{own}"}
    told = json.loads(run(env, "backup", str(tmp_path / "b"), "--json"))
    assert told["files"] == ["events.sqlite"]


def test_a_source_that_is_no_database_makes_no_backup(damaged, tmp_path):
    own = tmp_path / "own.sqlite"
    own.write_text("no database " * 500)
    env = {**damaged.home.environment, "EXPORT_TASKS_SOURCE": f"sqlite:///{own}"}
    assert str(own) in refused(env, "backup", str(tmp_path / "b"))


def test_a_superseded_file_that_was_swept_is_no_loss(damaged, tmp_path):
    first = damaged.file(damaged.tasks[0])
    again = damaged.create(json.loads(_condition(damaged, damaged.tasks[0]))["task_id"])
    damaged.export()
    first.unlink()
    told = json.loads(run(damaged.home.environment, "backup", str(tmp_path / "b"), "--json"))
    assert (told["complete"], told["result_files"]) == (True, 2)
    assert damaged.file(again) != first


def _condition(made: Installation, task_id: str) -> str:
    return json.loads(made.home.run("task", "show", task_id, "--json"))["resource_condition"]


def test_what_is_deleted_while_a_backup_runs_is_swept_after_it(damaged, tmp_path, monkeypatch):
    from api.upkeep import event_places

    copying = event_places.copy_database

    def then_delete(source: Path, target: Path) -> None:
        copying(source, target)
        if source.name == "events.sqlite":
            for each in damaged.tasks:
                damaged.delete(each)
            damaged.sweep()

    paths = [damaged.file(each) for each in damaged.tasks]
    monkeypatch.setattr(event_places, "copy_database", then_delete)
    told = json.loads(run(damaged.home.environment, "backup", str(tmp_path / "b"), "--json"))
    assert (told["complete"], told["result_files"]) == (True, 2)
    assert all(path.exists() for path in paths)
    damaged.sweep()
    assert not any(path.exists() for path in paths)


def test_a_writer_that_never_rests_neither_starves_a_backup_nor_is_starved(damaged, tmp_path):
    from tests.facts import Story

    stop, written = [], []

    def write() -> None:
        with Parts(damaged.settings) as parts:
            story = Story(parts.log.recorder)
            while not stop:
                story.limits()
                written.append(1)

    writer = Thread(target=write)
    writer.start()
    try:
        eventually(lambda: written)
        before = len(written)
        told = json.loads(run(damaged.home.environment, "backup", str(tmp_path / "b"), "--json"))
        assert len(written) > before
    finally:
        stop.append(1)
        writer.join()
    with closing(sqlite3.connect(tmp_path / "b" / "events.sqlite")) as copy:
        (count,) = copy.execute("SELECT count(*) FROM stored_events").fetchone()
    assert told["events"] == count
    env = {**damaged.home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "there")}
    env["EXPORT_TASKS_SECRET_KEY_FILE"] = str(damaged.settings.secret_file)
    run(env, "restore", str(tmp_path / "b"))


# Restore


def test_a_restored_home_is_the_same_under_a_new_incarnation(origin, kept, there, tmp_path):
    told = json.loads(run(there, "restore", str(kept), "--json"))
    manifest = json.loads((kept / MANIFEST).read_text())
    before = origin.home.run("event", "list", "--json").splitlines()
    *same, begun = run(there, "event", "list", "--json").splitlines()
    assert same == before
    begun = json.loads(begun)
    assert begun["event"] == "log.begun"
    assert begun["incarnation"] == told["incarnation"] != manifest["incarnation"]
    assert begun["previous"] == told["previous"] == manifest["incarnation"]
    assert begun["previous_count"] == len(before) == manifest["events"]
    assert begun["results"] == manifest["results_id"]
    for name in ("task", "user", "project", "batch"):
        assert run(there, name, "list", "--json") == origin.home.run(name, "list", "--json")
    files = contents(tmp_path / "there" / "results")
    assert files.pop(".export-tasks").decode() == manifest["results_id"]
    assert files == contents(kept / "results")
    assert json.loads(run(there, "doctor", "--deep", "--json")) == {"findings": []}
    assert not list((tmp_path / "there").rglob("*.draft"))
    assert not (tmp_path / "there" / ".restoring").exists()
    for name in ("events.sqlite", "source.sqlite", "secret.key"):
        assert (tmp_path / "there" / name).stat().st_mode & 0o777 == 0o600


def test_a_backup_is_not_touched_by_a_restore(kept, there):
    before = contents(kept)
    run(there, "restore", str(kept))
    assert contents(kept) == before


def test_a_restored_source_can_be_read_while_it_is_written(kept, there, tmp_path):
    run(there, "restore", str(kept))
    with closing(sqlite3.connect(tmp_path / "there" / "source.sqlite")) as source:
        assert source.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_backup_of_a_restored_home_can_be_restored(kept, there, tmp_path):
    run(there, "restore", str(kept))
    first = json.loads(run(there, "backup", str(tmp_path / "again"), "--with-secret-key", "--json"))
    there = {**there, "EXPORT_TASKS_HOME": str(tmp_path / "third")}
    told = json.loads(run(there, "restore", str(tmp_path / "again"), "--json"))
    assert told["previous"] == first["incarnation"]
    assert run(there, "doctor", "--json")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("events.sqlite", "EXPORT_TASKS_EVENTS"),
        ("events.sqlite-wal", "EXPORT_TASKS_EVENTS"),
        ("source.sqlite", "EXPORT_TASKS_SOURCE"),
        ("source.sqlite-wal", "EXPORT_TASKS_SOURCE"),
        (f"results/{'0' * 24}-1-00.xls", "EXPORT_TASKS_RESULTS"),
    ],
)
def test_a_place_that_is_not_empty_is_refused_by_name(kept, there, tmp_path, name, told):
    path = tmp_path / "there" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    message = refused(there, "restore", str(kept))
    assert told in message
    assert str(path.with_name(path.name.removesuffix("-wal"))) in message
    assert contents(tmp_path / "there") == {name: b"mine"}


def test_a_dry_run_verifies_all_and_changes_nothing(kept, there, tmp_path):
    told = json.loads(run(there, "restore", str(kept), "--dry-run", "--json"))
    done = json.loads(run(there, "restore", str(kept), "--json"))
    same = ("events", "position", "last_event", "result_files", "files", "bytes")
    assert {name: told[name] for name in same} == {name: done[name] for name in same}
    assert told["incarnation"] == done["previous"]


def test_a_dry_run_leaves_no_file_behind(kept, there, tmp_path):
    run(there, "restore", str(kept), "--dry-run")
    assert contents(tmp_path / "there") == {}


def test_a_dry_run_refuses_what_a_restore_refuses(origin, spoilt, kept, there):
    assert "is there already" in refused(origin.home.environment, "restore", str(kept), "--dry-run")
    (spoilt / "source.sqlite").unlink()
    assert "is missing" in refused(there, "restore", str(spoilt), "--dry-run")


def test_a_result_that_is_there_under_a_key_of_the_backup_stays_as_it_is(kept, there, tmp_path):
    name = next((kept / "results").iterdir()).name
    (tmp_path / "there" / "results").mkdir(parents=True)
    (tmp_path / "there" / "results" / name).write_text("mine")
    assert "and another" in refused(there, "restore", str(kept))
    assert (tmp_path / "there" / "results" / name).read_text() == "mine"
    assert not (tmp_path / "there" / "events.sqlite").exists()


def test_a_store_that_is_made_meanwhile_is_not_overwritten(kept, there, tmp_path, monkeypatch):
    def then_make(path: Path):
        (tmp_path / "there" / "events.sqlite").write_text("mine")
        return read_copy(path)

    monkeypatch.setattr("api.upkeep.restore.read_copy", then_make)
    assert "was made meanwhile" in refused(there, "restore", str(kept))
    assert (tmp_path / "there" / "events.sqlite").read_text() == "mine"
    assert not (tmp_path / "there" / ".restoring").exists()


def test_two_restores_into_one_home_do_not_mix(kept, there, tmp_path):
    (tmp_path / "there").mkdir()
    with alone_in(tmp_path / "there", "A restore"):
        line = refused(there, "restore", str(kept))
    assert f"Another restore is running in {tmp_path}/there: process {os.getpid()} on " in line


def test_results_of_another_log_are_refused(kept, there, tmp_path):
    (tmp_path / "there" / "results").mkdir(parents=True)
    (tmp_path / "there" / "results" / ".export-tasks").write_text("another")
    assert "another event log" in refused(there, "restore", str(kept))


def test_the_home_it_was_made_of_is_not_empty(origin, kept):
    assert "is there already" in refused(origin.home.environment, "restore", str(kept))


def test_a_folder_without_a_manifest_is_no_backup(there, tmp_path):
    for each in (tmp_path, tmp_path / "nowhere"):
        assert "is no backup" in refused(there, "restore", str(each))


@pytest.fixture
def spoilt(kept: Path, tmp_path: Path) -> Path:
    """A copy of the backup, to be spoilt."""
    return Path(shutil.copytree(kept, tmp_path / "spoilt"))


def rewrite(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "another version"),
        ({"events": "many"}, "cannot be read"),
        ({"files": {"../x": {"size": 1, "sha256": ""}}}, "../x"),
        ({"results": {"../x": {"size": 1, "sha256": ""}}}, "../x"),
        ({"unknown": 1}, "cannot be read"),
        ({"events": 3}, "not the one of its manifest"),
        ({"last_event": "00"}, "not the one of its manifest"),
        ({"results_id": "00"}, "not the one of its manifest"),
        ({"frozen": 1}, "not the one of its manifest"),
        ({"results": {}}, "current result"),
    ],
    ids=str,
)
def test_a_manifest_that_is_not_of_its_backup_is_refused(spoilt, there, tmp_path, changes, told):
    rewrite(spoilt, **changes)
    assert told in refused(there, "restore", str(spoilt))
    assert contents(tmp_path / "there") == {}


@pytest.mark.parametrize("name", ["events.sqlite", "source.sqlite", "secret.key", "results/*"])
@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_a_damaged_backup_is_refused_and_nothing_is_put_in_place(
    spoilt, there, tmp_path, name, harm
):
    path = next(spoilt.glob(name))
    content = path.read_bytes()
    path.unlink() if harm == "missing" else path.write_bytes(
        content[:-1] + bytes([content[-1] ^ 1])
    )
    message = refused(there, "restore", str(spoilt))
    assert str(path) in message
    assert ("is missing" if harm == "missing" else "was altered") in message
    assert contents(tmp_path / "there") == {}


def test_without_its_secret_key_a_backup_asks_for_it(origin, there, tmp_path):
    run(origin.home.environment, "backup", str(tmp_path / "b"))
    assert "EXPORT_TASKS_SECRET_KEY_FILE" in refused(there, "restore", str(tmp_path / "b"))
    wrong = {**there, "EXPORT_TASKS_SECRET_KEY": "w" * 43}
    assert "not the key" in refused(wrong, "restore", str(tmp_path / "b"))
    assert contents(tmp_path / "there") == {}
    given = {**there, "EXPORT_TASKS_SECRET_KEY_FILE": str(origin.settings.secret_file)}
    run(given, "restore", str(tmp_path / "b"))
    assert not (tmp_path / "there" / "secret.key").exists()
    assert run(given, "user", "list", "--json") == origin.home.run("user", "list", "--json")


def test_a_secret_key_that_was_put_in_the_home_before_is_used(origin, there, tmp_path):
    run(origin.home.environment, "backup", str(tmp_path / "b"))
    (tmp_path / "there").mkdir()
    shutil.copy(origin.settings.secret_file, tmp_path / "there" / "secret.key")
    run(there, "restore", str(tmp_path / "b"))
    assert "admin" in run(there, "user", "list")


def test_a_home_that_never_served_can_be_backed_up_and_restored(tmp_path):
    home = Home(tmp_path)
    run(home.environment, "backup", str(tmp_path / "b"), "--with-secret-key")
    env = {**home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "there")}
    told = json.loads(run(env, "restore", str(tmp_path / "b"), "--json"))
    assert (told["previous"], told["files"]) == (None, ["events.sqlite", "secret.key"])


def test_a_node_with_old_read_tables_builds_them_anew(origin, kept, there, tmp_path):
    ahead = origin.create(origin.other)
    assert ahead in origin.home.run("task", "list")
    shutil.copytree(origin.settings.read_dir, tmp_path / "there" / "read")
    before = (tmp_path / "there" / "read" / f"current-v{VERSION}").read_text()
    run(there, "restore", str(kept))
    listed = run(there, "task", "list")
    assert ahead not in listed
    assert origin.waiting in listed
    assert (tmp_path / "there" / "read" / f"current-v{VERSION}").read_text() != before
    origin.delete(ahead)


# Cut off


@pytest.fixture(params=[KILLS, pytest.param(1000, marks=pytest.mark.long)], ids=["some", "all"])
def kills(request) -> int:
    return request.param


def points(calls: int, kills: int) -> list[int]:
    """At which calls to be killed; the last one is a call too many."""
    return sorted({1 + number * calls // (kills - 1) for number in range(kills)})


def test_a_backup_that_is_killed_is_no_backup_and_holds_nothing_up(origin, tmp_path, kills):
    folder, environment = tmp_path / "b" / "backup", origin.home.environment
    calls, finished = calls_of(backing_up, environment, folder), 0
    for number in points(calls, kills):
        shutil.rmtree(tmp_path / "b", ignore_errors=True)
        killed = is_cut_off(number, backing_up, environment, folder)
        with Parts(origin.settings) as parts, parts.results.hold():
            pass
        env = {**environment, "EXPORT_TASKS_HOME": str(tmp_path / f"there-{number}")}
        if (folder / MANIFEST).exists():
            finished += 1
            run(env, "restore", str(folder))
        else:
            assert killed
            assert "is no backup" in refused(env, "restore", str(folder))
    assert finished
    assert json.loads(run(environment, "doctor", "--json")) == {"findings": []}


def test_a_restore_that_is_killed_is_completed_by_another(kept, there, tmp_path, kills):
    home, before, finished = tmp_path / "there", contents(kept), 0
    linked = tmp_path / "kept"
    linked.symlink_to(kept)
    calls = calls_of(restoring, there, linked)
    for number in points(calls, kills):
        shutil.rmtree(home, ignore_errors=True)
        killed = is_cut_off(number, restoring, there, linked)
        if (home / "events.sqlite").exists():
            finished += 1
        else:
            assert killed
            run(there, "restore", str(linked))
        assert json.loads(run(there, "doctor", "--deep", "--json")) == {"findings": []}
        topics = [line.split()[2] for line in run(there, "event", "list").splitlines()]
        assert topics.count("log.begun") == 2
    assert finished
    assert contents(kept) == before


def test_what_a_killed_restore_leaves_is_not_served(kept, there, tmp_path):
    home, linked = tmp_path / "there", tmp_path / "kept"
    linked.symlink_to(kept)
    number = calls_of(restoring, there, linked)
    while not list(home.glob("results/*.xls")) or (home / "events.sqlite").exists():
        shutil.rmtree(home, ignore_errors=True)
        number -= 4
        assert is_cut_off(number, restoring, there, linked)
    assert "unfinished_restore" in run(there, "doctor", exit_code=3)
    assert "export-tasks restore" in refused(there, "serve", "--port", "0")
    assert "is there already" in refused(there, "restore", str(linked))


# A service


def client(home: Home, endpoint: str) -> IoTDAClient:
    keys = home.begun
    credentials = BasicCredentials(keys["access_key"], keys["secret_key"], home.project)
    return IoTDAClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()


def asked(api: IoTDAClient, batch: str) -> str:
    body = AddExportTask(resource_type="BatchTask", resource_condition={"task_id": batch})
    return api.create_export_task(CreateExportTaskRequest(body=body)).export_task_id


def statuses(api: IoTDAClient) -> dict[str, str]:
    listed = api.list_export_tasks(ListExportTasksRequest(limit=50)).export_tasks
    return {each.export_task_id: each.status for each in listed}


def downloaded(api: IoTDAClient, task_id: str) -> bytes:
    return api.show_export_task(ShowExportTaskRequest(export_task_id=task_id)).raw_content


class Restored(Home):
    """A home that a restore made, with the keys of the one before."""

    def __init__(self, folder: Path, before: Home, environment: dict[str, str]) -> None:
        self.folder, self.services, self.environment = folder, [], environment
        self.begun, self.project = before.begun, before.project


@pytest.fixture
def source(database):
    """Batch tasks of which a long one is held at half."""
    with closing(Gated(database)) as source:
        source.shut()
        yield source


def test_a_backup_of_a_busy_service_is_restored_and_served_on(tmp_path, source):
    how = {"lease": "2s", "source": source.url}
    home = Home(tmp_path / "first", "--project", "plant-1", **how)
    home.run("limits", "set", "--download-interval", "0")
    batches = [source.put(100 * number) for number in range(1, 4)]
    service = home.serve("--exporters", "2")
    api = client(home, service.endpoint)
    first = [asked(api, each) for each in batches]
    eventually(lambda: set(statuses(api).values()) == {"Success"})
    files = {each: downloaded(api, each) for each in first}
    running = asked(api, source.long)
    eventually(lambda: api.list_export_tasks(ListExportTasksRequest()).export_tasks[0].export_count)
    stop = []

    def bustle() -> None:
        while not stop:
            task = asked(api, batches[0])
            eventually(lambda task=task: statuses(api)[task] == "Success")
            api.delete_export_task(DeleteExportTaskRequest(export_task_id=task))

    client_thread = Thread(target=bustle)
    client_thread.start()
    told = json.loads(home.run("backup", str(tmp_path / "b"), "--with-secret-key", "--json"))
    stop.append(1)
    client_thread.join()
    assert told["complete"] is True
    later = asked(api, batches[1])
    service.kill_everything()
    source.open()

    env = {**home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "there")}
    second = Restored(tmp_path, home, env)
    second.run("restore", str(tmp_path / "b"))
    # What an attempt of the time after the backup left: the number is given again, the key is not.
    stale = tmp_path / "there" / "results" / f"{running}-2-0000000000000000.xls"
    stale.write_bytes(b"of another time")
    service = second.serve()
    try:
        api = client(home, service.endpoint)
        found = statuses(api)
        assert set(first) <= set(found)
        assert running in found
        assert later not in found
        assert [downloaded(api, each) for each in first[1:]] == [files[each] for each in first[1:]]
        assert len(downloaded(api, first[0])) == len(files[first[0]])
        eventually(lambda: statuses(api)[running] == "Success")
        assert downloaded(api, running)[:8] == bytes.fromhex("d0cf11e0a1b11ae1")
        again = asked(api, batches[2])
        assert again > max(first)
        eventually(lambda: statuses(api)[again] == "Success")
        assert '"attempt": 2' in second.run("task", "show", running, "--json")
        assert service.stop() == 0
    finally:
        second.close()
    assert json.loads(second.run("doctor", "--deep", "--json")) == {"findings": []}


def test_a_home_is_made_and_restored_on_a_disk_on_which_a_file_has_one_name_alone(
    kept, tmp_path, linking
):
    linking(errno.EPERM)
    home = Home(tmp_path / "second")
    home.batch(1)
    made = Installation(home)
    made.create(home.batch(5))
    made.export()
    run(home.environment, "task", "list")
    run(home.environment, "audit", "checkpoint", "--now")
    there = {**home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "third")}
    run(there, "restore", str(kept))
    assert json.loads(run(there, "doctor", "--deep", "--json")) == {"findings": []}
    home.close()
