"""Facts are read as the library's mapper reads them, whatever stands in the log."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from domain.stored import event_mapper
from projections import facts
from projections.facts import fact_of

STREAM = UUID(int=7)
MAPPER = event_mapper()
TIME = {"_type_": "datetime_iso", "_data_": "2026-11-24T12:00:00.000001+00:00"}
GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("events-*.jsonl"))

numbers = st.integers() | st.floats() | st.sampled_from([2**64, -(2**63) - 1, 10**400, 1e400, -0.0])
names = st.text() | st.sampled_from(["timestamp", "_type_", "_data_", "class_version"])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.just(TIME),
    lambda inner: st.lists(inner) | st.dictionaries(names, inner),
)


def told(read, event):
    """What reading an event gives, or how it fails."""
    try:
        fact = read(event)
    except Exception as error:
        return type(error)
    return type(fact), repr(fact.__dict__), [type(value) for value in fact.__dict__.values()]


def same(state, topic="task.progressed", stream=STREAM):
    """Both ways to read an event tell the same."""
    event = StoredEvent(stream, 3, topic, state)
    assert told(fact_of, event) == told(MAPPER.to_domain_event, event)


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
@pytest.mark.parametrize("quick", [True, False])
def test_every_event_of_every_release_is_read_the_same(file, quick, monkeypatch):
    samples = [json.loads(line) for line in file.read_text().splitlines()]
    if quick:  # all but those that hold times beside their own
        samples = [each for each in samples if each["state"].count("_type_") == 1]
        monkeypatch.setattr(facts, "_MAPPER", None)
    assert samples
    for sample in samples:
        same(sample["state"].encode(), sample["topic"])


@given(st.dictionaries(names, values), st.booleans(), st.booleans())
def test_whatever_stands_in_an_event_is_read_the_same(rest, timed, ascii):
    said = {"timestamp": TIME, **rest} if timed else rest
    same(json.dumps(said, ensure_ascii=ascii).encode(errors="surrogatepass"))


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"[]",
        b"{}",
        b"text",
        b"\xff",
        b'{"timestamp":1,"_type_":2}',
        b'{"timestamp":{"_type_":"datetime_iso","_data_":"when?"}}',
        b'{"timestamp":{"_type_":"datetime_iso","_data_":5}}',
        b'{"timestamp":{"_type_":"datetime_iso"}}',
        b'{"timestamp":{"_type_":"other","_data_":"2026-11-24T12:00:00+00:00"}}',
        b'{"timestamp":{"_type_":"datetime_iso","_data_":"2026-11-24","more":1}}',
        b'{"timestamp":{"_type_":"datetime_iso","_data_":"2026-11-24"},"class_version":1}',
        b'{"timestamp":{"\\u005ftype_":"datetime_iso","_data_":"2026-11-24"}}',
        b'{"a":{"_type_":"datetime_iso","_data_":"2026-11-24"}}',
        b'{"a":' * 100_000,
        "text, not bytes",
        None,
    ],
)
def test_what_no_event_of_ours_says_is_left_to_the_mapper(state):
    same(state)


@pytest.mark.parametrize("stream", [uuid4(), STREAM.hex, "no stream of ours"])
@pytest.mark.parametrize("topic", ["task.progressed", "task.unheard_of", "log.begun"])
def test_every_topic_and_stream_is_read_the_same(topic, stream):
    same(json.dumps({"timestamp": TIME, "by": "ann"}).encode(), topic, stream)
