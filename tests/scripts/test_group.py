"""The supervised group, with small children of its own and real signals."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest

from scripts.group import ONE_SIGNAL_SECONDS, Child, ChildFailed, Group

GOOD = "import os, signal; os.write(1, b'ready\\n'); signal.sigwait({signal.SIGTERM})"
BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); "


def child(name: str, code: str, *arguments: str) -> Child:
    return Child(name, [sys.executable, "-c", BLOCKED + code, *arguments])


def run(children: list[Child], then: object) -> bool:
    async def group() -> bool:
        return await Group(children, os.environ).run(then)

    return asyncio.run(group())


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_news_is_told_once_every_child_is_ready_and_a_signal_ends_the_group(tmp_path):
    told = []

    def announce() -> None:
        told.append("ready")
        stop()

    assert run([child("one", GOOD), child("two", GOOD)], announce)
    assert told == ["ready"]


def test_a_child_that_is_last_is_asked_to_stop_when_the_others_have_ended(tmp_path):
    log = str(tmp_path / "log")
    code = (
        "import os, signal, sys, time; os.write(1, b'ready\\n'); signal.sigwait({signal.SIGTERM}); "
        "time.sleep(float(sys.argv[2])); print(sys.argv[2], file=open(sys.argv[1], 'a'))"
    )
    slow, slower = child("slow", code, log, "0.2"), child("slower", code, log, "0.4")
    last = replace(child("last", code, log, "0.0"), last=True)
    assert run([last, slow, slower], stop)
    assert (tmp_path / "log").read_text().split() == ["0.2", "0.4", "0.0"]


def test_a_child_that_is_last_stops_where_no_other_runs(tmp_path):
    assert run([replace(child("last", GOOD), last=True)], stop)


def test_a_child_that_dies_is_started_again(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; "
        "log = Path(sys.argv[1]); log.open('a').write(f'{os.getpid()}\\n'); "
        "os.write(1, b'ready\\n'); "
        "first = len(log.read_text().splitlines()) == 1; "
        "os.kill(os.getpid(), 9) if first else os.kill(os.getppid(), 15); "
        "signal.sigwait({signal.SIGTERM})"
    )
    assert run([child("one", code, str(tmp_path / "log"))], lambda: None)
    assert len((tmp_path / "log").read_text().splitlines()) == 2


def test_a_child_that_dies_at_once_again_and_again_gets_longer_pauses(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; "
        "log = Path(sys.argv[1]); log.open('a').write('.'); os.write(1, b'ready\\n'); "
        "len(log.read_text()) == 5 and os.kill(os.getppid(), 15)"
    )
    began = monotonic()
    assert run([child("one", code, str(tmp_path / "log"))], lambda: None)
    assert monotonic() - began >= 0.1 + 0.2 + 0.4 + 0.8


def test_a_child_that_cannot_start_ends_the_group():
    with pytest.raises(ChildFailed, match="bad could not start"):
        run([child("good", GOOD), child("bad", "raise SystemExit(3)")], lambda: None)


def test_a_child_that_cannot_start_leaves_no_other_behind(tmp_path):
    code = (
        "from pathlib import Path; import os, sys; Path(sys.argv[1]).write_text(str(os.getpid())); "
    )
    good = child("good", code + GOOD, str(tmp_path / "pid"))
    bad = child("bad", "import time; time.sleep(1); raise SystemExit(3)")
    with pytest.raises(ChildFailed):
        run([good, bad], lambda: None)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_a_second_signal_kills_the_child_that_does_not_stop():
    code = (
        "import os, signal, time; os.write(1, b'ready\\n'); signal.sigwait({signal.SIGTERM}); "
        f"time.sleep({ONE_SIGNAL_SECONDS}); os.kill(os.getppid(), 15); time.sleep(60)"
    )
    assert not run([child("stubborn", code)], stop)


def test_a_signal_that_comes_twice_at_once_is_one():
    code = (
        "import os, signal, time; os.write(1, b'ready\\n'); signal.sigwait({signal.SIGTERM}); "
        "os.kill(os.getppid(), 15); time.sleep(0.5)"
    )
    assert run([child("busy", code)], stop)


def test_a_child_that_ignores_the_signal_is_killed_when_its_time_is_over(monkeypatch):
    monkeypatch.setattr("scripts.group.STOP_SECONDS", 0.3)
    code = "import os, time; os.write(1, b'ready\\n'); time.sleep(60)"
    assert not run([child("deaf", code)], stop)


def test_a_signal_before_any_child_is_ready_ends_the_group():
    told = []
    code = "import os, signal; os.kill(os.getppid(), 15); signal.sigwait({signal.SIGTERM})"
    assert run([child("slow", code)], lambda: told.append("ready"))
    assert told == []


def test_the_stdin_of_a_child_ends_with_its_parent(tmp_path):
    child_code = (
        "import os; from pathlib import Path; os.write(1, b'ready\\n'); os.read(0, 1); "
        f"Path({str(tmp_path / 'noticed')!r}).touch()"
    )
    parent_code = (
        "import asyncio, os, sys\n"
        f"sys.path.insert(0, {str(Path.cwd())!r})\n"
        "from scripts.group import Child, Group\n"
        f"child = Child('one', [sys.executable, '-c', {child_code!r}])\n"
        "async def run(): await Group([child], os.environ).run(lambda: os.kill(os.getpid(), 9))\n"
        "asyncio.run(run())\n"
    )
    assert subprocess.run([sys.executable, "-c", parent_code], check=False).returncode == -9
    until = monotonic() + 5
    while not (tmp_path / "noticed").exists():
        assert monotonic() < until
        sleep(0.02)
