"""Trial: whether the tests of its room notice a mutant, those that run the changed line alone."""

from __future__ import annotations

import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from coverage import CoverageData

from tests.mutation.mutant import Change, Mutant, change, is_python
from tests.mutation.scope import TESTS, Outline, modules
from tests.mutation.session import TIME_UP, patience, run, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.queues import SimpleQueue

    Mutate = Callable[[Mutant, str], str]
    """Makes the change to a module's text."""

BASELINE_SECONDS = 1200.0


class TestsFail(Exception):
    """The tests fail where nothing is mutated."""


class Verdict(NamedTuple):
    """What became of a mutant: the test that noticed it, if any."""

    mutant: Mutant
    change: Change
    killed_by: str | None

    @property
    def survived(self) -> bool:
        """Did every test pass?"""
        return self.killed_by is None


class Room:
    """The tests of one room: how long each takes, and which of them run which lines."""

    def __init__(self, tree: Path, tests: Sequence[str]) -> None:
        measure = ("--cov=domain", "--cov=projections", "--cov=exporter", "--cov-context=test")
        told = run(tree, [*tests, *measure, "--cov-report="], None, BASELINE_SECONDS)
        if told is None or told["code"] != 0:
            raise TestsFail((tree / "output").read_text("utf-8", "replace"))
        self.seconds: dict[str, float] = told["seconds"]
        self.modules: list[str] = told["modules"]
        data = CoverageData(str(tree / ".coverage"))
        data.read()
        self._lines = {
            module: data.contexts_by_lineno(str(tree / module)) for module in modules(tree)
        }

    def tests_of(self, module: str, lines: range) -> dict[str, float]:
        """The tests that run one of the lines; all of them where it is run by the import."""
        contexts = {each for line in lines for each in self._lines[module].get(line, ())}
        if "" in contexts or not contexts:
            return self.seconds
        tests = {context.rpartition("|")[0] for context in contexts}
        return {test: seconds for test, seconds in self.seconds.items() if test in tests}


class Bench:
    """Where one mutant after the other is tried, in a tree of its own.

    What has killed many of a module's mutants goes first, and then what is quick.
    """

    def __init__(self, tree: Path, rooms: dict[str, Room], mutate: Mutate) -> None:
        self._tree, self._rooms, self._mutate = tree, rooms, mutate
        self._kills: Counter[tuple[str, str]] = Counter()

    def verdict(self, mutant: Mutant) -> Verdict | None:
        """Puts the mutant in the module's place, runs the tests, and puts the module back.

        None where it is no Python, which needs no test.
        """
        path = self._tree / mutant.module
        source, times = path.read_text("utf-8"), path.stat()
        instead = self._mutate(mutant, source)
        if not is_python(instead):
            return None
        path.write_text(instead, "utf-8")
        try:
            killed_by = self._tried(mutant, Outline(source).statement(mutant.line))
        finally:
            path.write_text(source, "utf-8")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return Verdict(mutant, change(mutant, source, instead), killed_by)

    def _tried(self, mutant: Mutant, lines: range) -> str | None:
        tests = self._in_order(mutant, lines)
        files = sorted({test.partition("::")[0] for test in tests})
        told = run(self._tree, files, tests, patience(sum(tests.values())))
        if told is None:
            return TIME_UP
        if told["code"] == 0:
            return None
        self._kills[mutant.module, told["failed"]] += 1
        return told["failed"] or "it cannot be imported"

    def _in_order(self, mutant: Mutant, lines: range) -> dict[str, float]:
        tests = self._rooms[mutant.room].tests_of(mutant.module, lines)
        kills = {test: self._kills[mutant.module, test] for test in tests}
        order = sorted(tests, key=lambda test: (-kills[test], tests[test]))
        return {test: tests[test] for test in order}


_benches: list[Bench] = []
"""Of a process that tries mutants: its own."""


def verdicts(tree: Path, mutants: Sequence[Mutant], jobs: int, mutate: Mutate) -> Iterator[Verdict]:
    """Tries the mutants in their order, several at a time, in copies of a tree.

    The tree's own tests are run first: they tell which of them run which lines.

    Raises:
        TestsFail: they fail where nothing is mutated.
    """
    rooms = {room: Room(tree, TESTS[room]) for room in sorted({each.room for each in mutants})}
    for room in rooms.values():
        warm_up(room.modules)
    fork = get_context("fork")
    with TemporaryDirectory(prefix="mutants-") as folder, _nothing_compiled():
        trees = fork.SimpleQueue()
        for number in range(jobs):
            trees.put(copytree(tree, Path(folder) / str(number)))
        with ProcessPoolExecutor(jobs, fork, _begin, (trees, rooms, mutate)) as pool:
            yield from filter(None, pool.map(_try, mutants))


def _begin(trees: SimpleQueue[Path], rooms: dict[str, Room], mutate: Mutate) -> None:
    _benches.append(Bench(trees.get(), rooms, mutate))


def _try(mutant: Mutant) -> Verdict | None:
    return _benches[0].verdict(mutant)


@contextmanager
def _nothing_compiled() -> Iterator[None]:
    """No mutant's bytecode is kept: the next one could be taken for it."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        yield
    finally:
        sys.dont_write_bytecode = False
        del os.environ["PYTHONDONTWRITEBYTECODE"]
