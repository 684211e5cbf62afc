"""Session: pytest in a fork of this warm process, over a tree of its own, to an end in any case."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from json import dumps, loads
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.mutation.scope import MODULES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

HOUSE = (*MODULES, "api", "scripts", "tests", "conftest")
"""What a fork imports anew, from its tree; everything else it has already."""

OPTIONS = ("-q", "-x", "--assert=plain", "--hypothesis-seed=0", "-p", "no:cacheprovider")
LOOK_SECONDS = 0.02

HANGS = "from pytest-timeout"
"""How a test's failure says that it took too long."""

TIME_UP = "its time was up"
"""What killed a mutant that hangs."""


class Listener:
    """A pytest plugin that runs the chosen tests alone, in the order given, and notes what it saw.

    `seconds` are those of the tests; None chooses all. A test that takes much longer hangs.
    """

    def __init__(self, seconds: dict[str, float] | None) -> None:
        self._chosen = seconds
        self.seconds: dict[str, float] = {}
        self.failed: str | None = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Chooses, orders, and sets each its time."""
        if self._chosen is None:
            return
        found = {item.nodeid: item for item in items}
        items[:] = [found[test] for test in self._chosen if test in found]
        for item in items:
            item.add_marker(pytest.mark.timeout(patience(self._chosen[item.nodeid])))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a test's time, and the first that fails or hangs."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed and not self.failed:
            self.failed = TIME_UP if HANGS in report.longreprtext else report.nodeid


def patience(seconds: float) -> float:
    """How long to wait for what took so long in a sound tree on a machine that others use too."""
    return 15.0 + 5 * seconds


def run(
    tree: Path, arguments: Sequence[str], chosen: dict[str, float] | None, limit: float
) -> dict[str, Any] | None:
    """How pytest ended in the tree: exit code, times, what failed, third-party modules in use.

    None where it had to be ended.
    """
    told = tree / "told.json"
    told.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _session(tree, arguments, chosen, told)
    try:
        ended = _wait(child, limit)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    return loads(told.read_text("utf-8")) if ended and told.exists() else None


def warm_up(names: Iterable[str]) -> None:
    """Imports what forks would import, but nothing of the house."""
    for name in names:
        if name.partition(".")[0] not in HOUSE:
            with suppress(ImportError):
                import_module(name)


def _session(
    tree: Path, arguments: Sequence[str], chosen: dict[str, float] | None, told: Path
) -> NoReturn:
    code = 3
    try:
        os.setsid()
        _move_into(tree)
        listener = Listener(chosen)
        code = int(
            pytest.main([*OPTIONS, f"--basetemp={tree / 'tmp'}", *arguments], plugins=[listener])
        )
        seen = {"code": code, "seconds": listener.seconds, "failed": listener.failed}
        told.write_text(dumps({**seen, "modules": sorted(sys.modules)}), "utf-8")
    finally:
        os._exit(code)


def _move_into(tree: Path) -> None:
    output = os.open(tree / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
    for name in [name for name in sys.modules if name.partition(".")[0] in HOUSE]:
        del sys.modules[name]


def _wait(child: int, limit: float) -> bool:
    until = monotonic() + limit
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        sleep(LOOK_SECONDS)
    return True
