"""What systemd is told, at a socket of the test's own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess

import pytest

from scripts.group import command_line
from scripts.notify import be_watched, notify

WAIT = 60.0


@pytest.fixture(params=["a file", "an abstract name"])
def systemd(request, tmp_path, monkeypatch):
    """Who listens, and the environment that says where."""
    address = f"{tmp_path}/notify" if request.param == "a file" else f"@export-tasks-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(WAIT)
        listener.bind(address.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield listener


def test_a_word_arrives(systemd):
    notify("READY=1")
    assert systemd.recv(100) == b"READY=1"


def test_where_nobody_listens_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


def test_the_watchdog_is_fed_where_there_is_one(systemd, monkeypatch):
    async def twice() -> None:
        fed = asyncio.create_task(be_watched())
        for _ in range(2):
            assert await asyncio.to_thread(systemd.recv, 100) == b"WATCHDOG=1"
        fed.cancel()

    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    asyncio.run(twice())
    monkeypatch.delenv("WATCHDOG_USEC")
    asyncio.run(be_watched())  # there is none: it ends


def test_a_service_says_when_it_is_ready_restarts_and_stops(begun, systemd):
    service = subprocess.Popen(command_line("serve", "--port", "0"), stderr=subprocess.DEVNULL)
    try:
        assert systemd.recv(100) == b"READY=1"
        service.send_signal(signal.SIGHUP)
        assert [systemd.recv(100) for _ in range(2)] == [b"RELOADING=1", b"READY=1"]
        service.terminate()
        assert systemd.recv(100) == b"STOPPING=1"
        assert service.wait(WAIT) == 0
    finally:
        service.kill()
