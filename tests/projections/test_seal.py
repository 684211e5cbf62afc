"""The seal: RFC 6962's tree over the stored events, grown in whatever steps."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from hashlib import sha256
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.popo import POPOApplicationRecorder
from hypothesis import given
from hypothesis import strategies as st

from projections.position import Position
from projections.seal import Seal, entry, leaf, node
from tests.altered import spend
from tests.facts import Story

INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
INPUTS = (*INPUTS, "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The inputs that Certificate Transparency's implementations are tested with, and their roots."""

EVENT = StoredEvent(UUID(int=7), 3, "task.completed", b'{"rows":1}')


def by_definition(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962 defines it, in section 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node(by_definition(leaves[:half]), by_definition(leaves[half:]))


@pytest.mark.parametrize("count", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(count):
    leaves = [sha256(b"\x00" + bytes.fromhex(each)).digest() for each in INPUTS[:count]]
    assert Seal().grown(leaves).root.hex() == ROOTS[count - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing():
    assert Seal().root == sha256(b"").digest()


@given(st.lists(st.integers(0, 40), max_size=6))
def test_however_it_grows_the_root_is_that_of_all_leaves(steps):
    leaves = [sha256(bytes([number % 256])).digest() for number in range(sum(steps))]
    seal, done = Seal(), 0
    for step in steps:
        seal = Seal.of(seal.count, seal.text).grown(leaves[done : done + step])
        done += step
    assert seal.root == by_definition(leaves)
    assert seal.count == len(leaves)


@pytest.mark.parametrize(
    ("count", "frontier"), [(1, ""), (2, "00" * 64), (3, "00" * 63), (0, "00")]
)
def test_what_is_no_frontier_of_so_many_is_refused(count, frontier):
    with pytest.raises(ValueError, match="frontier"):
        Seal.of(count, frontier)


@pytest.mark.parametrize("count", [255, 256, 1023])
def test_a_frontier_of_whatever_size_is_read_as_it_was_written(count):
    seal = Seal().grown([bytes(32)] * count)
    assert Seal.of(count, seal.text) == seal


def test_a_seal_cannot_be_changed():
    assert not hasattr(Seal(), "__dict__")
    with pytest.raises(FrozenInstanceError):
        Seal().count = 1


def test_topics_are_told_apart_as_far_as_their_length_can_be_told():
    topics = [replace(EVENT, topic="x" * length) for length in (0xFFFE, 0xFFFF)]
    assert leaf(topics[0]) != leaf(topics[1])


def test_a_leaf_is_made_of_what_an_auditor_can_find_again():
    state = sha256(b'{"rows":1}').digest()
    parts = (
        b"export-tasks/event/1",
        bytes(15) + b"\x07",
        bytes(7) + b"\x03",
        b"task.completed",
        state,
    )
    assert entry(EVENT) == b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    assert leaf(EVENT) == sha256(b"\x00" + entry(EVENT)).digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"originator_id": UUID(int=8)},
        {"originator_id": "no stream"},
        {"originator_version": 4},
        {"originator_version": -1},
        {"originator_version": "3"},
        {"topic": "task.failed"},
        {"topic": "größe"},
        {"topic": 7},
        {"topic": "x" * 70_000},
        {"state": b'{"rows":2}'},
        {"state": '{"rows":1}'},
        {"state": None},
    ],
)
def test_whatever_is_changed_of_an_event_changes_its_leaf(changes):
    assert leaf(replace(EVENT, **changes)) != leaf(EVENT)


def test_the_position_holds_the_seal_of_all_that_was_applied(node, story):
    for _ in range(3):
        story.complete(story.create())
        position = Position(**{k: node.rows("position")[0][k] for k in Position.__slots__})
    stored = list(story.recorder.select_notifications(None, 100))
    assert position.seal == Seal().grown(list(map(leaf, stored)))
    assert position.count == len(stored)


def test_the_same_history_has_the_same_root_on_every_store(node):
    """The memory's positions are dense, those of this log are not."""
    told = Story(POPOApplicationRecorder())
    for _ in range(4):
        told.complete(told.create())
    stored = list(told.recorder.select_notifications(None, 100))
    for event in stored:
        node.log.recorder.insert_events([event])
        spend(node.log, 7)
    with node.follower.caught_up():
        assert node.follower.position().position > len(stored)
    assert node.follower.position().seal.root == Seal().grown(list(map(leaf, stored))).root
