"""Same conditions, same file: contract, section 2.4."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.conditions import File, Results
from tests.facts import ANN, BEN

OLD = File("01", "01/1-a.xls", 1, "h1", 1, 1, 0, True, "t")
NEW = replace(OLD, task_id="02", key="02/1-b.xls")


def test_the_newest_task_is_current_whichever_finished_last():
    assert Results().completed(OLD).completed(NEW).current == NEW
    assert Results().completed(NEW).completed(OLD).current == NEW


def test_a_file_stays_while_a_success_remains_even_when_its_own_task_goes():
    results = Results().completed(OLD).completed(NEW).evicted("02")
    assert (results.tasks, results.current) == (frozenset({"01"}), NEW)


def test_with_the_last_success_the_file_goes_and_the_next_is_current_though_older():
    results = Results().completed(NEW).evicted("02")
    assert results == Results()
    assert results.completed(OLD).current == OLD


def test_a_removed_task_that_had_not_succeeded_changes_nothing():
    results = Results().completed(OLD)
    assert results.evicted("02") is results


def test_a_completion_counts_once_however_often_it_is_told():
    assert Results().completed(OLD).completed(OLD) == Results().completed(OLD)


def test_apps_do_not_share_a_digest(story):
    scopes = ("a1", "a2", "a3")
    conditions = [story.creating(app_type="APP", scope=scope).conditions for scope in scopes]
    assert len({each.digest(ANN) for each in conditions}) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": "ab"},
        {"app_type": "APP", "scope": "a1"},
        {"app_type": "APP", "scope": "a2"},
    ],
)
def test_different_conditions_have_different_digests(story, changes):
    ours = story.creating().conditions.digest(ANN)
    assert story.creating(**changes).conditions.digest(ANN) != ours
    assert story.creating(app_id="a1").conditions.digest(ANN) == ours
    assert story.creating().conditions.digest(BEN) != ours
    assert len(ours) == 32
