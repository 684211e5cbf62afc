"""Summaries of refusals: given these, when that is counted, then those events."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest

from domain.access.refused import Refused, Summary
from domain.access.register import Register
from domain.fact import stream_id, values_of
from tests.facts import NOON, OPERATOR

ANN, KEY, HERE = "a" * 32, "K" * 20, "c" * 32
BY_KEY = Summary(ANN, KEY, HERE, 1, NOON, NOON + timedelta(seconds=59), {"APIGW.0301": 7})
BY_TOKEN = replace(BY_KEY, access_key=None, refusals={"IOTDA.000022": 1, "IOTDA.014704": 2})


@pytest.fixture
def register(story):
    return Register(story.journal)


def counted(summary, version=1):
    return Refused.Counted(
        originator_id=stream_id("refused", HERE, ANN, summary.access_key or ""),
        originator_version=version,
        timestamp=NOON,
        by="system",
        request_id="0" * 32,
        key=None,
        address=None,
        **values_of(summary),
    )


def test_what_is_counted_is_told_of_each_key_and_of_none(story, register):
    register.count_refusals([BY_KEY, BY_TOKEN], OPERATOR)
    assert story.events() == [counted(BY_KEY), counted(BY_TOKEN)]


def test_the_next_count_is_told_too(story, register):
    following = replace(BY_KEY, number=2)
    register.count_refusals([BY_KEY], OPERATOR)
    register.count_refusals([following], OPERATOR)
    assert story.events() == [counted(BY_KEY), counted(following, version=2)]


@pytest.mark.parametrize("number", [3, 2])
def test_a_count_that_was_told_is_not_told_again(story, register, number):
    register.count_refusals([replace(BY_KEY, number=3)], OPERATOR)
    register.count_refusals([replace(BY_KEY, number=number), BY_TOKEN], OPERATOR)
    assert story.events() == [counted(replace(BY_KEY, number=3)), counted(BY_TOKEN)]


def test_another_machine_counts_for_itself(story, register):
    register.count_refusals([replace(BY_KEY, number=3)], OPERATOR)
    register.count_refusals([replace(BY_KEY, counter="d" * 32)], OPERATOR)
    assert [event.number for event in story.events()] == [3, 1]


def test_counts_are_numbered_from_one_and_a_summary_stands_as_it_was_made(story, register):
    register.count_refusals([replace(BY_KEY, number=0)], OPERATOR)
    assert story.events() == []
    with pytest.raises(FrozenInstanceError):
        BY_KEY.number = 2


def test_nothing_to_tell_is_no_event(story, register):
    register.count_refusals([], OPERATOR)
    assert story.events() == []
