"""Running: the tortured service, kept up as an init system would, and its processes by kind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from tests.ports import kept_port
from tests.torture.started import command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

UP_SECONDS = 90.0
"""In which a service that may start must listen; a disk may be full meanwhile."""

STOP_SECONDS = 60.0
ORPHAN_SECONDS = 20.0
AGAIN_SECONDS = 0.5

KINDS = ("api", "exporter", "keeper", "parent")


class DidNotStart(Exception):
    """The service did not come up in time; the text is the end of its log."""


class Running:
    """`serve` on one port, started again whenever it ends."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        command_line: Callable[..., list[str]] = command_line,
    ) -> None:
        self._environment, self.log, self.command_line = environment, log, command_line
        self.port = kept_port(self)
        self.lock = RLock()
        self.starts = 0
        self.stops: list[int] = []
        self.orphans: set[int] = set()
        log.touch()

    def up(self) -> None:
        """Starts it, as often as it takes.

        Raises:
            DidNotStart: it does not listen in time.
        """
        with self.lock:
            until = monotonic() + UP_SECONDS
            while not self._start():
                if monotonic() > until:
                    raise DidNotStart(self.log.read_text("utf-8")[-2000:])
                sleep(AGAIN_SECONDS)

    def stop(self) -> int:
        """SIGTERM; the exit code, which should be 0."""
        with self.lock:
            self._process.send_signal(signal.SIGTERM)
            code = self._process.wait(STOP_SECONDS)
            self.stops.append(code)
            return code

    def kill(self, everything: bool) -> list[str]:
        """`kill -9` of the parent, with all its children or without; the kinds that it met."""
        with self.lock:
            children = self.children()
            struck = {self._process.pid: "parent", **(children if everything else {})}
            met = [kind for pid, kind in struck.items() if send(pid, signal.SIGKILL)]
            self._process.wait(STOP_SECONDS)
            self.orphans.update(children)
            return met

    @property
    def runs(self) -> bool:
        """Is there a service, whatever it does?"""
        return self.starts > 0 and self._process.poll() is None

    def kill_all(self) -> None:
        """What is left of it, whatever went wrong."""
        if self.runs:
            self.kill(everything=True)
        for pid in self._orphaned():
            send(pid, signal.SIGKILL)

    def processes(self, kind: str) -> list[int]:
        """Those of a kind, oldest first."""
        if kind == "parent":
            return [self._process.pid]
        return sorted(pid for pid, found in self.children().items() if found == kind)

    def ready(self, kind: str) -> list[int]:
        """Those of a kind that do their work: stdout is the log's since they have said so."""
        return [pid for pid in self.processes(kind) if _told_it_is_ready(pid)]

    def children(self) -> dict[int, str]:
        """Each child's kind, as /proc tells it."""
        found = {}
        for pid, parent, command in _processes():
            if parent == self._process.pid and "worker" in command:
                found[pid] = command[command.index("worker") + 1]
        return found

    def left(self) -> set[int]:
        """Children of killed parents that live on longer than they may."""
        until = monotonic() + ORPHAN_SECONDS
        while (left := self._orphaned()) and monotonic() < until:
            sleep(0.2)
        return left

    def served_by(self, start: int) -> dict[str, int]:
        """Which process answered each request, by the ids in its log from a byte on."""
        found = {}
        for line in self.lines(start):
            if line["message"] == "request":
                found[line["request_id"]] = line["pid"]
        return found

    def lines(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """Its log, from a byte on; what is no record is told as a message."""
        with self.log.open("rb") as file:
            file.seek(start)
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    yield {"level": "text", "message": line.decode(errors="replace").rstrip()}

    def _orphaned(self) -> set[int]:
        """Numbers are given again: only a worker that the torture started counts."""
        ours = self.command_line()[:-1]
        return {
            pid
            for pid, _, words in _processes()
            if pid in self.orphans and words[: len(ours)] == ours and "worker" in words
        }

    def _start(self) -> bool:
        with self.log.open("ab") as stderr:
            begun = stderr.tell()
            self._process = subprocess.Popen(
                self.command_line("serve", "--port", str(self.port)),
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        self.starts += 1
        while self._process.poll() is None:
            with self.log.open("rb") as log:
                log.seek(begun)
                if re.search(rb"\blistening on http", log.read()):
                    return True
            sleep(0.05)
        return False


def send(pid: int, number: signal.Signals) -> bool:
    """A signal; False where nobody is there to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _told_it_is_ready(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/fd/1").readlink() == Path(f"/proc/{pid}/fd/2").readlink()
    return False


def _processes() -> Iterator[tuple[int, int, list[str]]]:
    """Pid, parent and command of every process."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (each / "stat").read_text().rpartition(")")[2].split()[1]
            command = (each / "cmdline").read_text().split("\0")
            yield int(each.name), int(parent), command if command != [""] else []
