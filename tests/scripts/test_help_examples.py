"""Every example in `--help` does what it says: each is run, and prints only what it should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts.command_tree import described
from scripts.group import command_line
from tests.client import client_of
from tests.meddling import alter
from tests.prepared import BACKUP, PASSWORD, TASK, Prepared
from tests.service import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.prepared import Place

EXAMPLES = sorted({line for each in described() for line in each.examples})
WITHOUT_END = ("serve", "exporter", "event list --follow", "demo")
MOVING = "migrate --to"
CLIENTS = ("export", "quota")

BEGIN = ("init",)
"""Examples of an empty home; others of one that has had its `init` alone, or of a full one."""

FIRST = ("project add", "user add", "app add")
RESTORING = ("restore /",)
IN_PLACE = ("restore --in-place",)
TYPED = {"user password ada": f"{PASSWORD}\n{PASSWORD}\n"}

NO_DATA = ("completion", "man", "user password", "event list --at")
"""What prints no data: a text as it is, a question, no event at all."""


def told(line: str) -> str:
    return line.removeprefix("export-tasks ")


def is_of(line: str, commands: tuple[str, ...]) -> bool:
    return any(told(line) == each or told(line).startswith(each + " ") for each in commands)


def starts(line: str, beginnings: tuple[str, ...]) -> bool:
    return told(line).startswith(beginnings)


def kind_of(line: str) -> str:
    if starts(line, (*BEGIN, *RESTORING)):
        return "empty"
    return "begun" if starts(line, FIRST) else "full"


ANYWHERE = (
    "init", "migrate", "restore", "config", "completion", "man", "doctor", "audit checkpoint",
)  # fmt: skip
"""What begins an event store, needs none, or says by itself that there is none."""

SIMPLE = [
    line
    for line in EXAMPLES
    if not is_of(line, (*WITHOUT_END, *CLIENTS)) and not starts(line, (MOVING,))
]
OF_CLIENTS = [line for line in EXAMPLES if is_of(line, CLIENTS)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    prepared = Prepared(tmp_path_factory.mktemp("prepared"))
    yield prepared
    prepared.home.close()


@pytest.fixture
def place(prepared, tmp_path, monkeypatch, request) -> Place:
    """Where the example of the test's is run."""
    line = request.node.callspec.params.get("line", "")
    place = prepared.place(kind_of(line), tmp_path)
    monkeypatch.chdir(place.work)
    return place


def test_every_example_is_run_by_one_of_these_tests():
    others = [line for line in EXAMPLES if line not in {*SIMPLE, *OF_CLIENTS}]
    assert {line for line in others if not starts(line, (MOVING,))} == set(ENDLESS) | {DEMO}


@pytest.mark.parametrize("line", SIMPLE)
def test_an_example_is_done_and_what_it_prints_is_there_as_json(
    prepared, place, tmp_path, monkeypatch, line
):
    if is_of(line, ("backup",)):
        place.words[BACKUP] = str(tmp_path / "monday")
    task = prepared.failed if is_of(line, ("task retry",)) else prepared.task
    place.words[TASK] = task
    if is_of(line, IN_PLACE):
        put_back(place)
    done = place.run(line, given=TYPED.get(told(line), ""))
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    if not is_of(line, NO_DATA):
        again = prepared.place(kind_of(line), tmp_path / "again")
        again.words[TASK] = task
        again.words[BACKUP] = place.words[BACKUP].replace("/monday", "/tuesday")
        monkeypatch.chdir(again.work)
        if is_of(line, IN_PLACE):
            put_back(again)
        assert is_json(again.run(as_json(line)).stdout)


def put_back(place: Place) -> None:
    """What a database's own tools do, after this machine had read all of the log."""
    place.run("export-tasks task list")
    alter(
        f"sqlite:///{place.environment['EXPORT_TASKS_HOME']}/events.sqlite",
        "DELETE FROM stored_events WHERE rowid = (SELECT max(rowid) FROM stored_events)",
    )


@pytest.mark.parametrize(
    "line",
    [line for line in EXAMPLES if not is_of(line, (*ANYWHERE, *CLIENTS, "serve", "demo"))],
)
def test_a_home_that_is_the_wrong_one_is_named_and_nothing_is_left_in_it(
    prepared, tmp_path, monkeypatch, line
):
    wrong = prepared.place("empty", tmp_path)
    wrong.environment["EXPORT_TASKS_HOME"] = str(tmp_path / "wrong")
    wrong.words[BACKUP] = str(tmp_path / "monday")
    monkeypatch.chdir(wrong.work)
    done = wrong.run(line, given=TYPED.get(told(line), ""))
    assert done.exit_code == (4 if is_of(line, ("audit verify",)) else 1), done.output
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert (json.loads(last)["message"] if last[0] == "{" else last).endswith(
        f"There is no event store at {tmp_path}/wrong/events.sqlite; is EXPORT_TASKS_HOME right? "
        "(export-tasks init makes one)"
    )
    assert {each.name for each in tmp_path.iterdir()} == {"work"}


@pytest.fixture(scope="module")
def user(prepared) -> dict:
    prepared.home.run("limits", "set", "--download-interval", "0")
    return client_of(prepared.home, prepared.home.serve().endpoint)


@pytest.mark.parametrize("line", OF_CLIENTS)
def test_an_example_of_a_client_is_done(place, user, line):
    place.environment = user
    created = place.run("export-tasks export create 5f433ce0c24389024365fdfa --wait --json")
    place.words[TASK] = json.loads(created.stdout.splitlines()[-1])["export_task_id"]
    done = place.run(line)
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.stderr
    if done.stdout and "-o -" not in line:
        assert is_json(place.run(as_json(line)).stdout)


def as_json(line: str) -> str:
    """The line with --json, what it prints not redirected."""
    line = line.partition(" > ")[0]
    return line if " --json" in line else f"{line} --json"


def is_json(text: str) -> bool:
    """One document, or a document a line."""
    try:
        json.loads(text)
    except ValueError:
        return bool(text) and all(isinstance(json.loads(each), dict) for each in text.splitlines())
    return True


# What does not end by itself

ENDLESS = {
    "export-tasks serve --port 8080 --workers 2 --exporters 2": b"listening on",
    "export-tasks exporter --exporters 4": b"",
    "export-tasks event list --follow": b"",
}
DEMO = "export-tasks demo --rows 5000 --folder /tmp/try-it"


@pytest.mark.parametrize("line", ENDLESS)
def test_an_example_that_does_not_end_runs_until_it_is_stopped(place, line):
    arguments = [{"8080": "0"}.get(word, word) for word in place.arguments(line)]
    running = subprocess.Popen(
        command_line(*arguments),
        env=os.environ | place.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    stream = running.stdout if "follow" in line else running.stderr
    first = eventually(stream.readline)
    assert ENDLESS[line] in first
    following = "follow" in line
    running.send_signal(signal.SIGINT if following else signal.SIGTERM)
    running.communicate(timeout=60)
    assert running.returncode == (130 if following else 0)


@pytest.mark.parametrize("line", [DEMO])
def test_the_demonstration_of_the_example_is_run(place, line):
    done = subprocess.run(
        command_line(*place.arguments(line)),
        env=os.environ | place.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "5,000 rows on 1 sheets, all equal" in done.stdout


@pytest.mark.parametrize("line", [line for line in EXAMPLES if starts(line, (MOVING,))])
def test_the_example_of_a_move_is_done(place, line, database, bucket_url):
    _, _, to, _, results = place.arguments(line)
    place.words |= {to: database.fresh(), results: bucket_url}
    done = place.run(as_json(line))
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["result_files"] == 1
