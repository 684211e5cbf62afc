"""`doctor` where the event store is a database: the same faults are found, and nothing is made."""

from __future__ import annotations

import json
import shutil
import socket
from threading import Timer

import pytest
from click.testing import CliRunner

from scripts.cli import cli
from tests.installation import Installation
from tests.invoked import invoke
from tests.meddling import alter, run
from tests.service import Home

KEY = "a secret key of many characters.."
STANDS = 30.0
"""Seconds after which a silent server hangs up: whoever would wait for that waited too long."""


@pytest.fixture
def made(tmp_path, database):
    """An installation with one export, made, and this node's tables read."""
    made = Installation(Home(tmp_path, events=database.fresh(), secret_key=KEY))
    made.task_id = made.create(made.home.batch(3))
    made.export()
    made.home.run("task", "list")
    yield made
    made.home.close()


def found(environment, *options, exit_code=3):
    done = CliRunner(env=environment).invoke(
        cli, ["doctor", "--json", *options], catch_exceptions=False
    )
    assert done.exit_code == exit_code, done.output
    return {
        each["code"]: f"{each['what']} {each['mend']}"
        for each in json.loads(done.stdout)["findings"]
    }


@pytest.fixture
def silent():
    """The address of a server that takes connections and never speaks."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends = Timer(STANDS, listener.close)
    ends.start()
    yield f"postgresql://127.0.0.1:{listener.getsockname()[1]}/log"
    told_in_time = ends.is_alive()
    ends.cancel()
    listener.close()
    assert told_in_time


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        (["doctor"], 4),
        (["limits", "show"], 1),
        (["audit", "verify"], 4),
        (["migrate", "--dry-run"], 1),
    ],
)
def test_a_database_that_does_not_speak_is_told_and_not_waited_for(
    tmp_path, silent, command, exit_code
):
    environment = {
        "EXPORT_TASKS_HOME": str(tmp_path),
        "EXPORT_TASKS_EVENTS": silent,
        "EXPORT_TASKS_SECRET_KEY": KEY,
    }
    done = invoke(environment, *command, exit_code=exit_code)
    assert "timeout expired" in done.output


def test_where_nothing_is_wrong_nothing_is_found(made):
    assert found(made.home.environment, "--deep", exit_code=0) == {}


def test_an_empty_database_is_told_and_stays_empty(made, database):
    url = database.fresh()
    env = {**made.home.environment, "EXPORT_TASKS_EVENTS": url}
    assert "export-tasks init" in found(env)["nothing_here"]
    assert run(url, "SELECT to_regclass('stored_events')") == [(None,)]
    CliRunner(env=env).invoke(cli, ["migrate"])
    assert "export-tasks init" in found(env)["nothing_here"]
    assert run(url, "SELECT count(*) FROM people") == [(0,)]


def test_a_restore_that_was_cut_off_is_told(made, database, tmp_path):
    env = {**made.home.environment, "EXPORT_TASKS_EVENTS": database.fresh()}
    (tmp_path / "home" / ".restoring").mkdir()
    assert "restore FROM" in found(env)["unfinished_restore"]


def test_a_database_that_does_not_answer_is_told_without_its_password(made):
    url = "postgresql://ann:geheim@127.0.0.1:1/log"
    told = found({**made.home.environment, "EXPORT_TASKS_EVENTS": url}, exit_code=4)
    assert "127.0.0.1:1/log" in told["store_unreachable"]
    assert "geheim" not in str(told)


def test_another_secret_key_and_none_are_told(made):
    env = {**made.home.environment, "EXPORT_TASKS_SECRET_KEY": "k" * 32}
    assert "not the one" in found(env)["wrong_secret_key"]
    del env["EXPORT_TASKS_SECRET_KEY"]
    (made.settings.home / "secret.key").write_text(KEY)
    assert "must be given" in found(env)["wrong_secret_key"]


@pytest.mark.parametrize(
    ("key", "told"), [(None, "must be given"), ("k" * 32, "SECRET_KEY is not the key")]
)
@pytest.mark.parametrize("program", ["serve", "exporter"])
def test_a_node_without_the_key_or_with_another_does_not_start(made, tmp_path, program, key, told):
    env = {**made.home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "node")}
    del env["EXPORT_TASKS_SECRET_KEY"]
    if key:
        env["EXPORT_TASKS_SECRET_KEY"] = key
    arguments = [program, "--port", "0"] if program == "serve" else [program]
    done = CliRunner(env=env).invoke(cli, arguments, catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr


def test_a_log_that_is_not_the_one_that_was_read_is_told(made):
    alter(made.settings.events, "DELETE FROM stored_events WHERE topic = 'task.completed'")
    assert "rebuild --accept-history" in found(made.home.environment)["restored_log"]


def test_an_event_that_was_altered_shows_in_the_read_tables(made):
    alter(
        made.settings.events,
        "UPDATE stored_events SET state = CAST(replace(state, '\"size\":', '\"size\":1') AS BLOB)"
        " WHERE topic = 'task.completed'",
    )
    told = found(made.home.environment)
    assert told.keys() & {"altered_read_tables", "restored_log"}


def test_a_lost_result_is_told(made):
    made.file(made.task_id).unlink()
    assert made.task_id in found(made.home.environment)["missing_result"]


def test_results_of_another_log_are_told(made, database, tmp_path):
    other = Home(tmp_path / "other", events=database.fresh(), secret_key=KEY)
    taken = Installation(other)
    taken.export()
    env = {**made.home.environment, "EXPORT_TASKS_RESULTS": taken.settings.results}
    assert "another event log" in found(env)["results_claimed"]
    other.close()


def test_read_tables_of_another_log_are_told(made, database, tmp_path):
    other = Installation(Home(tmp_path / "other", events=database.fresh(), secret_key=KEY))
    other.export()
    shutil.rmtree(made.settings.read_dir)
    other.home.run("task", "list")
    shutil.copytree(other.settings.read_dir, made.settings.read_dir)
    assert "rebuild" in found(made.home.environment)["foreign_read_tables"]
    other.home.close()
