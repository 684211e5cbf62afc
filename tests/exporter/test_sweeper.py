"""What the sweeper deletes, what it keeps, and what it does not understand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from eventsourcing.persistence import StoredEvent

from domain.conditions import OwnerId
from exporter.results import Listed
from exporter.sweeper import Sweeper, Swept
from tests.facts import BATCH, LEASE, OPERATOR
from tests.meddling import alter
from tests.workshop import Storing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from domain.task import Task
    from exporter.results import Results
    from projections.rows import TaskRow
    from tests.places import Place
    from tests.workshop import Workshop

SWEEP_AFTER = timedelta(hours=24)


def sweeper(shop: Workshop, results: Results | Storing | None = None) -> Sweeper:
    return Sweeper(
        shop.story.ledger,
        shop.queries,
        results or shop.results,
        sweep_after=SWEEP_AFTER,
        clock=shop.story.clock,
    )


def sweep(shop: Workshop) -> Swept:
    return sweeper(shop).sweep()


def put(shop: Workshop, task: Task, attempt: int, nonce: str = "00") -> str:
    """A file of an attempt, whatever its log says."""
    key = f"{task.task_id}/{attempt}-{nonce}.xls"
    spool = shop.results.spool(key)
    spool.write_bytes(b"book")
    shop.results.put(key, spool)
    return key


def completed(shop: Workshop, batch: str = BATCH) -> Task:
    """A task with its file; later than any before it."""
    shop.story.clock.pass_by(seconds=1)
    task = shop.create(batch)
    put(shop, task, 1)
    shop.story.complete(task)
    return task


def failed(shop: Workshop, task: Task) -> None:
    claim = shop.story.claim(task)
    assert claim
    shop.story.ledger.fail(claim, "IOTDA.014706", "why")


def test_an_empty_store_is_swept(shop: Workshop) -> None:
    assert sweep(shop) == Swept(0, 0, 0)


# Tasks that are not over


def test_the_running_attempts_files_are_kept(shop: Workshop) -> None:
    task = shop.create()
    shop.story.claim(task)
    put(shop, task, 1)
    shop.results.spool(f"{task.task_id}/1-00.xls").touch()
    assert sweep(shop) == Swept(deleted=0, kept=2, unknown=0)


def test_files_of_lower_attempts_are_deleted(shop: Workshop) -> None:
    task = shop.create()
    shop.story.claim(task)
    shop.story.claim(task, "e2")
    old, new = put(shop, task, 1), put(shop, task, 2)
    shop.results.spool(f"{task.task_id}/1-01.xls").touch()
    assert sweep(shop) == Swept(deleted=2, kept=1, unknown=0)
    assert shop.files() == [new]
    assert old not in shop.files(spool=True)


def test_a_released_attempts_files_stay_until_another_attempt_begins(shop: Workshop) -> None:
    task = shop.create()
    claim = shop.story.claim(task)
    assert claim
    shop.story.ledger.hand_back(claim, "shutdown")
    put(shop, task, 1)
    assert sweep(shop) == Swept(0, 1, 0)
    shop.story.claim(task)
    assert sweep(shop) == Swept(1, 0, 0)


# Tasks that are over


def test_the_current_file_is_kept_however_old(shop: Workshop) -> None:
    task = completed(shop)
    shop.story.clock.pass_by(days=1000)
    assert sweep(shop) == Swept(0, 1, 0)
    assert shop.files() == [f"{task.task_id}/1-00.xls"]


def test_of_a_completed_task_every_other_file_and_spool_is_deleted(shop: Workshop) -> None:
    task = completed(shop)
    put(shop, task, 1, "01")
    put(shop, task, 2)
    shop.results.spool(f"{task.task_id}/1-00.xls").touch()
    assert sweep(shop) == Swept(deleted=3, kept=1, unknown=0)
    assert shop.files() == [f"{task.task_id}/1-00.xls"]


def test_a_failed_tasks_files_are_deleted(shop: Workshop) -> None:
    task = shop.create()
    put(shop, task, 1)
    shop.results.spool(f"{task.task_id}/1-00.zip").touch()
    failed(shop, task)
    assert sweep(shop) == Swept(deleted=2, kept=0, unknown=0)


def test_a_superseded_file_is_deleted_after_its_time_and_not_before(shop: Workshop) -> None:
    old, new = completed(shop), completed(shop)
    shop.story.clock.now += SWEEP_AFTER - timedelta(milliseconds=1)
    assert sweep(shop) == Swept(0, 2, 0)
    shop.story.clock.pass_by(seconds=0.001)
    assert sweep(shop) == Swept(1, 1, 0)
    assert shop.files() == [f"{new.task_id}/1-00.xls"]
    assert shop.now(old).status == "Success"


def test_an_older_tasks_late_file_is_superseded_from_the_start(shop: Workshop) -> None:
    older = shop.create(BATCH)
    completed(shop)
    put(shop, older, 1)
    shop.story.complete(older)
    assert sweep(shop) == Swept(0, 2, 0)
    shop.story.clock.now += SWEEP_AFTER
    assert sweep(shop) == Swept(1, 1, 0)


# Tasks that are gone


@pytest.mark.parametrize("end", [lambda shop, task: None, failed])
def test_the_files_of_a_removed_task_are_deleted(
    shop: Workshop, end: Callable[[Workshop, Task], None]
) -> None:
    task = shop.create()
    put(shop, task, 1)
    end(shop, task)
    shop.story.delete(task)
    assert sweep(shop) == Swept(1, 0, 0)


def test_a_removed_tasks_file_is_kept_while_it_is_current_for_others(shop: Workshop) -> None:
    older = completed(shop)
    newer = completed(shop)
    shop.story.delete(newer)
    assert sweep(shop) == Swept(0, 2, 0)
    shop.story.delete(older)
    assert sweep(shop) == Swept(2, 0, 0)


def test_the_files_of_a_removed_user_are_deleted(shop: Workshop) -> None:
    completed(shop)
    shop.story.ledger.close(OwnerId("p1", "ann"), OPERATOR)
    assert sweep(shop) == Swept(1, 0, 0)


def test_a_file_that_the_log_has_never_heard_of_is_kept_and_reported(
    shop: Workshop, place: Place
) -> None:
    shop.create()
    foreign = f"{'f' * 24}/1-00.xls"
    shop.results.spool(foreign).touch()
    shop.results.put(foreign, shop.results.spool(foreign))
    shop.results.spool(foreign).touch()
    place.lay("notes.txt", b"mine")
    assert sweep(shop) == Swept(deleted=0, kept=0, unknown=2)
    assert place.names() == {"notes.txt", foreign}


def test_a_key_that_is_not_of_ours_is_kept_and_reported(shop: Workshop) -> None:
    class Mixed(Storing):
        def list(self) -> Iterator[Listed]:
            yield Listed("backup/2026.tar", 1, shop.story.clock.now, False)

    assert sweeper(shop, Mixed(shop.results, lambda: None)).sweep() == Swept(0, 0, 1)


def test_a_task_that_the_tables_could_not_take_in_keeps_its_files(shop: Workshop) -> None:
    task = shop.create()
    shop.story.claim(task)
    put(shop, task, 1)
    renamed = "UPDATE stored_events SET topic = 'task.renamed' WHERE originator_version = 2"
    alter(shop.events_url, f"{renamed} AND originator_id = ?", values=(task.id.hex,))
    assert sweep(shop) == Swept(0, 1, 0)
    assert shop.queries.quarantined()


# Races


def test_a_task_that_completes_between_two_questions_keeps_its_file(shop: Workshop) -> None:
    task = shop.create()
    key = put(shop, task, 1)
    ask = shop.queries.any_task

    def late(task_id: str) -> TaskRow | None:
        shop.story.complete(task)
        return ask(task_id)

    shop.queries.any_task = late  # type: ignore[method-assign]
    assert sweep(shop) == Swept(0, 1, 0)
    assert shop.files() == [key]


def test_what_is_exported_while_sweepers_sweep_stays(shop: Workshop) -> None:
    stale = shop.create()
    shop.story.claim(stale)
    task = shop.create()
    sweeping = sweeper(shop)
    exporter = shop.exporter(
        source=shop.pages(lambda page: sweeping.sweep()),
        results=shop.storing(lambda: sweeping.sweep()),
    )
    exporter.step()
    shop.watch.pass_by(LEASE)
    exporter.step()
    sweeping.sweep()
    assert [shop.now(each).status for each in (stale, task)] == ["Success", "Success"]
    assert len(shop.files()) == 2


def test_the_file_of_a_task_that_cannot_be_read_stays_and_the_others_are_swept(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    unread, task = completed(shop), shop.create()
    left = put(shop, task, 1)
    shop.story.delete(unread)
    failed(shop, task)
    poison = StoredEvent(unread.id, len(shop.history(unread)) + 1, "task.unheard_of", b"{}")
    shop.log.recorder.insert_events([poison])
    assert sweep(shop) == Swept(deleted=1, kept=0, unknown=1)
    assert left not in shop.files()
    assert "cannot be read" in caplog.text
