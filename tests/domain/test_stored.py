"""What was once stored stays readable for ever: golden samples of every released version.

A sample is never changed. An event class that changes needs an upcaster, and a sample more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from domain.stored import EVENTS, event_mapper

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("events-*.jsonl"))
SAMPLES = [json.loads(line) for path in GOLDEN for line in path.read_text().splitlines()]


def stored(sample):
    """A sample as the store gives it back."""
    return StoredEvent(UUID(int=1), 1, sample["topic"], sample["state"].encode())


def test_there_is_a_sample_of_every_event():
    assert {sample["topic"] for sample in SAMPLES} >= {event.TOPIC for event in EVENTS}


def test_topics_are_unique():
    assert len({event.TOPIC for event in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["topic"])
def test_a_sample_is_read_whole(sample):
    event = event_mapper().to_domain_event(stored(sample))
    assert type(event) in EVENTS
    assert set(vars(event)) == {field.name for field in fields(event)}


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
