"""What fails for a while is said when it begins, once a minute, and when it is over."""

from __future__ import annotations

import logging

import pytest

from domain.refusals import Contended, Unavailable
from exporter.outages import TOLD_EVERY, Outages
from exporter.results import ResultsFailed
from tests.workshop import Watch

log = logging.getLogger("exporter.tests")


@pytest.fixture
def watch():
    """Seconds, passing as the test wants."""
    return Watch()


@pytest.fixture
def outages(watch, caplog):
    """Nothing fails so far."""
    caplog.set_level(logging.WARNING)
    return Outages(log, watch)


def words_of(caplog):
    """What was said, without reasons and seconds."""
    return [message.split(",")[0].split(":")[0] for message in caplog.messages]


def away():
    """As the journal says it, with what was behind it."""
    error = Unavailable()
    error.__cause__ = OSError("connection refused\n\tIs it running?")
    return error


def test_it_is_said_once_when_it_begins_and_once_when_it_is_over(outages, watch, caplog):
    for _ in range(10):
        outages.fails("catch up", away())
        watch.pass_by(1)
    outages.succeeds("catch up")
    outages.succeeds("catch up")
    assert caplog.messages == [
        "cannot catch up: The storage is unavailable; try again. "
        "(connection refused Is it running?)",
        "can catch up again, after 10.0 s",
    ]


@pytest.mark.parametrize(("seconds", "lines"), [(TOLD_EVERY - 1, 1), (TOLD_EVERY, 2)])
def test_while_it_lasts_it_is_said_once_a_minute(outages, watch, caplog, seconds, lines):
    outages.fails("sweep", ResultsFailed("the bucket is away", passing=True))
    watch.pass_by(seconds)
    for _ in range(3):
        outages.fails("sweep", ResultsFailed("the bucket is away", passing=True))
    assert len(caplog.messages) == lines
    assert caplog.messages[1:] == ["cannot sweep for 60 s: the bucket is away"][: lines - 1]


def test_all_that_waits_for_one_store_is_one_outage(outages, watch, caplog):
    for work in ("catch up", "sign a checkpoint") * 2:
        outages.fails(work, away())
    watch.pass_by(TOLD_EVERY)
    outages.fails("catch up", away())
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("cannot catch up, sign a checkpoint for 60 s:")


def test_it_is_over_when_the_first_of_what_failed_succeeds(outages, watch, caplog):
    for work in ("catch up", "sweep"):
        outages.fails(work, away())
    watch.pass_by(27)
    outages.succeeds("count refusals")
    assert len(caplog.messages) == 1, "that never failed, and may not need the store"
    outages.succeeds("catch up")
    watch.pass_by(48)
    outages.succeeds("sweep")
    assert caplog.messages[1:] == ["can catch up again, after 27.0 s"]


def test_what_goes_on_failing_while_others_succeed_is_an_outage_of_its_own(outages, watch, caplog):
    for _ in range(20):
        outages.fails("sweep", away())
        outages.succeeds("catch up")
        outages.fails("catch up", away())
        watch.pass_by(1)
        outages.succeeds("catch up")
    told = [message.split(":")[0] for message in caplog.messages if "sweep" in message]
    assert told == ["cannot sweep"] * 2, "with the others, and alone"
    watch.pass_by(TOLD_EVERY)
    outages.fails("sweep", away())
    outages.succeeds("sweep")
    assert caplog.messages[-1] == "can sweep again, after 79.0 s"


def test_the_next_outage_is_all_of_ones_again(outages, caplog):
    for _ in range(2):
        for work in ("catch up", "sweep"):
            outages.fails(work, away())
        for work in ("catch up", "sweep"):
            outages.succeeds(work)
    assert words_of(caplog) == ["cannot catch up", "can catch up again"] * 2


def test_what_fails_anew_before_the_rest_was_tried_is_one_outage_too(outages, caplog):
    for _ in range(3):
        for work in ("catch up", "sweep"):
            outages.fails(work, away())
        outages.succeeds("catch up")
    assert words_of(caplog) == ["cannot catch up", "can catch up again"] * 3


def test_two_stores_are_two_outages(outages, caplog):
    outages.fails("catch up", away())
    outages.fails("sweep", ResultsFailed("the bucket is away", passing=True))
    outages.succeeds("sweep")
    outages.succeeds("catch up")
    assert words_of(caplog) == [
        "cannot catch up",
        "cannot sweep",
        "can sweep again",
        "can catch up again",
    ]


def test_work_that_fails_for_another_reason_ends_the_outage_before(outages, caplog):
    outages.fails("sweep", away())
    outages.fails("sweep", Contended())
    outages.fails("sweep", Contended())
    outages.succeeds("sweep")
    assert words_of(caplog) == [
        "cannot sweep",
        "can sweep again",
        "cannot sweep",
        "can sweep again",
    ]


def test_what_never_failed_is_not_said(outages, caplog):
    outages.succeeds("catch up")
    assert caplog.messages == []
