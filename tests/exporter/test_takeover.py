"""Exporters that die, pause, lose their task or are told to stop: there is one file in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from domain.task import Task
from exporter.exporter import CRASHES_ALLOWED
from exporter.sender import SHUTDOWN
from exporter.sweeper import Sweeper, Swept
from tests.facts import BEN, LEASE
from tests.workshop import PAGE, Crash, aside, until

if TYPE_CHECKING:
    from exporter.exporter import Exporter
    from projections.rows import TaskRow
    from tests.places import Place
    from tests.workshop import Workshop

ROOT = Path(__file__).parents[2]
DOOMED = """
import sys, time
from pathlib import Path
from tests.workshop import Workshop, Watch

shop = Workshop(Path(sys.argv[1]), sys.argv[2], sys.argv[3])

def stall(page):
    if page == 5:
        print("exporting", flush=True)
        time.sleep(600)

shop.exporter("doomed", source=shop.pages(stall), watch=time.monotonic, lease=1.0).step()
"""


def sweep(shop: Workshop) -> Swept:
    hour = timedelta(hours=1)
    sweeper = Sweeper(
        shop.story.ledger, shop.queries, shop.results, sweep_after=hour, clock=shop.story.clock
    )
    return sweeper.sweep()


def crash(page: int) -> None:
    raise Crash


def take(shop: Workshop, exporter: Exporter) -> None:
    """Takes a task, waiting for leases to end."""
    while not exporter.step():
        shop.watch.pass_by(LEASE)


# Death


def test_an_exporter_killed_in_mid_export_is_followed_by_a_second_attempt_and_one_file_remains(
    shop: Workshop, place: Place
) -> None:
    batch = shop.batch(20 * PAGE)
    task = shop.create(batch)
    command = [sys.executable, "-c", DOOMED, str(shop.folder), shop.events_url, place.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"exporting\n"
        assert shop.now(task).held
        os.kill(process.pid, signal.SIGKILL)
    assert len(shop.files(spool=True)) == 1
    exporter = shop.exporter("heir")
    assert not exporter.step()
    shop.watch.pass_by(1.0)
    assert exporter.step()
    now = shop.now(task)
    assert (now.status, now.attempt, now.exporter, now.crashes) == ("Success", 2, "heir", 1)
    assert shop.book(task)["details"][1:] == shop.rows(batch)
    assert sweep(shop) == Swept(deleted=1, kept=1, unknown=0)
    assert now.file
    assert (shop.files(), shop.files(spool=True)) == ([now.file.key], [])


@pytest.mark.parametrize(
    ("crashes", "status"), [(CRASHES_ALLOWED - 1, "Success"), (CRASHES_ALLOWED, "Failed")]
)
def test_a_task_whose_exporters_die_too_often_fails(
    shop: Workshop, crashes: int, status: str
) -> None:
    task = shop.create()
    for number in range(crashes):
        with pytest.raises(Crash):
            take(shop, shop.exporter(f"e{number}", source=shop.pages(crash)))
    last = shop.exporter("last")
    assert not last.step()
    shop.watch.pass_by(LEASE)
    last.step()
    died = ("IOTDA.014709", f"Its exporters died {CRASHES_ALLOWED} times.")
    now = shop.now(task)
    assert (now.status, now.failure) == (status, died if status == "Failed" else None)


# Pauses longer than the lease


def test_a_zombie_stops_at_its_next_word_and_changes_nothing(shop: Workshop) -> None:
    task = shop.create(shop.batch(5 * PAGE))
    other = shop.exporter("heir")
    read: list[int] = []

    def pause(page: int) -> None:
        read.append(page)
        if page == 2:
            assert not other.step()
            shop.watch.pass_by(LEASE)
            assert other.step()

    assert shop.exporter("zombie", source=shop.pages(pause)).step()
    ended = shop.history(task)[-1]
    assert isinstance(ended, Task.Completed)
    assert (ended.attempt, ended.exporter) == (2, "heir")
    assert len(read) < 5
    assert (shop.files(), shop.files(spool=True)) == ([ended.file], [])


def test_a_zombie_that_wakes_after_storing_leaves_its_file_to_the_sweeper(shop: Workshop) -> None:
    task = shop.create()
    other = shop.exporter("heir")

    def pause() -> None:
        other.step()
        shop.watch.pass_by(LEASE)
        assert other.step()

    assert shop.exporter("zombie", results=shop.storing(pause)).step()
    file = shop.now(task).file
    assert file
    assert file.key.startswith(f"{task.task_id}/2-")
    assert len(shop.files()) == 2
    assert sweep(shop) == Swept(deleted=1, kept=1, unknown=0)
    assert shop.files() == [file.key]


def test_of_two_exporters_that_want_one_task_one_gets_it_and_the_other_looks_on(
    shop: Workshop,
) -> None:
    tasks = [shop.create() for _ in range(4)]
    first, second = shop.exporter("e1"), shop.exporter("e2")
    racing = [aside(first.step), aside(second.step)]
    for thread in racing:
        thread.join()
    assert first.step()
    assert second.step()
    assert [shop.now(task).status for task in tasks] == ["Success"] * 4
    assert all(shop.now(task).attempt == 1 for task in tasks)


def test_after_a_lost_race_an_exporter_serves_whose_turn_it_is_then(shop: Workshop) -> None:
    anns = [shop.create(), shop.create()]
    bens = shop.create(owner=BEN)
    other, look = shop.exporter("e2"), shop.queries.work

    def look_slowly() -> list[TaskRow]:
        work = look()
        shop.queries.work = look  # type: ignore[method-assign]
        other.step()
        return work

    shop.queries.work = look_slowly  # type: ignore[method-assign]
    assert shop.exporter("e1").step()
    statuses = [shop.now(task).status for task in (*anns, bens)]
    assert (sorted(statuses[:2]), statuses[2]) == (["Processing", "Success"], "Success")


# Removal


def test_a_task_that_is_removed_while_it_is_exported_stops(shop: Workshop) -> None:
    task = shop.create(shop.batch(5 * PAGE))
    read: list[int] = []

    def remove(page: int) -> None:
        read.append(page)
        shop.watch.pass_by(2.0)
        if page == 2:
            shop.story.delete(task)

    assert shop.exporter(source=shop.pages(remove)).step()
    assert read == [1, 2]
    assert shop.now(task).evicted == "deleted"
    assert shop.files() == shop.files(spool=True) == []


def test_the_file_of_a_task_that_is_removed_while_it_is_stored_goes_with_the_sweep(
    shop: Workshop,
) -> None:
    task = shop.create()
    shop.exporter(results=shop.storing(lambda: shop.story.delete(task))).step()
    assert len(shop.files()) == 1
    assert sweep(shop) == Swept(deleted=1, kept=0, unknown=0)
    assert shop.files() == []


# The stop


def test_an_exporter_that_is_to_stop_hands_its_task_back_without_blame(shop: Workshop) -> None:
    task = shop.create(shop.batch(5 * PAGE))
    stop = Event()
    read: list[int] = []

    def stopping(page: int) -> None:
        read.append(page)
        stop.set()

    shop.exporter(source=shop.pages(stopping)).run(stop)
    back = shop.history(task)[-1]
    assert isinstance(back, Task.Progressed)
    assert (back.released, back.reason, back.wait) == (True, SHUTDOWN, 0.0)
    assert (back.crashes, back.faults) == (0, 0)
    assert read == [1]
    assert shop.files(spool=True) == []
    assert shop.exporter("next").step()
    assert (shop.now(task).status, shop.now(task).attempt) == ("Success", 2)


def test_a_task_is_handed_back_also_while_its_exporter_cannot_be_interrupted(
    shop: Workshop,
) -> None:
    task = shop.create()
    stop, stalled = Event(), Event()

    def stall() -> None:
        stop.set()
        stalled.wait()

    exporter = shop.exporter(results=shop.storing(stall))
    running = aside(lambda: exporter.run(stop))
    until(lambda: shop.progressed(task)[-1:] and shop.progressed(task)[-1].released, "handed back")
    assert shop.exporter("next").step()
    stalled.set()
    running.join()
    now = shop.now(task)
    assert (now.status, now.attempt, now.exporter) == ("Success", 2, "next")


def test_a_file_that_is_safe_when_the_stop_comes_is_not_made_again(shop: Workshop) -> None:
    task = shop.create()
    stop = Event()
    shop.exporter(results=shop.storing(stop.set)).run(stop)
    assert (shop.now(task).status, shop.now(task).attempt) == ("Success", 1)


def test_an_idle_exporter_stops_and_takes_no_more_work(shop: Workshop) -> None:
    stop = Event()
    running = aside(lambda: shop.exporter().run(stop))
    first = shop.create()
    until(lambda: shop.now(first).status == "Success", "the task is done")
    stop.set()
    running.join()
    second = shop.create()
    shop.exporter().run(stop)
    assert shop.now(second).attempt == 0
