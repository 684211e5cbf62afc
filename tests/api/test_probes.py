"""A question to a store that may hang: one asks for all, and nobody waits for ever."""

from __future__ import annotations

from threading import Event

import pytest

from api.probes import Hangs, Patience, Probe
from domain.refusals import Unavailable
from tests.workshop import until


class Store:
    """Answers with how often it was asked, once it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.free = Event()
        self.free.set()

    def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        self.free.wait()
        return number


@pytest.fixture
def store():
    store = Store()
    yield store
    store.free.set()


def known(probe, seconds=30.0):
    """The answer, which comes soon."""
    return Patience(seconds).wait(probe.begin())


def test_an_answer_is_good_for_a_second_and_no_longer(store):
    now = [100.0]
    probe = Probe(store, watch=lambda: now[0])
    assert known(probe) == 1
    now[0] += 0.999
    assert known(probe) == 1
    now[0] += 0.001
    assert known(probe) == 2


def test_a_failure_is_told_and_good_for_as_long():
    now, calls = [0.0], []

    def fails() -> None:
        calls.append(1)
        raise Unavailable

    probe = Probe(fails, watch=lambda: now[0])
    for _ in range(2):
        with pytest.raises(Unavailable):
            known(probe)
    assert len(calls) == 1


def test_while_it_hangs_it_is_asked_once_and_everybody_is_told(store):
    store.free.clear()
    probe = Probe(store, fresh=0)
    for _ in range(3):
        with pytest.raises(Hangs):
            known(probe, 0.01)
    assert store.asked == 1
    store.free.set()
    assert known(probe) == 1
    assert known(probe) == 2


def test_patience_is_for_all_questions_together(store):
    store.free.clear()
    now = [0.0]
    patience = Patience(5.0, watch=lambda: now[0])
    now[0] = 5.0
    with pytest.raises(Hangs):
        patience.wait(Probe(store).begin())


def test_what_is_known_already_is_told_without_patience(store):
    probe = Probe(store)
    answer = probe.begin()
    until(answer.done, "it is answered")
    assert Patience(0.0).wait(answer) == 1


def test_a_time_out_of_the_store_itself_is_not_taken_for_ours():
    def fails() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        known(Probe(fails))
