"""Started: `export-tasks` with a clock that the torture steps; the product knows nothing of it.

Only the torture starts processes through this module. It changes two things from outside: which
`datetime` the domain's wall clock reads, and, where no disk of limited size can be mounted, what
a full disk answers when a result file is to be synced.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

CLOCK = "TORTURE_CLOCK"
FULL = "TORTURE_FULL"

_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); from tests.torture.started import main; main()"
)
_ROOT = str(Path(__file__).parents[2])


def command_line(*arguments: str) -> list[str]:
    """As the product's own, but through here."""
    return [sys.executable, "-P", "-c", _START, _ROOT, *arguments]


def main() -> None:
    """Runs the command; the processes that it starts come through here too."""
    _step_the_clock(Path(os.environ[CLOCK]))
    if FULL in os.environ:
        _fill_the_disk(Path(os.environ[FULL]))
    from scripts import cli, group

    starts = group.command_line.__globals__  # of `child`, or, in an earlier program, of `group`
    assert "_START" in starts, "the product starts its processes in another way"
    starts["_START"] = _START
    cli.main()


def _step_the_clock(path: Path) -> None:
    from tests.torture.clock import Clock, stepping

    journal: Any = import_module("domain.journal")
    journal.datetime = stepping(Clock(path))


def _fill_the_disk(full: Path) -> None:
    disk: Any = import_module("exporter.disk")
    sync = disk.sync

    def refuse(path: Path) -> None:
        if full.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(path)

    disk.sync = refuse
