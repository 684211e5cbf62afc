"""Progress is one line; log lines stand above it; off a terminal all of it are lines."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from scripts import pace as pacing
from scripts.pace import Pace, pace


def test_how_far_how_fast_and_how_long():
    times = iter([100.0, 102.0, 104.0])
    told = Pace("rebuilding", lambda: next(times))
    assert told.line == "rebuilding"
    told(5_000, 0.05)
    assert told.line == "rebuilding: 5,000 events, 5%"
    told(25_000, 0.25)
    assert told.line == "rebuilding: 25,000 events, 25%, 10,000 a second, 8 s left"
    told(100_000, 1.0)
    assert told.line == "rebuilding: 100,000 events, 100%, 23,750 a second, 0 s left"


def test_what_stands_still_has_no_time_left():
    times = iter([100.0, 101.0])
    told = Pace("rebuilding", lambda: next(times))
    told(5_000, 0.5)
    told(5_001, 0.5)
    assert told.line == "rebuilding: 5,001 events, 50%, 1 a second"


@pytest.mark.parametrize(("every", "lines"), [(0.0, 3), (1000.0, 1)])
def test_off_a_terminal_a_line_now_and_then_and_a_last_one(capsys, monkeypatch, every, lines):
    monkeypatch.setattr(pacing, "LINE_SECONDS", every)
    with pace("rebuilding") as advance:
        advance(1, 0.5)
        advance(2, 1.0)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == lines
    assert printed.err.splitlines()[-1].startswith("rebuilding: 2 events, 100%")


def test_of_nothing_nothing_is_said(capsys):
    with pace("rebuilding"):
        pass
    assert capsys.readouterr().err == ""


WORKING = """
import logging
from scripts.pace import pace
with pace("rebuilding") as advance:
    for number in range(1, 4):
        advance(number, number / 3)
        logging.getLogger("projections").warning("an event of number %s cannot be applied", number)
"""


def test_off_a_terminal_log_lines_are_json_among_the_lines():
    done = subprocess.run([sys.executable, "-c", WORKING], capture_output=True, text=True)
    *logged, last = done.stderr.splitlines()
    told = [json.loads(line)["message"] for line in logged]
    assert told == [f"an event of number {number} cannot be applied" for number in range(1, 4)]
    assert last.startswith("rebuilding: 3 events")


def test_on_a_terminal_every_log_line_is_seen_whole():
    master, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    subprocess.run([sys.executable, "-c", WORKING], stderr=terminal, env=environment, check=True)
    os.close(terminal)
    seen = ""
    try:
        while part := os.read(master, 65536):
            seen += part.decode()
    except OSError:
        pass
    finally:
        os.close(master)
    for number in range(1, 4):
        assert f"an event of number {number} cannot be applied\r\n" in seen
    assert "rebuilding: 3 events, 100%" in seen
