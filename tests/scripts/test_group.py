"""The supervised group, with small children of its own and real signals."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread
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
    *first, end = (tmp_path / "log").read_text().split()
    assert ({*first}, end) == ({"0.2", "0.4"}, "0.0")


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
    number = str(tmp_path / "pid")
    code = "import os, sys; print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); "
    bad_code = (
        "import sys, time; log = open(sys.argv[1], 'a+'); there = lambda: (log.seek(0), "
        "log.read().endswith('\\n'))[1]; [time.sleep(0.02) for _ in iter(there, True)]; sys.exit(3)"
    )
    with pytest.raises(ChildFailed):
        run([child("good", code + GOOD, number), child("bad", bad_code, number)], lambda: None)
    assert not Path(f"/proc/{int((tmp_path / 'pid').read_text())}").exists()


def test_a_second_signal_kills_the_child_that_does_not_stop():
    code = (
        "import os, signal, time; os.write(1, b'ready\\n'); signal.sigwait({signal.SIGTERM}); "
        f"time.sleep({ONE_SIGNAL_SECONDS}); os.kill(os.getppid(), 15); time.sleep(60)"
    )
    assert not run([child("stubborn", code)], stop)


def test_a_signal_that_comes_twice_at_once_is_one(monkeypatch):
    monkeypatch.setattr("scripts.group.ONE_SIGNAL_SECONDS", 60.0)  # at once, on any machine
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
    wait_for((tmp_path / "noticed").exists)


# Replacing

LIVES = (
    "import os, signal, sys, time; from pathlib import Path; "
    "log = Path(sys.argv[1]).open('a', buffering=1); number = os.getpid(); "
    "print('starts', number, file=log); time.sleep(0.1); print('ready', number, file=log); "
    "os.write(1, b'ready\\n'); signal.sigwait({signal.SIGTERM}); "
    "time.sleep(0.1); print('ends', number, file=log)"
)


def hang_up_and_then_stop(log: Path, lines: int):
    """SIGHUP once all are ready; SIGTERM when they have said so many lines."""

    def stop_then() -> None:
        wait_for(lambda: len(log.read_text().splitlines()) >= lines)
        stop()

    def announce() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        Thread(target=stop_then, daemon=True).start()

    return announce


def lives(log: Path) -> list[str]:
    """What the children said, the first one called 1, the next 2 and so on."""
    numbers: dict[str, str] = {}
    told = [line.split() for line in log.read_text().splitlines()]
    return [f"{word} {numbers.setdefault(pid, str(len(numbers) + 1))}" for word, pid in told]


def test_at_a_hang_up_a_child_is_asked_to_stop_when_its_successor_is_ready(tmp_path):
    log = tmp_path / "log"
    assert run([child("one", LIVES, str(log))], hang_up_and_then_stop(log, 5))
    told = ["starts 1", "ready 1", "starts 2", "ready 2", "ends 1", "ends 2"]
    assert lives(log) == told


def test_children_are_replaced_one_after_the_other(tmp_path):
    log = tmp_path / "log"
    children = [child(name, LIVES, str(log)) for name in ("one", "two")]
    assert run(children, hang_up_and_then_stop(log, 10))
    told = lives(log)[4:10]
    assert [told[0], told[1], told[3], told[4]] == ["starts 3", "ready 3", "starts 4", "ready 4"]
    assert {told[2], told[5]} == {"ends 1", "ends 2"}  # whichever of the two started first


def test_a_child_that_is_last_ends_before_its_successor_starts(tmp_path):
    log = tmp_path / "log"
    assert run([replace(child("one", LIVES, str(log)), last=True)], hang_up_and_then_stop(log, 5))
    assert lives(log) == ["starts 1", "ready 1", "ends 1", "starts 2", "ready 2", "ends 2"]


DIES_MEANWHILE = (
    "import os, sys, time; log = open(sys.argv[1], 'a+', buffering=1); "
    "starts = lambda: (log.seek(0), log.read().count('starts'))[1]; nth = starts() + 1; "
    "first = nth == 1 or int((log.seek(0), log.readline())[1].split()[1]); "
    "print('starts', os.getpid(), file=log); "
    "nth == 2 and (os.kill(first, 9), [time.sleep(0.02) for _ in iter(starts, 3)]); "
    "os.write(1, b'ready\\n'); signal.sigwait({signal.SIGTERM}); "
    "print('ends', os.getpid(), file=log)"
)
"""The second kills the first, and is ready when a third has started."""


def test_a_child_that_dies_while_its_successor_starts_leaves_one_process_in_its_place(tmp_path):
    log, told, then = tmp_path / "log", [], []

    def words(word: str) -> None:
        told.append(word)
        if told[-2:] == ["RELOADING=1", "READY=1"]:
            then.extend(lives(log))
            stop()

    async def group() -> bool:
        group = Group([child("one", DIES_MEANWHILE, str(log))], os.environ, tell=words)
        return await group.run(lambda: os.kill(os.getpid(), signal.SIGHUP))

    assert asyncio.run(group())
    assert then == ["starts 1", "starts 2", "starts 3", "ends 3"]
    assert lives(log) == [*then, "ends 2"]


ONCE = (
    '[ -e "$1" ] && before=yes; echo started >> "$1"; [ -n "$before" ] && {}; '
    "echo ready; read -r word"
)
"""In a shell, which starts in far less than the time that is given."""


@pytest.mark.parametrize("fault", ["exit 3", "exec sleep 60"])
def test_a_child_whose_successor_does_not_get_ready_goes_on(tmp_path, monkeypatch, caplog, fault):
    monkeypatch.setattr("scripts.child.START_SECONDS", 1.0)
    log, told = tmp_path / "log", []

    class Watching(Group):
        def _on_hang_up(self):
            super()._on_hang_up()
            told.append("hung up")

    async def group() -> bool:
        command = ["/bin/sh", "-c", ONCE.format(fault), "sh", str(log)]
        group = Watching([Child("one", command)], os.environ, tell=words)
        return await group.run(lambda: os.kill(os.getpid(), signal.SIGHUP))

    def words(word: str) -> None:
        told.append(word)
        if told[-2:] == ["RELOADING=1", "READY=1"]:
            stop()

    assert asyncio.run(group())
    assert log.read_text().splitlines() == ["started"] * 2
    assert told == ["READY=1", "hung up", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert "one could not be started anew; it goes on" in caplog.text


@pytest.mark.parametrize(("code", "lived"), [("0", 2), ("1", 1)])
def test_nothing_is_replaced_where_the_rehearsal_fails(tmp_path, code, lived):
    log, told = tmp_path / "log", []

    def words(word: str) -> None:
        told.append(word)
        if told[-2:] == ["RELOADING=1", "READY=1"]:
            stop()

    async def group() -> bool:
        rehearsal = [sys.executable, "-c", f"raise SystemExit({code})"]
        children = [child("one", LIVES, str(log))]
        group = Group(children, os.environ, rehearsal=rehearsal, tell=words)
        return await group.run(lambda: os.kill(os.getpid(), signal.SIGHUP))

    assert asyncio.run(group())
    assert len([line for line in lives(log) if line.startswith("starts")]) == lived


# Draining

LEAVES = (
    "import os, signal, sys; from pathlib import Path; os.write(1, b'ready\\n'); "
    "word = os.read(0, 64); late = signal.sigtimedwait({signal.SIGTERM}, 0); "
    "Path(sys.argv[1]).write_bytes(word if late is None else b'late'); "
    "signal.sigwait({signal.SIGTERM})"
)


def drained(one: Child, drain: float) -> bool:
    async def group() -> bool:
        return await Group([one], os.environ, drain=drain).run(stop)

    return asyncio.run(group())


def drained_until(word: Path, one: Child) -> bool:
    """Has all the time that it needs to write the word; then its drain is over."""

    async def group() -> bool:
        group = Group([one], os.environ, drain=3600.0)
        running = asyncio.create_task(group.run(stop))
        while not word.exists():
            await asyncio.sleep(0.02)
        group._stop()
        return await running

    return asyncio.run(group())


def test_children_are_told_before_they_are_asked_to_stop(tmp_path):
    word = tmp_path / "word"
    assert drained_until(word, child("one", LEAVES, str(word)))
    assert word.read_bytes() == b"drain\n"


def test_children_are_asked_to_stop_when_the_drain_is_over():
    began = monotonic()
    assert drained(child("one", GOOD), 0.5)
    assert monotonic() - began >= 0.5


def test_a_child_that_starts_anew_meanwhile_is_told_too(tmp_path):
    code = LEAVES.replace("word = os", "os.path.exists(sys.argv[2]) or (open(sys.argv[2], 'w'), "
                          "os.read(0, 64), os.kill(os.getpid(), 9)); word = os")  # fmt: skip
    arguments = (str(tmp_path / "word"), str(tmp_path / "first"))
    assert drained_until(tmp_path / "word", child("one", code, *arguments))
    assert (tmp_path / "word").read_bytes() == b"drain\n"


def test_a_second_signal_ends_the_drain_at_once():
    code = (
        "import os, signal, time; os.write(1, b'ready\\n'); os.read(0, 64); "
        f"time.sleep({ONE_SIGNAL_SECONDS}); os.kill(os.getppid(), 15); time.sleep(60)"
    )
    assert not drained(child("stubborn", code), 60.0)


def test_a_terminal_that_goes_away_ends_the_group_and_any_other_hang_up_does_not(tmp_path):
    log = tmp_path / "log"
    program = (
        "import asyncio, os, signal, sys\n"
        f"sys.path.insert(0, {str(Path.cwd())!r})\n"
        "from scripts.group import Child, Group\n"
        f"child = Child('one', [sys.executable, '-c', {BLOCKED + LIVES!r}, {str(log)!r}])\n"
        "async def run(): await Group([child], os.environ).run(lambda: None)\n"
        "asyncio.run(run())\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    wait_for(lambda: log.exists() and "ready 1" in lives(log))
    os.kill(pid, signal.SIGHUP)
    wait_for(lambda: "ends 1" in lives(log))
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert lives(log)[-1] == "ends 2"


def wait_for(holds) -> None:
    until = monotonic() + 30
    while not holds():
        assert monotonic() < until, "it did not happen in time"
        sleep(0.05)
