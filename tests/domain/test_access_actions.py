"""Actions: those that a policy may name are those that calls and pages ask for, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.pages import PAGES
from api.routes import CALLS
from domain.access.actions import ACTIONS, check_action
from domain.refusals import Invalid

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"


def test_every_action_that_a_call_or_a_page_asks_for_is_there_and_no_other():
    assert {each.permission for each in (*CALLS, *PAGES)} - {None} == {*ACTIONS}


def test_the_page_on_policies_tells_of_each_of_them_and_of_no_other():
    told = re.findall(r"^\| `(iotda:[\w:]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert told == [*ACTIONS]


@pytest.mark.parametrize("action", [*ACTIONS, "IOTDA:exportTasks:QUERYLIST", "obs:bucket:made-up"])
def test_an_action_may_be_asked_about_if_it_is_there_or_somebody_elses(action):
    check_action(action)


@pytest.mark.parametrize(
    "action", ["iotda:exporttasks:", "iotda:exportTasks:quer*", "iotda:batchtasks:x"]
)
def test_an_action_of_ours_that_there_is_not_is_refused(action):
    with pytest.raises(Invalid, match=f"one of {', '.join(ACTIONS)}"):
        check_action(action)
