"""What was once stored stays readable for ever: golden samples of every released version.

A sample is never changed. An event class that changes needs an upcaster, and a sample more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import TopicError

from domain.fact import Aggregate, stream_id
from domain.stored import EVENTS, event_mapper
from domain.task import Task

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("events-*.jsonl"))
SAMPLES = [json.loads(line) for path in GOLDEN for line in path.read_text().splitlines()]


def stored(sample):
    """A sample as the store gives it back."""
    return StoredEvent(UUID(int=1), 1, sample["topic"], sample["state"].encode())


def test_there_is_a_sample_of_every_event():
    assert {sample["topic"] for sample in SAMPLES} >= {event.TOPIC for event in EVENTS}


def test_topics_are_unique():
    assert len({event.TOPIC for event in EVENTS}) == len(EVENTS)


def must_be_read_whole(sample, events=EVENTS):
    """Fails unless an event of these is made of the sample, with all of its fields and no other.

    What is optional need not be there.
    """
    event = event_mapper().to_domain_event(stored(sample))
    assert type(event) in events
    there = {*vars(event), *event.OPTIONAL}
    assert there == {field.name for field in fields(event)}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["topic"])
def test_a_sample_is_read_whole(sample):
    must_be_read_whole(sample)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["topic"])
def test_a_sample_of_this_version_is_stored_again_byte_for_byte(sample):
    event = event_mapper().to_domain_event(stored(sample))
    assert event_mapper().to_stored_event(event).state == sample["state"].encode()


def test_a_fresh_process_reads_what_it_never_wrote():
    program = (
        "from tests.domain.test_stored import SAMPLES, event_mapper, stored\n"
        "print(len([event_mapper().to_domain_event(stored(each)) for each in SAMPLES]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert int(done.stdout) == len(SAMPLES)


def test_a_stream_s_id_is_the_uuid_of_its_names():
    of_all = UUID("5b8e2d2e-7f0c-5c55-9d3a-1f6a0c9e4b71")
    assert stream_id("owner", "项目", "ann") == uuid5(of_all, "owner/项目/ann")
    assert stream_id("log") == uuid5(of_all, "log")


# That the tests above would notice: on copies of a stored class, each under a topic of its own


class Unchanged(Aggregate.Event):
    """As `Task.Failed` is."""

    TOPIC = "copy.unchanged"
    attempt: int
    exporter: str
    code: str
    message: str


class WithOneMore(Unchanged):
    """A field was added."""

    TOPIC = "copy.with_one_more"
    blame: str


class WithOneLess(Aggregate.Event):
    """A field was removed."""

    TOPIC = "copy.with_one_less"
    attempt: int
    exporter: str
    code: str


class Upcasted(WithOneMore):
    """A field was added, and what was stored before is read with it."""

    TOPIC = "copy.upcasted"
    class_version = 2

    @staticmethod
    def upcast_v1_v2(state):
        state["blame"] = "nobody"


COPIES = (Unchanged, WithOneMore, WithOneLess, Upcasted)
FAILED = next(sample for sample in SAMPLES if sample["topic"] == Task.Failed.TOPIC)


@pytest.mark.parametrize("copy", [Unchanged, Upcasted])
def test_a_class_that_reads_what_was_stored_passes(copy):
    must_be_read_whole(FAILED | {"topic": copy.TOPIC}, COPIES)


@pytest.mark.parametrize("copy", [WithOneMore, WithOneLess])
def test_a_field_more_or_less_without_an_upcaster_is_noticed(copy):
    with pytest.raises(AssertionError, match=r"blame|message"):
        must_be_read_whole(FAILED | {"topic": copy.TOPIC}, COPIES)


def test_a_topic_that_was_renamed_is_noticed():
    with pytest.raises(TopicError):
        must_be_read_whole(FAILED | {"topic": "copy.as_it_was_called_before"}, COPIES)


def test_a_class_that_is_no_stored_event_any_more_is_noticed():
    with pytest.raises(AssertionError):
        must_be_read_whole(FAILED | {"topic": Unchanged.TOPIC})


def test_an_event_without_a_sample_is_noticed(monkeypatch):
    monkeypatch.setitem(globals(), "EVENTS", (*EVENTS, Unchanged))
    with pytest.raises(AssertionError):
        test_there_is_a_sample_of_every_event()
