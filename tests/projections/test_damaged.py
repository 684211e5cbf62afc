"""A row of the log in which somebody put what belongs there in no form; SQLite stores anything."""

from __future__ import annotations

import logging

import pytest
from eventsourcing.utils import TopicError

from projections.checks import check_topics
from projections.fold import Poisoned
from projections.rebuild import Plan, rebuild
from tests.facts import ANN

STREAM = "0" * 31 + "7"


class Text(bytes):
    """Bytes that are stored as a text."""


DAMAGED = {
    "a topic of bytes": (STREAM, 1, b"\1\2", b"{}"),
    "no topic": (STREAM, 1, None, b"{}"),
    "a version of text": (STREAM, "x", "task.created", b"{}"),
    "a version that is no whole number": (STREAM, 1.5, "task.created", b"{}"),
    "no version": (STREAM, None, "task.created", b"{}"),
    "a state of text": (STREAM, 1, "task.created", "{}"),
    "no state": (STREAM, 1, "task.created", None),
    "a stream that is none": ("zz", 1, "task.created", b"{}"),
    "a stream of bytes": (b"zz", 1, "task.created", b"{}"),
    "no stream": (None, 1, "task.created", b"{}"),
    "a topic of bytes that are no text": (STREAM, 1, Text(b"task.\xff"), b"{}"),
    "a version of bytes that are no text": (STREAM, Text(b"\xff"), "task.created", b"{}"),
    "a state of bytes that are no text": (STREAM, 1, "task.created", Text(b"{\xff}")),
    "a stream of bytes that are no text": (Text(b"\xff" * 32), 1, "task.created", b"{}"),
}


@pytest.fixture(autouse=True)
def _unheard(monkeypatch):
    """What is logged of it holds half surrogates, which processes of a test run cannot pass on."""
    monkeypatch.setattr(logging.getLogger("projections.position"), "disabled", True)


@pytest.fixture
def events_url(tmp_path):
    return f"sqlite:///{tmp_path}/events.sqlite"


@pytest.fixture(params=DAMAGED)
def damaged(node, story, request):
    """A task, and after it that row."""
    story.create()
    put(node, DAMAGED[request.param])


def put(node, row):
    with node.log.writing() as cursor:
        columns = "originator_id, originator_version, topic, state"
        places = ", ".join("CAST(? AS TEXT)" if type(part) is Text else "?" for part in row)
        values = [bytes(part) if type(part) is Text else part for part in row]
        cursor.execute(f"INSERT INTO stored_events ({columns}) VALUES ({places})", values)


@pytest.mark.usefixtures("damaged")
def test_it_freezes_its_own_stream_and_the_others_go_on(node, story):
    assert node.queries.tasks(ANN).count == 1, "as long as it is the last"
    story.create()
    assert node.queries.tasks(ANN).count == 2
    (frozen,) = node.queries.quarantined()
    assert frozen["position"] == 3


@pytest.mark.usefixtures("damaged")
def test_a_rebuild_freezes_it_too(node):
    done = rebuild(node.log.recorder, node.tables, Plan(quarantine=True, accept_quarantined=1))
    assert done.swapped
    assert node.queries.tasks(ANN).count == 1


def test_an_event_that_could_be_read_freezes_its_stream_where_its_version_is_no_number(node, story):
    task = story.create()
    with node.log.writing() as cursor:
        cursor.execute("UPDATE stored_events SET originator_version = 'x' WHERE rowid = 1")
        cursor.execute("SELECT originator_id FROM stored_events WHERE rowid = 1")
        stream = cursor.fetchone()["originator_id"]
    assert stream != task.id.hex
    assert [row["stream"] for row in node.queries.quarantined()] == [stream]
    assert node.queries.tasks(ANN).count == 1


def test_a_stream_with_bytes_that_are_no_text_is_read_by_its_writers_too(node, story):
    task, other = story.create(), story.create()
    with node.log.writing() as cursor:
        damage = "UPDATE stored_events SET topic = CAST(x'ff' AS TEXT) WHERE originator_id = ?"
        cursor.execute(damage, (task.id.hex,))
    with pytest.raises(TopicError):
        story.ledger.task(task.task_id)
    assert story.ledger.task(other.task_id)
    assert [row["stream"] for row in node.queries.quarantined()] == [task.id.hex]


@pytest.mark.parametrize("topic", [b"\1\2", None, Text(b"\xff")])
def test_a_topic_that_is_no_text_is_of_no_known_kind(node, story, topic):
    story.create()
    put(node, (STREAM, 1, topic, b"{}"))
    with pytest.raises(Poisoned, match="there is no such kind of event") as told:
        check_topics(node.log.recorder)
    assert str(told.value).encode(), "it can be printed"
