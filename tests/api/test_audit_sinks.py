"""Sinks: given every checkpoint, each on its own; one that fails or hangs keeps nobody waiting."""

from __future__ import annotations

import json
import socket
import threading
from time import monotonic

import pytest

from api.audit import auditor as auditing
from api.audit.note import NodeKey, read_note
from api.audit.place import CheckpointName, LocalPlace, open_place
from tests.audited import Audited
from tests.facts import OPERATOR
from tests.service import eventually


@pytest.fixture
def audited(tmp_path):
    made = []

    def make(*sinks: str) -> Audited:
        made.append(Audited(tmp_path, *sinks))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def other(tmp_path):
    return LocalPlace(tmp_path / "other" / "disk")


def url(place: LocalPlace) -> str:
    return f"file://{place.folder}"


def signed(audited: Audited, **later: float) -> None:
    """One event more, and a turn after which deliveries have ended and are noted."""
    audited.happens(1)
    audited.step(minutes=1)
    settled(audited)


def settled(audited: Audited) -> None:
    for each in audited.couriers:
        if each._thread:
            each._thread.join(60)
    audited.step()


def sizes(place: LocalPlace) -> list[int]:
    incarnations = place.list("checkpoints")
    return [each.size for one in incarnations for each in CheckpointName.all_in(place, one)]


def test_a_folder_is_given_every_checkpoint_and_the_key(audited, other):
    node = audited(url(other))
    for _ in range(3):
        signed(node)
    assert sizes(other) == [2, 3, 4]
    for each in node.sealed():
        assert other.get(each.name) == node.place.get(each.name)
    assert other.list("keys") == [node.key.name]
    assert node.state.sinks[url(other)].delivered == node.sealed()[-1].name
    assert node.state.sinks[url(other)].trouble is None


def test_a_bucket_is_given_every_checkpoint_and_the_key(audited, bucket_url):
    node, other = audited(bucket_url), open_place(bucket_url)
    for _ in range(3):
        signed(node)
    assert sizes(other) == [2, 3, 4]
    for each in node.sealed():
        assert other.get(each.name) == node.place.get(each.name)
    assert other.list("keys") == [node.key.name]
    assert node.state.sinks[bucket_url].trouble is None


def test_a_bucket_that_is_not_there_is_a_trouble_and_no_more(audited, bucket_url):
    node = audited("s3://not-there/audit")
    signed(node)
    trouble = node.state.sinks["s3://not-there/audit"].trouble
    assert trouble.why == "s3://not-there/audit cannot be used: the bucket does not exist."
    assert node.sealed()


def test_a_folder_that_fails_and_comes_back_is_given_what_it_missed(audited, other, caplog):
    node = audited(url(other))
    signed(node)
    away = other.folder.with_name("away")
    other.folder.rename(away)
    other.folder.write_text("nothing is mounted here")
    for _ in range(3):
        signed(node)
    assert node.sizes() == [2, 3, 4, 5]
    trouble = node.state.sinks[url(other)].trouble
    assert "disk cannot be used" in trouble.why
    assert trouble.since < node.story.clock.now
    assert len([each for each in caplog.records if "audit sink" in each.getMessage()]) == 1
    other.folder.unlink()
    away.rename(other.folder)
    node.step(seconds=29)
    settled(node)
    assert sizes(other) == [2]
    node.step(seconds=1)
    settled(node)
    assert sizes(other) == [2, 3, 4, 5]
    assert node.state.sinks[url(other)].trouble is None


def test_a_new_sink_is_given_everything(audited, other):
    node = audited()
    for _ in range(2):
        signed(node)
    node.sinks = (url(other),)
    node.start()
    node.step()
    settled(node)
    assert sizes(other) == [2, 3]


def test_what_was_delivered_is_not_delivered_again_after_a_start(audited, other):
    node = audited(url(other))
    signed(node)
    (other.folder / "keys" / node.key.name).unlink()
    node.start()
    node.step()
    settled(node)
    assert other.list("keys") == []


def test_a_sink_missed_over_a_restore_is_given_both_incarnations(audited, other):
    node = audited(url(other))
    other.folder.parent.mkdir()
    other.folder.write_text("")
    signed(node)
    node.story.ledger.begin_anew(2, OPERATOR)
    signed(node)
    other.folder.unlink()
    node.step(minutes=1)
    settled(node)
    assert sorted(sizes(other)) == [2, 4]


def test_a_checkpoint_that_vanished_is_handed_to_nobody(audited, other):
    node = audited(url(other))
    node.happens(1)
    away = node.place.folder.with_name("away")
    node.couriers[0]._source = LocalPlace(away)
    node.step(minutes=1)
    settled(node)
    assert sizes(other) == []
    node.happens(1)
    node.step(minutes=1)
    settled(node)
    assert sizes(other) == []


def test_a_sink_is_given_what_its_own_node_signed(audited, other, tmp_path):
    neighbour = Audited(tmp_path, key=NodeKey(bytes(32)))
    signed(neighbour)
    node = audited(url(other))
    signed(node)
    assert len(node.sealed()) == 2
    assert sizes(other) == [3]
    neighbour.stop()


def test_a_sink_that_is_no_longer_named_is_forgotten(audited, other):
    node = audited(url(other))
    signed(node)
    node.sinks = ()
    node.start()
    assert node.state.sinks == {}


def test_one_sink_that_fails_keeps_no_other_from_its_checkpoint(audited, other, tmp_path):
    (tmp_path / "bad").write_text("")
    node = audited(f"file://{tmp_path}/bad", url(other))
    signed(node)
    assert sizes(other) == [2]
    assert node.state.sinks[f"file://{tmp_path}/bad"].trouble


class Hanging:
    """A sink that does not answer until it is let go."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.given = []

    def deliver(self, news):
        self.answers.wait(30)
        self.given += [each.size for each in news.names]


@pytest.fixture
def hanging(audited, monkeypatch):
    sink = Hanging()
    node = audited("file:///hanging")
    node.couriers[0]._sink = sink
    yield node, sink
    sink.answers.set()


def test_a_sink_that_hangs_keeps_nobody_waiting_and_is_told(hanging):
    node, sink = hanging
    began = monotonic()
    node.step()
    for _ in range(3):
        node.happens(1)
        node.step(minutes=1)
    assert monotonic() - began < 10
    assert node.sizes() == [1, 2, 3, 4]
    assert "does not answer" in node.state.sinks["file:///hanging"].trouble.why
    sink.answers.set()
    eventually(lambda: sink.given == [1])
    settled(node)
    settled(node)
    assert sink.given == [1, 2, 3, 4]
    assert node.state.sinks["file:///hanging"].trouble is None


def test_the_last_step_waits_for_a_sink_but_not_for_ever(hanging, monkeypatch):
    node, sink = hanging
    monkeypatch.setattr(auditing, "CLOSING_SECONDS", 0.3)
    began = monotonic()
    node.close()
    assert 0.3 <= monotonic() - began < 5
    monkeypatch.setattr(auditing, "CLOSING_SECONDS", 30.0)
    sink.answers.set()
    node.happens(1)
    node.close()
    assert sink.given == [1, 2]
    assert node.state.sinks["file:///hanging"].delivered == node.sealed()[-1].name


@pytest.fixture
def listener():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(60)
        yield listener


def note_of(line: bytes) -> str:
    """The note in a line of the system log."""
    head, _, text = line.decode("ascii").partition("audit checkpoint ")
    assert head == "<38>export-tasks: "
    assert "\n" not in text
    return json.loads(text)


def test_a_system_log_is_given_the_whole_note_in_one_line(audited, listener):
    node = audited(f"syslog://127.0.0.1:{listener.getsockname()[1]}")
    signed(node)
    note = note_of(listener.recv(2000))
    assert note == node.place.get(node.sealed()[-1].name).decode()
    assert read_note(note, [node.key.verifier]).size == 2


def test_a_local_system_log_that_fails_and_comes_back_is_given_the_newest(audited, tmp_path):
    path = tmp_path / "log"
    node = audited(f"syslog://{path}")
    for _ in range(2):
        signed(node)
    assert node.state.sinks[f"syslog://{path}"].trouble
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(60)
        node.step(seconds=30)
        settled(node)
        assert read_note(note_of(listener.recv(2000)), [node.key.verifier]).size == 3
        assert node.state.sinks[f"syslog://{path}"].trouble is None
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.recv(2000)


def test_a_host_that_is_not_known_is_told(audited):
    node = audited("syslog://nowhere.invalid:514")
    signed(node)
    assert node.state.sinks["syslog://nowhere.invalid:514"].trouble
