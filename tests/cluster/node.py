"""Node: one machine of a cluster: a home, a port, perhaps a disk of its own; all else shared."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from tests.torture.clock import Clock
from tests.torture.commands import run
from tests.torture.disk import Disk
from tests.torture.running import Running
from tests.torture.started import CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    CommandLine = Callable[..., list[str]]

READY_SECONDS = 15.0


class Node:
    """Its service, kept up as an init system would, and commands as an operator gives them."""

    def __init__(
        self,
        folder: Path,
        name: str,
        shared: Mapping[str, str],
        command_line: CommandLine,
        disk: int = 0,
    ) -> None:
        """With `disk` its home is on one of so many megabytes, if such a one can be mounted."""
        self.name, self.home = name, folder / name
        self._kept = folder / f"{name}.kept"
        self.disk = _mounted(folder / f"{name}.disk", disk) if disk else None
        if self.disk:
            self.home = self.disk.home / name
        self.home.mkdir()
        self.clock = Clock(folder / f"{name}.clock")
        own = {"EXPORT_TASKS_HOME": str(self.home), CLOCK: str(folder / f"{name}.clock")}
        self.environment = {**shared, **own}
        self.running = Running(self.environment, folder / f"{name}.log", command_line)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.running.port

    @property
    def endpoint(self) -> str:
        """For a client."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> tuple[int, Any, str]:
        """A command on this machine: exit code, what it printed (as JSON where it is), stderr."""
        done = run(self.environment, *arguments)
        try:
            return done.returncode, json.loads(done.stdout), done.stderr
        except ValueError:
            return done.returncode, done.stdout, done.stderr

    def end(self) -> int | None:
        """SIGTERM, where it runs; its exit code."""
        return self.running.stop() if self.running.runs else None

    def close(self) -> None:
        """Unmounts its disk; what was on it is kept beside it, for whoever keeps the folder."""
        if self.disk:
            self.disk.close(self._kept)

    def pids(self) -> list[int]:
        """All of its processes."""
        return [*self.running.processes("parent"), *self.running.children()]

    def ready(self) -> tuple[int, str]:
        """What `/readyz` says: status and body; 0 where it does not answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=READY_SECONDS)
        try:
            connection.request("GET", "/readyz?verbose")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException):
            return 0, ""
        finally:
            connection.close()


def _mounted(folder: Path, megabytes: int) -> Disk | None:
    """A disk of its own; None where none can be mounted, as without root."""
    disk = Disk(folder, megabytes)
    return None if disk.kind == "fault" else disk
