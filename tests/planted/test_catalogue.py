"""The catalogue of planted bugs follows the product: every one of them can still be planted."""

from __future__ import annotations

from shutil import copytree

import pytest

from tests.planted.catalogue import ROOT, DoesNotApply, Edit, catalogue

BUGS = catalogue()
LEAST = 30


def test_there_are_enough_and_half_of_them_were_thought_up_blind():
    assert len(BUGS) >= LEAST
    assert 2 * sum(bug.blind for bug in BUGS) >= len(BUGS)


def test_every_bug_has_a_name_of_its_own():
    names = [bug.name for bug in BUGS]
    assert sorted(set(names)) == sorted(names)


def test_bugs_are_planted_in_the_product_alone():
    rooms = {edit.file.partition("/")[0] for bug in BUGS for edit in bug.edit}
    assert rooms <= {"domain", "projections", "exporter", "api"}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_applies_and_what_it_gives_is_a_program(bug, tmp_path):
    for room in {edit.file.partition("/")[0] for edit in bug.edit}:
        copytree(ROOT / room, tmp_path / room)
    bug.plant(tmp_path)
    for file in {edit.file for edit in bug.edit}:
        text = (tmp_path / file).read_text("utf-8")
        assert text != (ROOT / file).read_text("utf-8")
        compile(text, file, "exec")


@pytest.mark.parametrize(("text", "times"), [("", 0), ("a\na\n", 2)])
def test_what_is_not_there_exactly_once_does_not_apply(text, times):
    with pytest.raises(DoesNotApply, match=f"has it {times} times"):
        Edit("domain/task.py", "a\n", "b\n").applied(text)


def test_what_is_there_once_is_replaced():
    assert Edit("domain/task.py", "a\n", "b\n").applied("1\na\n2\n") == "1\nb\n2\n"


def test_a_file_that_is_gone_is_said(tmp_path):
    with pytest.raises(DoesNotApply, match=r"is not there"):
        BUGS[0].plant(tmp_path)
