"""Commands: `export-tasks` beside the running service, each in a process of its own."""

from __future__ import annotations

import subprocess
from time import monotonic, sleep
from typing import TYPE_CHECKING

from scripts.cli import cli
from tests.torture.started import command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND_SECONDS = 180.0
AGAIN_SECONDS = 1.0


class CommandFailed(Exception):
    """A command that should succeed did not; the text is what it said."""


def exists(name: str) -> bool:
    """Is there such a command?"""
    return cli.get_command(None, name) is not None  # type: ignore[arg-type]


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one."""
    return subprocess.run(
        command_line(*arguments),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def insist(environment: Mapping[str, str], *arguments: str, seconds: float = 60.0) -> str:
    """Runs one until it succeeds: a store may be unavailable meanwhile. What it printed.

    Raises:
        CommandFailed: it does not in time.
    """
    until = monotonic() + seconds
    while (done := run(environment, *arguments)).returncode != 0:
        if monotonic() > until:
            raise CommandFailed(f"{' '.join(arguments)}: {done.returncode}: {done.stderr[-2000:]}")
        sleep(AGAIN_SECONDS)
    return done.stdout
