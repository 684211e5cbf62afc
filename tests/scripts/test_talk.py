"""How results and progress are printed."""

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from scripts.talk import plain, stamp

ROOT = Path(__file__).parents[2]
BAR = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    "from scripts.talk import progress\n"
    "with progress('working', 10) as advance: advance(10)\n"
)


def test_nothing_that_steers_a_terminal_is_printed_for_people():
    assert plain("a\x1b[2J\nb\u202e") == "a\\x1b[2J\\nb\\u202e"
    assert plain("设备 é") == "设备 é"


def test_what_is_not_there_is_a_dash_and_truth_is_yes_or_no():
    assert [plain(None), plain(True), plain(False), plain(0)] == ["-", "yes", "no", "0"]


def test_several_stand_side_by_side():
    assert plain([1, "a"]) == "1, a"
    assert plain({"p1": "admin", "p2": None}) == "p1: admin, p2: -"
    assert [plain([]), plain({})] == ["-", "-"]


def test_times_are_printed_as_the_api_writes_them():
    assert stamp(datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC)) == "2026-01-31T23:59:59.999Z"


def test_a_time_of_another_zone_is_printed_in_utc():
    east = timezone(timedelta(hours=2))
    assert plain(datetime(2026, 2, 1, 1, 59, 59, tzinfo=east)) == "2026-01-31T23:59:59.000Z"


def test_there_is_no_bar_where_stderr_is_no_terminal():
    told = subprocess.run([sys.executable, "-c", BAR], capture_output=True, check=True)
    assert (told.stdout, told.stderr) == (b"", b"")


def on_a_terminal(**environment: str) -> bytes:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", BAR],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        check=True,
    )
    os.close(theirs)
    told = os.read(ours, 65536)
    os.close(ours)
    return told


def test_there_is_a_bar_on_a_terminal():
    told = on_a_terminal()
    assert b"working" in told
    assert b"10/10" in told
    assert b"\x1b[38" in told or b"\x1b[32" in told


def test_no_color_is_respected():
    told = on_a_terminal(NO_COLOR="1")
    assert b"working" in told
    assert b"\x1b[38" not in told
    assert b"\x1b[32" not in told
