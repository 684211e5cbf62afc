"""Nobody notices a restart: processes are replaced and ended under load, with real signals."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.load import Load, token_of
from tests.service import Home, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service import Service

PASSWORD = "correct horse battery"
KINDS = ("list", "create", "download", "readyz")
LONG = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture
def home(tmp_path) -> Iterator[Home]:
    home = Home(tmp_path)
    home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
    home.run("limits", "set", "--unfinished", "50", "--kept", "1000", "--download-interval", "0")
    yield home
    home.close()


def end_each(service: Service, kind: str) -> None:
    """SIGTERM to one process after the other; the next when the last has a successor."""
    for pid in service.pids(kind):
        count = len(service.pids(kind))
        os.kill(pid, signal.SIGTERM)
        eventually(lambda pid=pid: pid not in service.children())
        eventually(lambda count=count: len(service.pids(kind)) == count)


def replace_all(service: Service, times: int) -> None:
    """SIGHUP, and every process is another."""
    before = set(service.children())
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: service.text().count('"restarted"') == times)
    eventually(lambda: len(service.children()) == len(before))
    assert not before & set(service.children())


def told(home: Home, *arguments: str):
    return json.loads(home.run(*arguments, "--json"))


def finished(home: Home, rows: int) -> str:
    """A task whose file is there, made by a service of its own."""
    service = home.serve()
    token = token_of(service.endpoint, "admin", PASSWORD, home.project)
    load = Load(service.endpoint, token, home.project)
    task = load.create(home.batch(rows))
    eventually(lambda: told(home, "task", "show", task)["status"] == "Success")
    assert service.stop() == 0
    return task


@pytest.mark.parametrize(
    ("processes", "rounds"),
    [
        pytest.param(1, 1, id="one of each"),
        pytest.param(2, 10, id="two of each, for minutes", marks=LONG),
    ],
)
def test_processes_are_replaced_and_ended_and_no_client_notices(home, processes, rounds):
    task, batch = finished(home, 20_000), home.batch(2_000)
    each = ("--workers", str(processes), "--exporters", str(processes))
    service = home.serve(*each)
    token = token_of(service.endpoint, "admin", PASSWORD, home.project)
    load = Load(service.endpoint, token, home.project)
    with load.going_on(batch, task):
        for number in range(rounds):
            replace_all(service, number + 1)
            end_each(service, "api")
            end_each(service, "exporter")
        eventually(lambda: load.failures or min(load.done[kind] for kind in KINDS) > 2)
    assert load.failures == []
    eventually(lambda: "Processing" not in {each["status"] for each in told(home, "task", "list")})
    ended = {each["export_task_id"]: each["status"] for each in told(home, "task", "list")}
    assert ended == dict.fromkeys([task, *load.created], "Success")
    assert set(completions(home).values()) == {1}
    assert service.stop() == 0


def completions(home: Home) -> Counter[str]:
    """How often each task was completed."""
    events = map(json.loads, home.run("event", "list", "--json").splitlines())
    return Counter(each["stream"] for each in events if each["event"] == "task.completed")
