"""A lock is one process's at a time, and says whose."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import sys

import pytest

from projections.lock import Held, locked

HOLDING = """
import sys
from pathlib import Path
from projections.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_comes_second_is_told_who_holds_it_and_since_when(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Held) as held, locked(path):
            pass
        told = re.fullmatch(r"process (\d+) on (\S+), since (\d{4}-.*Z)", str(held.value))
        assert (int(told[1]), told[2]) == (holder.pid, socket.gethostname())
        holder.kill()
    with locked(path):
        assert f'"pid": {os.getpid()}' in path.read_text()


@pytest.mark.parametrize("written", ["", "no JSON", "[]", '{"pid": 1}', "x" * 5000])
def test_who_has_not_said_so_is_nobody_known(tmp_path, written):
    path = tmp_path / "lock"
    with locked(path):
        path.write_text(written)
        with pytest.raises(Held, match="has not said which"), locked(path):
            pass


def test_a_plain_one_tells_the_process_alone_and_is_told_with_its_time(tmp_path):
    path = tmp_path / "lock"
    with locked(path, plain=True):
        assert path.read_text() == str(os.getpid())
        os.utime(path, (0, 0))
        with pytest.raises(Held) as held, locked(path):
            pass
    assert str(held.value) == f"process {os.getpid()}, since 1970-01-01T00:00:00Z"


def test_of_one_that_does_not_last_nothing_is_left_and_who_waited_at_it_has_another(
    tmp_path, monkeypatch
):
    path, flock = tmp_path / "lock", fcntl.flock
    waited = []

    def end_first(descriptor: int, how: int) -> None:
        if not waited:
            waited.append(descriptor)
            path.unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", end_first)
    with locked(path, lasting=False):
        assert waited
        with pytest.raises(Held), locked(path, lasting=False):
            pass
    assert not path.exists()


def test_a_longer_name_of_an_earlier_holder_leaves_nothing_behind(tmp_path):
    path = tmp_path / "lock"
    path.write_text("x" * 5000)
    with locked(path), pytest.raises(Held, match=f"process {os.getpid()} on "), locked(path):
        pass
