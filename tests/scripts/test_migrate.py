"""`migrate`: tables made by many at once; an embedded log moved to a database, or not at all."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from contextlib import closing
from hashlib import sha256
from random import Random
from time import sleep
from typing import TYPE_CHECKING

import psycopg
import pytest

from api.access.vault_tables import COLUMNS
from api.audit.log import Log
from api.audit.stored import NothingStored, open_events
from api.parts import Parts
from api.settings import Settings
from api.upkeep import database_copies
from projections.log import open_log
from projections.tables import ReadTables
from scripts.group import command_line
from tests.cut_off import calls_of, is_cut_off, migrating
from tests.facts import Story
from tests.installation import Installation
from tests.invoked import invoke, refused, told
from tests.meddling import alter, run
from tests.service import Home, eventually

if TYPE_CHECKING:
    from pathlib import Path

NODES = 10
KILLS = 6


@pytest.fixture
def made(tmp_path):
    """An embedded installation with two files that are current, and a task that waits."""
    made = Installation(Home(tmp_path))
    made.tasks = [made.create(made.home.batch(5)), made.create(made.home.batch(7))]
    made.export()
    made.tasks.append(made.create(made.home.batch(5)))
    yield made
    made.home.close()


@pytest.fixture
def to(database):
    return database.fresh()


@pytest.fixture
def moved(made, to, tmp_path):
    """What `migrate` says is to be set, on another machine: with a home of its own."""
    return {
        **made.home.environment,
        "EXPORT_TASKS_HOME": str(tmp_path / "elsewhere"),
        "EXPORT_TASKS_EVENTS": to,
        "EXPORT_TASKS_RESULTS": f"file://{tmp_path}/results",
        "EXPORT_TASKS_SOURCE": made.settings.source,
        "EXPORT_TASKS_SECRET_KEY_FILE": str(made.settings.secret_file),
    }


def content(url):
    """Events and vault, and the root over the events."""
    with open_events(url) as events:
        rows = [row for page in events.pages() for row in page]
        return rows, {each: events.beside(each) for each in COLUMNS}, Log(events).leaves.root()


def count(url):
    try:
        with open_events(url) as events:
            return events.count()
    except NothingStored:
        return 0


def files(folder: Path) -> dict[str, str]:
    found = folder.glob("*.xls")
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in found}


# Tables


def test_ten_nodes_make_the_tables_of_a_database_at_once(to, tmp_path):
    environment = {"EXPORT_TASKS_HOME": str(tmp_path), "EXPORT_TASKS_EVENTS": to}
    nodes = [
        subprocess.Popen(
            command_line("migrate", "--json"),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(NODES)
    ]
    ended = [(node.communicate(timeout=120), node.returncode) for node in nodes]
    assert [code for _, code in ended] == [0] * NODES, ended
    assert {json.loads(out)["tables"] for (out, _), _ in ended} == {"there"}
    assert count(to) == 0
    for table in (*COLUMNS, "tries"):
        assert run(to, f"SELECT count(*) FROM {table}") == [(0,)]


def test_whoever_may_not_make_tables_may_serve_from_those_that_are_there(database, tmp_path):
    to = database.fresh()
    schema = to.rpartition("%3D")[2]
    environment = {"EXPORT_TASKS_HOME": str(tmp_path), "EXPORT_TASKS_EVENTS": to}
    invoke(environment, "migrate")
    alter(
        to,
        f"CREATE ROLE {schema} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {schema}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {schema}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {schema}",
    )
    environment["EXPORT_TASKS_EVENTS"] = to.replace("postgres@", f"{schema}@")
    environment["EXPORT_TASKS_SECRET_KEY"] = "k" * 32
    invoke(environment, "init")
    assert len(told(environment, "user", "list")) == 1
    assert "tables" in told(environment, "migrate")


def test_the_tables_of_a_file_are_made_again_and_again(tmp_path):
    environment = {"EXPORT_TASKS_HOME": str(tmp_path)}
    for _ in range(2):
        assert told(environment, "migrate")["event_store"].startswith("sqlite:///")
    assert count(f"sqlite:///{tmp_path}/events.sqlite") == 0
    assert not (tmp_path / "secret.key").exists()


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path):
    url = "postgresql://ann:geheim@127.0.0.1:1/log"
    line = refused({"EXPORT_TASKS_HOME": str(tmp_path), "EXPORT_TASKS_EVENTS": url}, "migrate")
    assert "ann:…@127.0.0.1:1" in line
    assert "geheim" not in line


# A log


def test_a_log_is_the_same_in_the_database_and_its_files_where_they_should_be(made, to, moved):
    home = made.settings.home
    before = content(made.settings.events)
    results = moved["EXPORT_TASKS_RESULTS"]
    found = told(made.home.environment, "migrate", "--to", to, "--results-to", results)
    assert content(to) == before == content(made.settings.events)
    assert (found["events"], found["added"]) == (len(before[0]), len(before[0]))
    assert (found["root"], found["result_files"]) == (before[2].hex(), 2)
    begun = json.loads(next(row[4] for row in before[0] if row[3] == "log.begun"))
    assert found["incarnation"] == begun["incarnation"]
    assert found["set"] == {
        "EXPORT_TASKS_EVENTS": to,
        "EXPORT_TASKS_RESULTS": results,
        "EXPORT_TASKS_SOURCE": made.settings.source,
        "EXPORT_TASKS_SECRET_KEY_FILE": f"a copy of {made.settings.secret_file}",
    }
    folder = made.home.folder / "results"
    assert files(folder) == files(home / "results")
    assert len(files(folder)) == 2
    assert (folder / ".export-tasks").read_text() == begun["results"]
    for each in (["task", "list"], ["user", "list"], ["project", "list"], ["batch", "list"]):
        assert told(moved, *each) == told(made.home.environment, *each)
    assert told(moved, "doctor", "--deep") == {"findings": []}


def test_files_are_moved_to_a_bucket(made, to, moved, bucket_url):
    moved |= {"EXPORT_TASKS_RESULTS": bucket_url}
    for _ in range(2):
        found = told(made.home.environment, "migrate", "--to", to, "--results-to", bucket_url)
        assert (found["result_files"], found["absent"]) == (2, [])
    assert told(moved, "doctor", "--deep") == {"findings": []}


def test_a_dry_run_says_what_would_be_copied_and_copies_nothing(made, to, tmp_path):
    environment = made.home.environment
    planned = told(environment, "migrate", "--to", to, "--dry-run")
    assert planned["added"] == planned["events"] > 0
    elsewhere = {**environment, "EXPORT_TASKS_EVENTS": to, "EXPORT_TASKS_SECRET_KEY": "k" * 40}
    assert told(elsewhere, "migrate", "--dry-run")["tables"] == "would be made"
    assert told(environment, "migrate", "--dry-run")["tables"] == "there"
    assert told(elsewhere, "migrate")["tables"] == "there"
    assert told(elsewhere, "migrate", "--dry-run")["tables"] == "there"
    done = told(environment, "migrate", "--to", to)
    assert done["added"] == planned["events"]
    assert told(environment, "migrate", "--to", to, "--dry-run")["added"] == 0
    assert "sqlite:///" in refused(environment, "migrate", "--to", "file:///x", "--dry-run")


def test_on_the_moved_log_the_waiting_are_exported_and_positions_go_on(made, to, moved):
    results = moved["EXPORT_TASKS_RESULTS"]
    invoke(made.home.environment, "migrate", "--to", to, "--results-to", results)
    last = content(to)[0][-1][0]
    there = Installation(made.home, Settings.read(moved))
    there.export()
    assert {each["status"] for each in told(moved, "task", "list")} == {"Success"}
    assert content(to)[0][len(content(made.settings.events)[0])][0] == last + 1


def test_this_nodes_read_tables_stay_as_they_are(made, to, moved):
    invoke(made.home.environment, "task", "list")
    current = ReadTables(made.settings.read_dir).current()
    assert current
    invoke(made.home.environment, "migrate", "--to", to)
    here = moved | {"EXPORT_TASKS_HOME": str(made.settings.home)}
    listed = told(here, "task", "list")
    assert ReadTables(made.settings.read_dir).current() == current
    assert len(listed) == 3
    assert told(here, "rebuild", "--compare")["differences"] == []


def test_a_lost_file_is_told_with_exit_1_and_the_rest_is_moved(made, to, moved):
    made.file(made.tasks[0]).unlink()
    results = moved["EXPORT_TASKS_RESULTS"]
    arguments = ("migrate", "--to", to, "--results-to", results, "--json")
    done = invoke(made.home.environment, *arguments, exit_code=1)
    found = json.loads(done.stdout)
    assert [each["task_id"] for each in found["absent"]] == [made.tasks[0]]
    assert found["result_files"] == 1
    assert count(to) == found["events"]
    assert "was not copied: it is not there" in done.stderr


def test_another_file_that_is_as_long_is_no_copy_and_is_left_alone(made, to, moved, tmp_path):
    right = made.file(made.tasks[0])
    (tmp_path / "results").mkdir()
    wrong = tmp_path / "results" / right.name
    wrong.write_bytes(bytes(right.stat().st_size))
    arguments = ("migrate", "--to", to, "--results-to", moved["EXPORT_TASKS_RESULTS"], "--json")
    found = json.loads(invoke(made.home.environment, *arguments, exit_code=1).stdout)
    assert [each["task_id"] for each in found["absent"]] == [made.tasks[0]]
    assert found["result_files"] == 1
    assert wrong.read_bytes() == bytes(right.stat().st_size)


def test_the_last_lines_say_what_to_set(made, to):
    done = invoke(made.home.environment, "migrate", "--to", to)
    assert "Never serve from it again" in done.stderr
    assert f"EXPORT_TASKS_EVENTS           {to}\n" in done.stdout


def test_what_came_to_the_source_since_is_added_by_another_run(made, to):
    first = told(made.home.environment, "migrate", "--to", to)
    assert told(made.home.environment, "migrate", "--to", to)["added"] == 0
    made.home.run("limits", "set", "--kept", "49")
    made.home.run("user", "add", "ben", "--project", made.home.project, "--admin")
    again = told(made.home.environment, "migrate", "--to", to)
    assert again["added"] == again["events"] - first["events"] > 1
    assert content(to) == content(made.settings.events)


def test_a_database_that_went_on_by_itself_is_no_beginning_of_the_source(made, to, moved):
    invoke(made.home.environment, "migrate", "--to", to)
    invoke(moved, "limits", "set", "--kept", "49")
    before = content(to)
    line = refused(made.home.environment, "migrate", "--to", to)
    assert f"from position {before[0][-1][0]} on" in line
    made.home.run("limits", "set", "--kept", "48")
    assert "other events" in refused(made.home.environment, "migrate", "--to", to)
    assert content(to) == before


def test_a_database_of_another_log_is_left_alone(made, to, tmp_path):
    other = Home(tmp_path / "other", events=to, secret_key="k" * 32)
    before = content(to)
    assert "other events" in refused(made.home.environment, "migrate", "--to", to)
    assert content(to) == before
    other.close()


def test_the_place_of_another_logs_results_is_refused(made, to, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".export-tasks").write_text("another")
    arguments = ("migrate", "--to", to, "--results-to", f"file://{tmp_path}/results")
    assert "another event log" in refused(made.home.environment, *arguments)
    assert count(to) == 0


def test_a_copy_that_is_not_the_same_is_never_seen(made, to, monkeypatch):
    monkeypatch.setattr(database_copies, "_NEXT", "UPDATE stored_events SET topic = 'x'")
    line = refused(made.home.environment, "migrate", "--to", to)
    assert "differs from position 1" in line
    monkeypatch.setattr(database_copies, "_NEXT", "DELETE FROM stored_events WHERE topic > 'u'")
    assert "differs from position" in refused(made.home.environment, "migrate", "--to", to)
    assert count(to) == 0
    monkeypatch.undo()
    monkeypatch.setattr(database_copies, "insert", lambda table, _: _wrong(table))
    assert "differs in the table" in refused(made.home.environment, "migrate", "--to", to)
    assert count(to) == 0


def _wrong(table: str) -> str:
    values = ", ".join(["%s"] * len(COLUMNS[table]))
    return f"INSERT INTO {table} SELECT * FROM (VALUES ({values})) AS v WHERE '{table}' = 'people'"


@pytest.mark.parametrize("change", ["originator_id = 'x'", "topic = CAST(x'ff' AS TEXT)"])
def test_what_no_database_takes_is_told(made, to, change):
    alter(made.settings.events, f"UPDATE stored_events SET {change} WHERE rowid = 2")
    assert "cannot be copied" in refused(made.home.environment, "migrate", "--to", to)
    assert count(to) == 0


# Others


def test_while_the_service_runs_nothing_is_moved(made, to):
    made.home.serve()
    assert "serve" in refused(made.home.environment, "migrate", "--to", to)
    assert count(to) == 0


def test_while_anybody_has_the_store_open_nothing_is_moved(made, to):
    following = subprocess.Popen(
        command_line("event", "list", "--follow"),
        env=made.home.environment,
        stdout=subprocess.PIPE,
    )
    assert following.stdout.readline()
    assert "open: stop the service" in refused(made.home.environment, "migrate", "--to", to)
    following.send_signal(signal.SIGKILL)
    following.communicate()
    assert count(to) == 0
    assert told(made.home.environment, "migrate", "--to", to)["added"] > 0
    made.home.run("limits", "set", "--kept", "49")


def test_nobody_writes_to_the_source_meanwhile(made, to, monkeypatch):
    before, copying = content(made.settings.events), database_copies.compare

    def meanwhile(*arguments):
        env = {**made.home.environment}
        done = subprocess.run(
            command_line("limits", "set", "--kept", "48"),
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "locked" in done.stderr
        return copying(*arguments)

    monkeypatch.setattr(database_copies, "compare", meanwhile)
    invoke(made.home.environment, "migrate", "--to", to)
    assert content(to) == before == content(made.settings.events)


def test_a_database_that_somebody_is_writing_to_is_left_alone(made, to, monkeypatch):
    monkeypatch.setattr(database_copies, "WRITERS_MOST_SECONDS", 1)
    invoke(made.home.environment | {"EXPORT_TASKS_EVENTS": to}, "migrate")
    with closing(psycopg.connect(to)) as other:
        other.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        assert "writing to" in refused(made.home.environment, "migrate", "--to", to)
    assert count(to) == 0


@pytest.mark.parametrize(
    ("events", "to"),
    [
        (None, "sqlite:////nowhere/events.sqlite"),
        ("postgresql://127.0.0.1:1/a", "postgresql://127.0.0.1:1/b"),
    ],
)
def test_only_a_file_is_moved_and_only_to_a_database(made, events, to):
    environment = {**made.home.environment, "EXPORT_TASKS_SECRET_KEY": "k" * 32}
    if events:
        environment["EXPORT_TASKS_EVENTS"] = events
    assert "backup and restore" in refused(environment, "migrate", "--to", to)


def test_where_there_is_no_event_store_there_is_nothing_to_move(to, tmp_path):
    environment = {"EXPORT_TASKS_HOME": str(tmp_path / "none")}
    assert "export-tasks init" in refused(environment, "migrate", "--to", to)
    assert not (tmp_path / "none" / "events.sqlite").exists()


def test_results_alone_are_not_moved(made):
    arguments = ("migrate", "--results-to", "file:///nowhere")
    assert "goes with --to" in invoke(made.home.environment, *arguments, exit_code=2).stderr


# Cut off


def test_killed_while_it_copies_files_it_is_completed_by_another(made, database, tmp_path):
    folder = tmp_path / "b" / "results"

    def environment() -> dict[str, str]:
        shutil.rmtree(tmp_path / "b", ignore_errors=True)
        return {**made.home.environment, "TO": database.fresh()}

    calls = calls_of(migrating, environment(), folder)
    before = content(made.settings.events)
    for number in sorted({1 + each * calls // (KILLS - 1) for each in range(KILLS)}):
        env = environment()
        if is_cut_off(number, migrating, env, folder):
            assert count(env["TO"]) == 0
        assert not is_cut_off(0, migrating, env, folder)
        assert content(env["TO"]) == before
        assert files(folder) == files(made.settings.home / "results")
        assert not list((folder / ".spool").iterdir())


def test_killed_at_any_moment_there_is_all_of_a_log_or_nothing(made, database):
    with Parts(made.settings) as parts:
        story = Story(parts.log.recorder)
        for _ in range(3000):
            story.limits()
    before, chance, seen = content(made.settings.events), Random(1), set()
    for _ in range(KILLS):
        to = database.fresh()
        invoke(made.home.environment | {"EXPORT_TASKS_EVENTS": to}, "migrate")
        process = subprocess.Popen(
            command_line("migrate", "--to", to), env=made.home.environment, stderr=subprocess.PIPE
        )
        sleep(0.3 + chance.random())
        process.kill()
        process.communicate()
        seen.add(found := eventually(lambda to=to: _settled(to)))
        assert found in (f"{len(before[0])}", "nothing")
        assert told(made.home.environment, "migrate", "--to", to)["root"] == before[2].hex()
        assert content(to) == before
    with closing(open_log(made.settings.events)) as log:
        assert log.recorder.max_notification_id() == before[0][-1][0]


def _settled(to: str) -> str | None:
    """How many events there are once the server has noticed that nobody writes any more."""
    ((writers,),) = run(
        to,
        "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND relation = "
        "'stored_events'::regclass",
    )
    return None if writers else str(count(to) or "nothing")
