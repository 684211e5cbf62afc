"""Tree: a copy of the project to plant a bug in, thrown away afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOMS = ("domain", "projections", "exporter", "api", "scripts", "tests", "docs")


class Ran(NamedTuple):
    """How a command ended; `code` is None where it had to be ended."""

    code: int | None
    output: str
    seconds: float


class Tree:
    """A copy whose own modules are the ones that its commands import."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def python(self, *arguments: str, seconds: float) -> Ran:
        """Runs Python in the tree; after so many seconds it is ended, with all that it started."""
        began = monotonic()
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, code = child.communicate(timeout=seconds)[0], child.returncode
        except subprocess.TimeoutExpired:
            output, code = "", None
        finally:
            _end(child)
        return Ran(code, output, monotonic() - began)

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
        return inherited | {"PYTHONPATH": str(self.root)}


@contextmanager
def copied(project: Path) -> Iterator[Tree]:
    """A copy of all that the simulator and the tests need."""
    with TemporaryDirectory(prefix="planted-") as folder:
        root = Path(folder)
        for room in ROOMS:
            copytree(project / room, root / room, ignore=ignore_patterns("__pycache__", "images"))
        copy(project / "pyproject.toml", root)
        yield Tree(root)


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
