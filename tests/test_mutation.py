"""The mutants' machinery finds what the tests miss, and what is explained is still there."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.mutation.explained import Explained, explanations
from tests.mutation.mutant import Change, Mutant, change
from tests.mutation.report import Report, toml
from tests.mutation.scope import ROOT, TESTS, Outline, modules
from tests.mutation.session import TIME_UP, Listener
from tests.mutation.trial import Verdict
from tests.planted.tree import copied

if TYPE_CHECKING:
    from pathlib import Path

TINY = '''"""A module with one rule."""

from __future__ import annotations


def is_enough(number: int | None) -> bool:
    return (number or 0) >= 2
'''
ITS_TESTS = """
from domain.tiny import is_enough


def test_three_are_enough_and_none_is_not():
    assert is_enough(3) and not is_enough(None)
"""
THE_TEST = "tests/domain/test_tiny.py::test_three_are_enough_and_none_is_not"
SETTINGS = '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\npythonpath = ["."]\n'

TRIALS = """
import sys
from pathlib import Path
from tests.mutation.mutant import Mutant
from tests.mutation.trial import TestsFail, verdicts

def mutate(mutant, source):
    return source.replace(">=", mutant.operator)

tree = Path(sys.argv[1])
operators = (">", "<", "> undefined or", ">=)", "is")
mutants = [Mutant("domain/tiny.py", 7, operator, 0) for operator in operators]
for verdict in verdicts(tree, mutants, 2, mutate):
    print(verdict.change.becomes, verdict.killed_by, sep=": ")
(tree / "tests/domain/test_tiny.py").write_text("def test_no(): assert False")
try:
    list(verdicts(tree, mutants, 2, mutate))
except TestsFail as failure:
    print("1 failed" in str(failure))
"""
HANGING = "Failed: Timeout (>15.0s) from pytest-timeout."
MUTANT = Mutant("domain/tiny.py", 7, ">", 0)
SURVIVOR = change(MUTANT, TINY, TINY.replace(">=", ">"))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A project of one module, whose tests do not look at the limit itself."""
    for name, text in {
        "domain/tiny.py": TINY,
        "tests/domain/test_tiny.py": ITS_TESTS,
        "pyproject.toml": SETTINGS,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_mutant_is_killed_by_the_test_that_notices_it_where_the_tests_pass_without_it(tiny):
    ran = subprocess.run(
        [sys.executable, "-c", TRIALS, tiny], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout.splitlines() == [
        "return (number or 0) > 2: None",
        f"return (number or 0) < 2: {THE_TEST}",
        f"return (number or 0) > undefined or 2: {THE_TEST}",
        "True",
    ], ran.stderr
    assert (tiny / "domain" / "tiny.py").read_text() == TINY


def test_what_must_notice_passes_in_a_copy_in_which_nothing_is_changed():
    with copied(ROOT) as tree:
        ran = tree.python("-m", "pytest", "-q", "-x", *TESTS["domain"], seconds=600)
    assert ran.code == 0, ran.output


def test_a_test_that_hangs_is_told_apart_from_one_that_fails():
    fails = SimpleNamespace(nodeid="t", duration=1.0, failed=True, longreprtext="assert False")
    hangs = SimpleNamespace(**{**vars(fails), "longreprtext": HANGING})
    for report, told in ((fails, "t"), (hangs, TIME_UP)):
        listener = Listener(None)
        listener.pytest_runtest_logreport(report)
        listener.pytest_runtest_logreport(SimpleNamespace(**{**vars(fails), "nodeid": "teardown"}))
        assert listener.failed == told


def test_annotations_imports_for_them_and_words_to_the_log_are_not_mutated():
    outline = Outline(TINY + "\nlog.info(1 + 1)\nif TYPE_CHECKING:\n    from a import b\n")
    places = [(6, TINY.splitlines()[5].index("|")), (7, 19), (9, 11), (11, 4)]
    assert [outline.is_idle(place) for place in places] == [True, False, True, True]


def test_a_change_is_told_with_the_function_that_it_is_in():
    was, becomes = "return (number or 0) >= 2", "return (number or 0) > 2"
    assert Change("domain/tiny.py", "is_enough", was, becomes) == SURVIVOR


def test_a_run_is_good_where_exactly_the_survivors_are_explained():
    survived, killed = Verdict(MUTANT, SURVIVOR, None), Verdict(MUTANT, SURVIVOR, "a test")
    reason = Explained(*SURVIVOR[:3], [SURVIVOR.becomes], "two is never given")
    unexplained = Report([survived], [], 60.0)
    assert (unexplained.good, unexplained.unexplained) == (False, [SURVIVOR])
    assert f"SURVIVED  {SURVIVOR}" in unexplained.summary()
    needless = Report([killed], [reason], 60.0)
    assert (needless.good, needless.idle) == (False, [SURVIVOR])
    assert Report([survived, killed], [reason], 60.0).good
    assert Report([killed], [], 60.0).good


def test_of_many_survivors_one_is_too_many(tmp_path):
    verdicts = [Verdict(MUTANT, SURVIVOR, "a test")] * 19 + [Verdict(MUTANT, SURVIVOR, None)]
    report = Report(verdicts, [], 60.0)
    assert report.tally().percent == 95.0
    assert not report.good
    assert "| 20 | 19 | 0 | 0 | 1 | 95.0 |" in report.table()
    assert json.loads(json.dumps(report.document()))["unexplained"] == [SURVIVOR._asdict()]


def test_a_survivor_is_printed_as_it_is_to_be_explained(tmp_path):
    (tmp_path / "survivors.toml").write_text(toml([SURVIVOR]))
    (explained,) = explanations(tmp_path / "survivors.toml")
    assert list(explained.changes()) == [SURVIVOR]


@pytest.mark.parametrize("explained", explanations(), ids=lambda each: f"{each.module} {each.was}")
def test_what_is_explained_still_stands_in_its_module_and_has_a_reason(explained):
    assert explained.module in modules(ROOT)
    assert explained.stands(ROOT)
    assert explained.why
    assert explained.becomes
