"""A service as an operator starts one: real processes, a home of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from scripts.cli import cli
from scripts.group import command_line

if TYPE_CHECKING:
    from collections.abc import Callable

SOON = 60.0


def eventually(holds: Callable[[], Any], seconds: float = SOON) -> Any:
    """The first true answer; fails where there is none in time."""
    until = monotonic() + seconds
    while not (answer := holds()):
        assert monotonic() < until, "it did not happen in time"
        sleep(0.05)
    return answer


class Home:
    """A home after `init`, with a user who has a password."""

    def __init__(self, folder: Path, *beginning: str, **settings: str) -> None:
        self.folder = folder
        self.services: list[Service] = []
        kept = {name: value for name, value in os.environ.items() if "EXPORT_TASKS" not in name}
        settings = {f"EXPORT_TASKS_{name.upper()}": value for name, value in settings.items()}
        self.environment = {**kept, "EXPORT_TASKS_HOME": str(folder / "home"), **settings}
        self.begun = json.loads(self.run("init", *beginning, "--json"))
        self.project = self.begun["project_id"]

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What a command prints."""
        runner = CliRunner(env=self.environment)
        done = runner.invoke(cli, arguments, given, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """What a command that is refused says."""
        done = CliRunner(env=self.environment).invoke(cli, arguments, catch_exceptions=False)
        assert done.exit_code == 1, done.output
        return done.stderr

    def batch(self, rows: int, *options: str) -> str:
        """A made-up batch task's id."""
        arguments = ("--project", self.project, "--rows", str(rows), "--json", *options)
        return json.loads(self.run("batch", "generate", *arguments))["task_id"]

    def serve(self, *arguments: str, port: int = 0) -> Service:
        """Starts the service, and waits until it listens."""
        self.services.append(Service(self, "serve", "--port", str(port), *arguments))
        return self.services[-1]

    def close(self) -> None:
        """Ends what a failed test left running."""
        for service in self.services:
            if service.process.poll() is None:
                service.kill_everything()


class Running:
    """A command in a process of its own, which ends with the test; its stderr is in a file."""

    def __init__(self, log: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.log, self.env = log, env
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command_line(*arguments),
                env=env,
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )

    def text(self) -> str:
        """What it has said on stderr."""
        return self.log.read_text()

    def records(self) -> list[dict[str, Any]]:
        """What it has logged; whatever else it has said on stderr fails."""
        return [json.loads(line) for line in self.text().splitlines()]

    def listening(self) -> str:
        """Where it listens, once it does."""
        return str(eventually(lambda: self._said(r"listening on (http[^\s\"]+)")))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stops it as an operator does."""
        self.process.send_signal(number)
        return self.process.wait(SOON)

    def children(self) -> dict[int, str]:
        """Its processes, with their command lines (as Linux tells)."""
        found = {}
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parent = (each / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == self.process.pid:
                    found[int(each.name)] = (each / "cmdline").read_text().replace("\0", " ")
        return found

    def pids(self, kind: str) -> set[int]:
        """Its processes of a kind."""
        return {pid for pid, words in self.children().items() if f"worker {kind}" in words}

    def end(self) -> None:
        """Whatever the test made of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _said(self, pattern: str) -> str | None:
        assert self.process.poll() is None, self.text()
        found = re.search(pattern, self.text())
        return found[1] if found else None


class Service(Running):
    """A `serve` of a home, which listens."""

    def __init__(self, home: Home, *arguments: str) -> None:
        super().__init__(home.folder / "log", *arguments, env=home.environment)
        self.endpoint = self.listening()

    def kill_everything(self) -> None:
        """`kill -9` of the parent and of every child at once."""
        for pid in [self.process.pid, *self.children()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(SOON)
