"""An attempt's words to the ledger: renewals by time, and what happens while the store is away."""

from __future__ import annotations

from threading import Event, Thread
from threading import enumerate as threads
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest

from domain.commands import Progress
from domain.refusals import ClaimLost, Unavailable
from domain.task import Task
from exporter import sender as senders
from exporter.sender import RENEWALS, Sender
from tests.workshop import PAGE, PATIENCE, aside, until, until_it_goes_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.workshop import Workshop

SHORT_LEASE = 2.0


class Stop(Event):
    """A stop that nobody is told to wait for: it notes how long that would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set()


def sender_of(shop: Workshop, lease: float) -> Sender:
    claim = shop.story.claim(shop.create())
    assert claim
    shop.watch.now = 10.0
    return Sender(shop.story.ledger, claim, lease, stop=Stop(), clock=shop.watch)


@pytest.fixture
def sender(shop: Workshop) -> Sender:
    """The sender of a first attempt."""
    return sender_of(shop, 60.0)


def renewed(shop: Workshop, task: Task, times: int) -> Callable[[], bool]:
    return lambda: len(shop.progressed(task)) > times


def heartbeats() -> list[Thread]:
    return [thread for thread in threads() if thread.name.startswith("heartbeat")]


def test_a_beat_is_short_and_the_heartbeat_rests_between_two() -> None:
    assert 0.0 < senders.BEAT_SECONDS <= 0.5


def test_the_heartbeat_ends_with_the_process_and_with_the_attempt(sender: Sender) -> None:
    with sender.beating():
        assert [thread.daemon for thread in heartbeats()] == [True]
    assert heartbeats() == []


@pytest.mark.parametrize("lease", [60.0, 6.0])
def test_the_lease_is_renewed_after_a_quarter_of_it(shop: Workshop, lease: float) -> None:
    sender, head = sender_of(shop, lease), shop.story.head()
    for seconds, renewals in ((15 / 64, 0), (1 / 64, 1), (15 / 64, 1), (1 / 64, 2), (1.0, 3)):
        shop.watch.pass_by(seconds * lease)
        sender._look()
        assert shop.story.told(head) == ["task.progressed"] * renewals


def test_progress_is_news_when_it_has_moved_by_two_percent_and_a_second_has_passed(
    shop: Workshop, sender: Sender
) -> None:
    head = shop.story.head()
    for percent, seconds in ((2, 10), (3, 10), (4, 10), (5, 0), (7, 0.75), (8, 0.25), (9, 10)):
        shop.watch.pass_by(seconds)
        sender.progress(Progress(percent, 100, percent))
    told = shop.story.events(head)
    assert [event.progress for event in told if isinstance(event, Task.Progressed)] == [3, 5, 8]


def test_a_last_word_is_said_again_after_longer_and_longer_pauses(
    shop: Workshop, sender: Sender
) -> None:
    shop.refuse(9)
    sender.fail("IOTDA.014706", "why")
    stop = sender._stop
    assert isinstance(stop, Stop)
    assert stop.waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


@pytest.mark.parametrize("where", ["source", "results"])
def test_the_lease_is_renewed_while_the_attempt_waits(shop: Workshop, where: str) -> None:
    task = shop.create(shop.batch(2 * PAGE))
    waits, go_on = Event(), Event()

    def stall(page: int = 2) -> None:
        if page == 2:
            waits.set()
            go_on.wait()

    stalling: dict[str, Any] = {"source": shop.pages(stall), "results": shop.storing(stall)}
    exporter = shop.exporter("e1", lease=SHORT_LEASE, **{where: stalling[where]})
    observer = shop.exporter("e2")
    running = aside(exporter.step)
    assert waits.wait(PATIENCE)
    for renewals in range(1, 2 * RENEWALS):
        assert not observer.step()
        shop.watch.pass_by(SHORT_LEASE / RENEWALS)
        until(renewed(shop, task, renewals), "the lease is renewed")
        until_it_goes_on(shop.watch)
    assert not observer.step()
    go_on.set()
    running.join()
    now = shop.now(task)
    assert (now.status, now.attempt, now.exporter) == ("Success", 1, "e1")


def test_the_heartbeat_learns_that_the_task_is_lost_and_the_attempt_stops(shop: Workshop) -> None:
    task = shop.create(shop.batch(3 * PAGE))
    read: list[int] = []

    def lose(page: int) -> None:
        read.append(page)
        shop.story.delete(task)
        shop.watch.pass_by(SHORT_LEASE)
        until(lambda: not heartbeats(), "the heartbeat has ended")

    shop.exporter(source=shop.pages(lose), lease=SHORT_LEASE).step()
    assert read == [1]


def test_progress_that_cannot_be_told_does_not_stop_an_attempt(shop: Workshop) -> None:
    task = shop.create(shop.batch(20 * PAGE))

    def away(page: int) -> None:
        shop.watch.pass_by(2.0)
        if page == 2:
            shop.refuse(3)

    shop.exporter(source=shop.pages(away)).step()
    assert shop.now(task).status == "Success"
    assert len(shop.progressed(task)) == 1 + 20 - 3


@pytest.mark.parametrize("after", [False, True])
def test_a_completion_is_saved_again_until_it_is_on_record(shop: Workshop, after: bool) -> None:
    task = shop.create()
    shop.exporter(results=shop.storing(lambda: shop.refuse(2, after=after))).step()
    completed = [event for event in shop.history(task) if isinstance(event, Task.Completed)]
    assert len(completed) == 1
    assert shop.now(task).attempt == 1
    assert len(shop.files()) == 1


def test_a_last_word_that_is_said_again_is_told_when_that_begins_and_when_it_is_over(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.create()
    shop.exporter(results=shop.storing(lambda: shop.refuse(2))).step()
    assert caplog.text.count("cannot end the attempt") == 1
    assert caplog.text.count("can end the attempt again") == 1


def test_a_failure_is_saved_again_until_it_is_on_record(shop: Workshop) -> None:
    batch = shop.batch(PAGE)
    task = shop.create(batch)

    def fail(page: int) -> None:
        shop.batches.remove(batch)
        shop.refuse(2)

    shop.exporter(source=shop.pages(fail)).step()
    assert shop.now(task).status == "Failed"


def test_at_the_stop_an_unavailable_store_is_not_waited_for(shop: Workshop) -> None:
    task = shop.create()
    stop = Event()

    def away() -> None:
        shop.refuse(10**9)
        stop.set()

    shop.exporter(results=shop.storing(away)).run(stop)
    assert shop.now(task).held


def test_the_hand_back_at_the_stop_is_said_again_until_it_is_on_record(shop: Workshop) -> None:
    task = shop.create()
    stop, stalled = Event(), Event()

    def stall() -> None:
        shop.refuse(1)
        stop.set()
        stalled.wait()

    exporter = shop.exporter(results=shop.storing(stall))
    running = aside(lambda: exporter.run(stop))
    until(lambda: stop.is_set() and not shop.now(task).held, "the task is handed back")
    stalled.set()
    running.join()
    assert shop.now(task).attempt == 1


def test_a_fault_of_one_beat_does_not_end_the_heartbeat(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    task = shop.create()

    def stall() -> None:
        shop.refuse(1, RuntimeError("nobody foresaw this"))
        shop.watch.pass_by(SHORT_LEASE)
        until(lambda: "nobody foresaw this" in caplog.text, "the fault is logged")
        shop.watch.pass_by(SHORT_LEASE)
        until(renewed(shop, task, 1), "the lease is renewed")

    shop.exporter(lease=SHORT_LEASE, results=shop.storing(stall)).step()
    assert shop.now(task).status == "Success"


def test_after_the_last_word_nothing_more_is_said(shop: Workshop) -> None:
    task = shop.create()
    claim = shop.story.claim(task)
    assert claim
    sender = Sender(shop.story.ledger, claim, 60.0, stop=Event(), clock=shop.watch)
    sender.hand_back("why")
    head = shop.story.head()
    shop.watch.pass_by(60)
    with sender.beating():
        sleep(3 * senders.BEAT_SECONDS)
    assert shop.story.head() == head


def test_an_exporter_survives_a_store_that_is_away_when_it_looks_for_work(
    shop: Workshop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.exporter.AWAY_SECONDS", 0.01)
    task, stop = shop.create(), Event()
    shop.refuse(2)
    running = aside(lambda: shop.exporter().run(stop))
    until(lambda: shop.now(task).status == "Success", "the task is done")
    stop.set()
    running.join()
    assert caplog.text.count("cannot look for work") == 1
    assert caplog.text.count("can look for work again") == 1


def test_a_sender_without_the_task_says_so(shop: Workshop) -> None:
    task = shop.create()
    claim = shop.story.claim(task)
    assert claim
    stop = Event()
    stop.set()
    sender = Sender(shop.story.ledger, claim, 60.0, stop=stop, clock=shop.watch)
    shop.refuse(1)
    with pytest.raises(Unavailable):
        sender.fail("IOTDA.014706", "why")
    shop.story.claim(task, "e2")
    with pytest.raises(ClaimLost):
        sender.fail("IOTDA.014706", "why")


def test_a_renewal_before_the_first_page_keeps_what_was_known_of_the_total(shop: Workshop) -> None:
    task = shop.create(shop.batch(2 * PAGE))
    claim = shop.story.claim(task)
    assert claim
    shop.story.ledger.progress(claim, SHORT_LEASE, Progress(PAGE, 2 * PAGE, 45))
    shop.story.ledger.hand_back(claim, "shutdown")
    go_on = Event()
    source = shop.pages(lambda page: go_on.wait())
    running = aside(shop.exporter("e2", lease=SHORT_LEASE, watch=monotonic, source=source).step)
    until(renewed(shop, task, 4), "the second attempt is claimed and renewed once")
    go_on.set()
    running.join()
    assert {event.total for event in shop.progressed(task)[1:]} == {2 * PAGE}
