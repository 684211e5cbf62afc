"""`serve` while the database of its event store is away, and when it is back."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

from tests.database import QUICK, running_database
from tests.installation import Installation
from tests.service import SOON, Home, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.database import Database

KEY = "a secret key of many characters.."
SOON_BACK, EXPORT_SECONDS = 30.0, 150.0
"""Far more than it takes, on a machine that others use too."""


@pytest.fixture(scope="module")
def _fragile_server() -> Iterator[Database]:
    with running_database(**QUICK) as server:
        yield server


@pytest.fixture
def server(_fragile_server) -> Iterator[Database]:
    """A server that the test may stop."""
    yield _fragile_server
    _fragile_server.stop()
    _fragile_server.start()


@pytest.fixture
def home(server, tmp_path) -> Iterator[Home]:
    """An installation over a database of its own."""
    home = Home(tmp_path, events=made(server), secret_key=KEY)
    yield home
    home.close()


def made(server: Database) -> str:
    """The address of an empty database."""
    name = f"d{token_hex(4)}"
    server.execute(f"CREATE DATABASE {name}")
    return server.url(name)


class Waiting(Running):
    """A command that runs whatever it waits for."""

    def said(self, words: str) -> list[int]:
        """Which processes logged that, each as often as it did."""
        lines = [line for line in self.text().splitlines() if words in line and line[0] == "{"]
        return [json.loads(line)["pid"] for line in lines]


@pytest.fixture
def start(home) -> Iterator[object]:
    """Starts a command; ended with the test."""
    started: list[Waiting] = []

    def start(*arguments: str, **settings: str) -> Waiting:
        log = home.folder / f"{len(started)}.log"
        started.append(Waiting(log, *arguments, env={**home.environment, **settings}))
        return started[-1]

    yield start
    for each in started:
        each.end()


def asked(url: str) -> tuple[int, str | None]:
    """The status, and when to ask again."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, None
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers["retry-after"]
    except OSError:
        return 0, None


def is_ready(endpoint: str) -> bool:
    return asked(f"{endpoint}/readyz")[0] == 200


def exported(home: Home) -> bool:
    """Is everything that was asked for made?"""
    return all(
        each["status"] == "Success" for each in json.loads(home.run("task", "list", "--json"))
    )


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("exporter",)])
def test_who_starts_before_its_database_is_told_so_before_it_listens(home, server, start, command):
    server.stop()
    service = start(*command)
    assert service.process.wait(SOON) == 1
    assert home.environment["EXPORT_TASKS_EVENTS"] in service.text()
    assert "listening" not in service.text()
    assert len(service.text().splitlines()) == 1


def test_processes_that_start_while_the_database_is_away_wait_for_it(home, server, start):
    service = start("serve", "--port", "0")
    endpoint = service.listening()
    Installation(home).create(home.batch(5))
    server.stop()
    for kind in ("api", "exporter", "keeper"):
        (killed,) = service.pids(kind)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda kind=kind, killed=killed: service.pids(kind) - {killed})
    eventually(lambda: asked(f"{endpoint}/livez") == (200, None))
    assert asked(f"{endpoint}/readyz") == (503, "1")
    started = service.children().keys()
    eventually(lambda: {*started} <= {*service.said("cannot open the event store")})
    server.start()
    eventually(lambda: is_ready(endpoint), SOON_BACK)
    Installation(home).create(home.batch(5))
    eventually(lambda: exported(home), EXPORT_SECONDS)
    assert service.children().keys() == started
    eventually(lambda: {*started} <= {*service.said("can open the event store again")})
    assert service.stop() == 0
    for words in ("cannot open the event store", "can open the event store again"):
        assert [service.said(words).count(pid) for pid in started] == [1, 1, 1]
    assert "ready" not in service.text().splitlines()


def test_who_waits_can_be_stopped(home, server, start):
    service = start("serve", "--port", "0")
    service.listening()
    server.stop()
    (killed,) = service.pids("exporter")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: service.said("cannot open the event store"))
    assert service.stop() == 0


def test_an_unknown_database_is_told_before_it_listens(home, server, start):
    url = server.url("nowhere")
    service = start("serve", "--port", "0", EXPORT_TASKS_EVENTS=url)
    assert service.process.wait(SOON) == 1
    assert '"nowhere" does not exist' in service.records()[0]["message"]
    assert "listening" not in service.text()
    assert len(service.text().splitlines()) == 1


def with_a_password(server: Database) -> str:
    """The address of a role that needs one, with a wrong one."""
    server.execute("CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'right'")
    rules = server.folder / "pg_hba.conf"
    rules.write_text(f"host all ann 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    server.execute("SELECT pg_reload_conf()")
    return server.url().replace("postgres@", "ann:wrong@")


def test_a_wrong_password_is_told_before_it_listens(home, server, start):
    url = with_a_password(server)
    service = start("serve", "--port", "0", EXPORT_TASKS_EVENTS=url)
    assert service.process.wait(SOON) == 1
    assert "password authentication failed" in service.text()
    assert "listening" not in service.text()
    assert "wrong" not in service.text()
