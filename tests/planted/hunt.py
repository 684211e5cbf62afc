"""Hunt: who finds a planted bug, the simulator or else the tests, and how long it takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.planted.catalogue import Bug, DoesNotApply
from tests.planted.tree import copied

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.planted.tree import Ran, Tree

    Hunter = Callable[[Tree, str], "Found | None"]
    """Looks for a bug in a tree; the second argument is the room in which it was planted."""

NOTHING = Bug(name="nothing is planted", rule="", blind=False, edit=[])
"""Hunted like the others: what is found in it is no bug of ours, and nothing must be."""

TEST_SECONDS = 60
"""A test that takes longer has found the bug: it hangs."""

TESTS_SECONDS = 600.0

TESTS = (
    "tests/domain/test_conditions.py",
    "tests/domain/test_downloads.py",
    "tests/domain/test_journal.py",
    "tests/domain/test_owner.py",
    "tests/domain/test_task.py",
    "tests/domain/test_processes.py",
    "tests/projections/test_follower.py",
    "tests/projections/test_queries.py",
    "tests/projections/test_rebuild.py",
    "tests/exporter/test_watch.py",
    "tests/exporter/test_sender.py",
    "tests/exporter/test_sweeper.py",
    "tests/exporter/test_takeover.py",
    "tests/exporter/test_exporter.py",
    "tests/exporter/test_results.py",
    "tests/exporter/test_local_results.py",
    "tests/api/test_exports.py",
    "tests/api/test_downloads.py",
    "tests/api/test_ranges.py",
)
"""Those that have to do with what is planted; the others would cost minutes and find no more."""

SIMULATOR_GRACE = 120.0
"""Seconds for the simulator to start, and to end the schedule at hand."""

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_BROKEN = re.compile(r"^BROKEN by seed (\d+) at .*?: (?:Broken: )?(.*)$", re.MULTILINE)


class HuntFailed(Exception):
    """A hunter came to no verdict."""


class Found(NamedTuple):
    """What found a bug: `what` are the violation's words, or the test's name."""

    by: str
    what: str
    seed: int | None
    seconds: float


class Outcome(NamedTuple):
    """How a hunt ended; `amiss` says what is wrong with the hunt itself."""

    bug: Bug
    found: Found | None
    amiss: str | None = None

    @property
    def good(self) -> bool:
        """Was a bug found, or nothing where nothing was planted?"""
        return self.amiss is None and (self.found is None) == (self.bug == NOTHING)


def hunted(bug: Bug, project: Tree, hunters: Sequence[Hunter]) -> Outcome:
    """Plants the bug in a copy of the project, and lets one hunter after the other look for it."""
    with copied(project.root) as tree:
        room = bug.edit[0].file.partition("/")[0] if bug.edit else ""
        try:
            bug.plant(tree.root)
            found = next(filter(None, (hunter(tree, room) for hunter in hunters)), None)
        except (DoesNotApply, HuntFailed) as error:
            return Outcome(bug, None, str(error))
    if found and found.seed is not None and not survives(project, found.seed):
        return Outcome(bug, found, f"seed {found.seed} fails without the bug too")
    return Outcome(bug, found)


def by_tests(tree: Tree, room: str) -> Found | None:
    """The first test that fails, beginning with those of the room."""
    tests = sorted(TESTS, key=lambda test: not test.startswith(f"tests/{room}"))
    options = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}")
    ran = tree.python(*options, *tests, seconds=TESTS_SECONDS)
    if ran.code == 0:
        return None
    failed = _FAILED.search(ran.output)
    what = failed[1] if failed else "the tests did not end"
    return Found("tests", what, None, ran.seconds)


def by_simulator(tree: Tree, room: str, *, first_seed: int, limit: float) -> Found | None:
    """The first rule broken in any schedule from this seed on, within so many seconds.

    Raises:
        HuntFailed: the simulator itself did not get to an end.
    """
    ran = _simulator(tree, f"--first-seed={first_seed}", f"--minutes={limit / 60}", seconds=limit)
    if ran.code == 0:
        return None
    broken = _BROKEN.search(ran.output)
    if not broken:
        last = ran.output.splitlines()[-1] if ran.output else "it did not end"
        raise HuntFailed(f"the simulator failed: {last}")
    return Found("simulator", broken[2], int(broken[1]), ran.seconds)


def survives(tree: Tree, seed: int) -> bool:
    """Does the schedule of this seed break no rule in this tree?"""
    return _simulator(tree, f"--seed={seed}", seconds=0.0).code == 0


def _simulator(tree: Tree, *options: str, seconds: float) -> Ran:
    command = ("-m", "tests.simulation", "--jobs=1", *options)
    return tree.python(*command, seconds=seconds + SIMULATOR_GRACE)
