"""`serve` and `exporter` as real processes, with real signals."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from api.parts import Parts
from scripts.connections import HEAD_BYTES
from scripts.group import command_line
from tests.gated import Gated
from tests.service import SOON, Running, eventually
from tests.terminal import Terminal


@pytest.fixture
def serve(tmp_path):
    services = []

    def start(*arguments: str, command: str = "serve", env=None) -> Running:
        log = tmp_path / f"{len(services)}.log"
        services.append(Running(log, command, *arguments, env=env))
        return services[-1]

    yield start
    for each in services:
        each.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One service for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("running")
    env = {**os.environ, "EXPORT_TASKS_HOME": str(folder / "home")}
    subprocess.run(command_line("init"), env=env, check=True, capture_output=True)
    service = Running(folder / "log", "serve", "--port", "0", "--workers", "2", env=env)
    try:
        service.listening()
        yield service
        assert service.stop() == 0
    finally:
        service.end()


def answer(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_answers_and_ends_with_its_children_and_0_on_sigterm(begun, serve):
    service = serve("--port", "0", "--workers", "2", "--exporters", "2")
    endpoint = service.listening()
    assert answer(f"{endpoint}/livez") == 200
    assert answer(f"{endpoint}/v5/iot/plant-1/export-tasks") == 401
    children = service.children()
    assert len(children) == 5
    assert service.stop() == 0
    assert not any(map(is_running, children))
    with pytest.raises(OSError, match="refused"):
        answer(f"{endpoint}/livez")


def test_a_request_that_is_under_way_when_the_signal_comes_is_answered(begun, serve):
    service = serve("--port", "0")
    host, port = service.listening().removeprefix("http://").split(":")
    connected = partial(socket.create_connection, (host, int(port)), timeout=30)
    with connected() as idle, connected() as client:
        head = b"POST /v3/auth/tokens HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n"
        client.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")  # it waits for the body
        client.sendall(b"{")
        service.process.terminate()
        assert idle.recv(100) == b""  # it is let go: the worker stops
        client.sendall(b"}")
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"IOTDA.000008" not in answer, "as of a body that never came"
    assert service.process.wait(SOON) == 0


def test_while_it_drains_it_is_not_ready_and_answers_as_ever(begun, serve):
    service = serve("--port", "0", "--workers", "2", "--drain", "600s")
    endpoint = service.listening()
    assert answer(f"{endpoint}/readyz") == 200
    service.process.terminate()
    eventually(lambda: answer(f"{endpoint}/readyz") == 503)
    for _ in range(10):
        assert answer(f"{endpoint}/livez") == 200
        assert answer(f"{endpoint}/v5/iot/plant-1/export-tasks") == 401


def test_when_it_has_drained_it_ends(begun, serve):
    service = serve("--port", "0", "--drain", "1s")
    service.listening()
    assert service.stop() == 0


def test_on_an_empty_store_it_tells_how_to_make_the_first_user_once(home, serve):
    service = serve("--port", "0")
    endpoint = service.listening()
    (link,) = eventually(lambda: re.findall(r"http://\S+/begin\?key=[\w-]+", service.text()))
    assert link.startswith(endpoint)
    assert "export-tasks init" in service.text()
    assert answer(link) == 200
    subprocess.run(command_line("init"), check=True, capture_output=True)
    assert answer(link) == 410
    assert service.stop() == 0
    again = serve("--port", "0")
    again.listening()
    assert "begin" not in again.text()


@pytest.mark.parametrize("level", ["debug", "error"])
def test_off_a_terminal_whatever_it_says_is_a_record(home, serve, monkeypatch, level):
    monkeypatch.setenv("EXPORT_TASKS_LOG_LEVEL", level)
    service = serve("--port", "0")
    endpoint = service.listening()
    eventually(lambda: "/begin?key=" in service.text())
    assert service.stop() == 0
    told = [line for line in service.records() if line["message"].startswith("listening")]
    assert [line["message"] for line in told] == [f"listening on {endpoint}"]
    assert told[0].items() >= {"level": "info", "pid": service.process.pid}.items()
    assert told[0]["time"]


@pytest.mark.parametrize(
    ("arguments", "setting", "code", "why"),
    [
        (("serve", "--port", "0"), ("SOURCE", "ftp://nowhere"), 1, "EXPORT_TASKS_SOURCE"),
        (("serve", "--port", "0"), ("LEASE", "soon"), 1, "EXPORT_TASKS_LEASE"),
        (("serve", "--port", "many"), ("LEASE", "60s"), 2, "--port"),
        (("serve", "--port", "65536"), ("LEASE", "60s"), 2, "EXPORT_TASKS_PORT"),
        (("exporter",), ("EVENTS", "sqlite:////nowhere/e.sqlite"), 1, "no event store"),
        (("worker", "check"), ("SOURCE", "ftp://nowhere"), 1, "EXPORT_TASKS_SOURCE"),
    ],
)
def test_off_a_terminal_why_it_does_not_start_is_a_record(
    begun, tmp_path, monkeypatch, arguments, setting, code, why
):
    monkeypatch.setenv(f"EXPORT_TASKS_{setting[0]}", setting[1])
    refused = Running(tmp_path / "log", *arguments)
    assert refused.process.wait(SOON) == code
    (line,) = refused.records()
    assert line.items() >= {"level": "error", "pid": refused.process.pid}.items()
    assert why in line["message"]


def test_on_a_terminal_it_speaks_as_every_command_does(begun, home):
    environment = {**os.environ, "EXPORT_TASKS_SOURCE": "ftp://nowhere"}
    refused = Terminal(command_line("serve", "--port", "0"), environment)
    assert refused.end() == 1
    assert refused.shown.startswith("export-tasks: EXPORT_TASKS_SOURCE")
    service = Terminal(command_line("serve", "--port", "0"), {**os.environ})
    service.expect("listening on http://")
    os.kill(int((home / "serve.lock").read_text()), signal.SIGTERM)
    assert service.end() == 0
    assert "\nlistening on http://" in f"\n{service.shown}"


def test_where_a_restore_was_cut_off_it_ends_it_does_not_begin_anew(home, serve):
    (home / ".restoring").mkdir(parents=True)
    service = serve("--port", "0")
    assert service.process.wait(SOON) == 1
    assert "export-tasks restore" in service.text()
    service = serve("--port", "0")
    assert service.process.wait(SOON) == 1
    assert "export-tasks restore" in service.text()
    assert "listening" not in service.text()


def test_a_second_serve_on_the_same_home_is_refused_with_the_pid_of_the_first(running, serve):
    second = serve("--port", "0", env=running.env)
    assert second.process.wait(SOON) == 1
    assert str(running.process.pid) in second.text()
    assert "listening" not in second.text()


def test_when_the_parent_is_killed_its_children_go_and_the_home_is_free_again(begun, serve):
    first = serve("--port", "0")
    first.listening()
    children = first.children()
    assert len(children) == 3
    first.stop(signal.SIGKILL)
    second = serve("--port", "0")
    eventually(lambda: not any(map(is_running, children)), seconds=30)
    second.listening()
    assert second.stop(signal.SIGINT) == 0


def test_a_port_in_use_is_told_before_anything_starts(begun, serve, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        service = serve("--port", str(taken.getsockname()[1]))
        assert service.process.wait(SOON) == 1
    assert "Cannot listen" in service.text()
    assert len(service.text().splitlines()) == 1


@pytest.mark.parametrize("kind", ["api", "exporter", "keeper"])
def test_a_child_that_is_killed_is_started_again(running, kind):
    before = running.pids(kind)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len(running.pids(kind) - {killed}) == len(before))
    eventually(lambda: answers(f"{running.listening()}/livez"))


def test_a_worker_without_a_free_descriptor_says_so_once_a_second_and_goes_on(begun, serve):
    service = serve("--port", "0")
    host, port = service.listening().removeprefix("http://").split(":")
    (worker,) = service.pids("api")
    kept = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (4, kept[1]))
    with socket.create_connection((host, int(port)), timeout=30):
        eventually(lambda: len(lacking(service)) > 2)
        said = lacking(service)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, kept)
    eventually(lambda: answers(f"{service.listening()}/livez"))
    first, *_, last = (datetime.fromisoformat(line["time"]) for line in said)
    assert last - first >= timedelta(seconds=1), "of three lines, two seconds"
    assert service.stop() == 0
    assert "Traceback" not in service.text()


def lacking(service: Running) -> list[dict]:
    return [line for line in service.records() if "no descriptor is free" in line["message"]]


def answers(url: str) -> bool:
    try:
        return answer(url) == 200
    except OSError:
        return False


def test_a_result_folder_of_another_log_is_told_before_it_listens(begun, home, serve):
    (home / "results").mkdir(exist_ok=True)
    (home / "results" / ".export-tasks").write_text("f" * 32)
    service = serve("--port", "0")
    assert service.process.wait(SOON) == 1
    assert "results" in service.text()
    assert len(service.text().splitlines()) == 1


def test_a_result_folder_that_cannot_be_written_is_told_before_it_listens(
    begun, serve, monkeypatch
):
    monkeypatch.setenv("EXPORT_TASKS_RESULTS", "file:///proc/nowhere")
    service = serve("--port", "0")
    assert service.process.wait(SOON) == 1
    assert "listening" not in service.text()
    assert len(service.text().splitlines()) == 1


def test_a_source_of_no_known_kind_is_told_before_it_listens(begun, serve, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", "ftp://nowhere")
    service = serve("--port", "0")
    assert service.process.wait(SOON) == 1
    assert "EXPORT_TASKS_SOURCE" in service.text() or "ftp://" in service.text()
    assert len(service.text().splitlines()) == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SOURCE", "sqlite:////nowhere/batches.sqlite"),
        ("SOURCE", "postgresql://nobody@127.0.0.1:9/batches"),
        ("SOURCE", "iotda+https://"),
        ("SOURCE", "iotda+https://iotda.example"),
        ("RESULTS", "file:///proc/nowhere"),
        ("RESULTS", "file://{folder}/others"),
        ("RESULTS", "s3://"),
        ("AUDIT", "s3://"),
        ("AUDIT_SINKS", "s3:///"),
        ("TLS_CERT", "/nowhere/certificate.pem"),
        ("PORT", "{taken}"),
        ("HOST", "no.such.host.invalid"),
    ],
)
def test_a_first_start_that_is_refused_leaves_nothing_behind(
    home, tmp_path, monkeypatch, setting, value
):
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / ".export-tasks").write_text("f" * 32)
    (tmp_path / "log").touch()
    monkeypatch.setenv("EXPORT_TASKS_HOME", str(home / "below"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        value = value.format(folder=tmp_path, taken=taken.getsockname()[1])
        monkeypatch.setenv("EXPORT_TASKS_PORT", "0")
        monkeypatch.setenv(f"EXPORT_TASKS_{setting}", value)
        before = sorted(tmp_path.rglob("*"))
        refused = Running(tmp_path / "log", "serve")
        assert refused.process.wait(SOON) == 1
    assert sorted(tmp_path.rglob("*")) == before
    (line,) = refused.records()
    assert line["level"] == "error"


def test_a_start_that_is_refused_removes_nothing_that_was_there(begun, home, tmp_path, monkeypatch):
    (home / "results").mkdir()
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", "sqlite:////nowhere/batches.sqlite")
    before = {*home.rglob("*")}
    refused = Running(tmp_path / "log", "serve", "--port", "0")
    assert refused.process.wait(SOON) == 1
    assert {*home.rglob("*")} >= before


def test_an_empty_home_that_was_there_stays(home, tmp_path):
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = Running(tmp_path / "log", "serve", "--port", port)
        assert refused.process.wait(SOON) == 1
    assert home.is_dir()


def test_headers_that_go_on_and_on_are_refused(running):
    host, port = running.listening().removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: here\r\nX-Long: ")
        with contextlib.suppress(OSError):
            for _ in range(100):
                client.sendall(b"x" * HEAD_BYTES)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("line", [b"FOO / HTTP/1.1", b"GET / HTTP/3.0", b"no request at all"])
def test_what_is_no_http_is_answered_as_every_problem_is(running, line):
    host, port = running.listening().removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(line + b"\r\nHost: here\r\n\r\n")
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: " in head
    assert b"x-content-type-options: nosniff" in head
    assert json.loads(body)["error_code"] == "IOTDA.000008"


def test_a_long_head_within_the_limit_is_answered(running):
    request = urllib.request.Request(f"{running.listening()}/livez")
    request.add_header("X-Long", "x" * (HEAD_BYTES // 2))
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200
        assert "uvicorn" not in str(response.headers).lower()


def test_exporters_run_alone_beside_a_service(running, serve):
    alone = serve("--exporters", "2", command="exporter", env=running.env)
    eventually(lambda: "exporting" in alone.text())
    assert len(alone.pids("exporter")) == 2
    assert alone.pids("api") == set()
    assert alone.stop() == 0


def shown(command, task_id: str) -> dict:
    return command.json("task", "show", task_id)


def test_an_export_that_is_asked_for_is_made(command, create_task, serve):
    batch_id = command.json("batch", "generate", "--project", "plant-1", "--rows", "500")["task_id"]
    task_id = create_task(batch_id)
    alone = serve(command="exporter")
    eventually(lambda: shown(command, task_id)["status"] == "Success")
    assert shown(command, task_id)["file"]["rows"] == 500
    assert alone.stop() == 0


def started(command, task_id: str) -> bool:
    return shown(command, task_id)["attempt"] > 0


@pytest.fixture
def source(database, monkeypatch):
    """Batch tasks of which a long one is held at half."""
    source = Gated(database)
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", source.url)
    source.shut()
    yield source
    source.close()


@pytest.fixture
def long_task(create_task, source, monkeypatch) -> str:
    monkeypatch.setenv("EXPORT_TASKS_LEASE", "2s")
    return create_task(source.long)


def test_a_running_export_is_handed_back_at_sigterm(command, long_task, serve):
    alone = serve(command="exporter")
    eventually(lambda: started(command, long_task))
    assert alone.stop() == 0
    events = command("event", "list", "--task", long_task, "--json").stdout.splitlines()
    last = json.loads(events[-1])
    assert (last["event"], last["released"]) == ("task.progressed", True)


def test_after_kill_9_of_its_exporter_an_export_is_made_by_a_second_attempt(
    command, long_task, source, home, serve
):
    alone = serve(command="exporter")
    eventually(lambda: started(command, long_task))
    (killed,) = alone.pids("exporter")
    os.kill(killed, signal.SIGKILL)
    source.open()
    eventually(lambda: shown(command, long_task)["status"] == "Success", seconds=150)
    assert shown(command, long_task)["attempt"] == 2
    assert alone.stop() == 0
    with Parts() as parts:
        parts.sweeper().sweep()
        assert [each.spool for each in parts.results.list()] == [False]
