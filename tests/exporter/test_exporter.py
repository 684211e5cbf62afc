"""From a task to its file: what an exporter makes, and what it says where it cannot."""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import sqlite3
import zipfile
from contextlib import closing
from datetime import datetime
from itertools import chain, pairwise
from random import Random
from threading import Event
from typing import TYPE_CHECKING

import pytest

from domain.task import Task
from exporter import disk
from exporter.biff8.properties import Properties
from exporter.biff8.spool import COPY_BYTES
from exporter.disk import storing
from exporter.exporter import Exporter
from exporter.failures import FIRST_WAIT, LONGEST_WAIT, PASSING_FAULTS, wait_after
from exporter.results import open_results
from exporter.sender import PROGRESS_SECONDS
from exporter.sources import DETAIL_COLUMNS, BatchTask, SourceFailed
from exporter.sources.sql import SqlSource, sqlite_path
from tests.altered import alter
from tests.facts import BEN, LEASE
from tests.places import Folder
from tests.workshop import PAGE, lines_of, sheets

if TYPE_CHECKING:
    from tests.places import Place
    from tests.workshop import Workshop

READ_AT = "2026-11-24T12:00:00.000Z"


class Faulty(SqlSource):
    """The local source, which fails its first questions."""

    def __init__(self, shop: Workshop, *faults: Exception) -> None:
        super().__init__(sqlite_path(shop.source_url))
        self._faults = list(faults)

    def find(self, project_id: str, task_id: str, app_id: str | None) -> BatchTask | None:
        if self._faults:
            raise self._faults.pop(0)
        return super().find(project_id, task_id, app_id)


class Miscounting(SqlSource):
    """The local source, which counts one row too many, or so many."""

    def __init__(self, shop: Workshop, by: int = 1) -> None:
        super().__init__(sqlite_path(shop.source_url))
        self._by = by

    def count(self, task_id: str) -> int:
        return super().count(task_id) + self._by


class Stop(Event):
    """A stop that comes at the first wait, and notes how long that would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        self.set()
        return True


class Drawing(Random):
    """Chance that always draws the same."""

    def random(self) -> float:
        return 0.25


def busy() -> SourceFailed:
    return SourceFailed("The source cannot be read: it is locked.", passing=True)


def failure(shop: Workshop, task: Task) -> tuple[str, str]:
    """Code and message of a failed task, which leaves nothing behind."""
    assert shop.files() == shop.files(spool=True) == []
    failed = shop.history(task)[-1]
    assert isinstance(failed, Task.Failed)
    return failed.code, failed.message


# What is made


def test_a_task_becomes_a_workbook_of_all_details_in_their_order(shop: Workshop) -> None:
    batch = shop.batch(2500)
    task = shop.create(batch)
    assert shop.exporter().step()
    book = shop.book(task)
    assert list(book) == ["details", "summary"]
    assert book["details"] == [list(DETAIL_COLUMNS), *shop.rows(batch)]
    assert shop.files(spool=True) == []


def test_its_events_are_a_claim_and_the_completion(shop: Workshop) -> None:
    task = shop.create(shop.batch(25))
    shop.exporter("e7").step()
    _, claimed, completed = shop.history(task)
    assert isinstance(claimed, Task.Progressed)
    assert (claimed.attempt, claimed.exporter, claimed.progress) == (1, "e7", 1)
    assert isinstance(completed, Task.Completed)
    (key,) = shop.files()
    assert completed.by == "exporter"
    assert (completed.attempt, completed.exporter, completed.file) == (1, "e7", key)
    assert (completed.rows, completed.total, completed.sheets) == (25, 25, 1)
    assert (completed.repaired, completed.complete, completed.data_as_of) == (0, True, READ_AT)
    assert completed.batch_name == "made up: firmwareUpgrade, seed 0"


def test_the_summary_says_what_the_rows_are_and_when_they_were_read(shop: Workshop) -> None:
    lines = [*lines_of(2), *lines_of(1, "Fail"), b'{"target":"x","status":"Success"}']
    head = b'{"task_id":"a1","task_name":"roll-out","task_type":"firmwareUpgrade",'
    head += b'"create_time":"20260102T030405Z","app_id":"app1"}'
    shop.batches.import_([head, *lines], project_id="p1")
    task = shop.create("a1", app_type="APP", scope="app1", app_id="app1")
    shop.exporter().step()
    found = shop.summary(task)
    assert {key: value for key, value in found.items() if "repair" not in key} == {
        "task_id": "a1",
        "task_name": "roll-out",
        "task_type": "firmwareUpgrade",
        "status": "PartialSuccess",
        "create_time": "2026-01-02T03:04:05.000Z",
        "app_id": "app1",
        "task_progress.total": "4",
        "task_progress.processing": "0",
        "task_progress.success": "3",
        "task_progress.fail": "1",
        "task_progress.waitting": "0",
        "task_progress.fail_wait_retry": "0",
        "task_progress.stopped": "0",
        "task_progress.removed": "0",
        "task_progress.other": "0",
        "export.task_id": task.task_id,
        "export.resource_type": "BatchTask",
        "export.resource_condition": '{"task_id":"a1"}',
        "export.export_format": "xls",
        "export.app_type": "APP",
        "export.app_id": "app1",
        "data_as_of": READ_AT,
        "finished": "true",
        "rows_expected": "4",
        "rows_written": "4",
    }
    assert found["cells_repaired"] == "0"


def test_the_document_says_whose_it_is_and_when_its_rows_were_read(shop: Workshop) -> None:
    task = shop.create()
    shop.exporter().step()
    file = shop.now(task).file
    assert file
    read_at = datetime.fromisoformat(READ_AT)
    about = Properties(f"Export task {task.task_id}", "export-tasks", read_at)
    assert about.packed() in shop.stored(file.key)


def test_a_batch_task_without_details_gives_the_header_alone(shop: Workshop) -> None:
    task = shop.create(shop.batch(0))
    shop.exporter().step()
    assert shop.book(task)["details"] == [list(DETAIL_COLUMNS)]
    assert shop.now(task).total == 0


def test_repaired_cells_are_counted_in_the_event_and_in_the_summary(shop: Workshop) -> None:
    line = b'{"target":"d","status":"Success","output":"a\\u0007b"}'
    batch = shop.batches.import_([b'{"task_name":"n"}', line], project_id="p1")
    task = shop.create(batch)
    shop.exporter().step()
    file = shop.now(task).file
    assert file
    assert (file.repaired, shop.summary(task)["cells_repaired"]) == (1, "1")


def test_bytes_that_are_no_text_are_repairs_that_count(shop: Workshop) -> None:
    batch = shop.batch(3)
    with closing(sqlite3.connect(sqlite_path(shop.source_url))) as database, database:
        given = "UPDATE batch_task_details SET output = CAST(x'61ff62' AS TEXT) WHERE seq = 1"
        assert database.execute(given).rowcount == 1
    task = shop.create(batch)
    shop.exporter().step()
    file = shop.now(task).file
    assert file
    assert (file.repaired, shop.summary(task)["cells_repaired_surrogate"]) == (1, "1")
    assert "a\ufffdb" in chain.from_iterable(shop.book(task)["details"])


def test_half_of_a_surrogate_pair_in_an_import_is_mended_and_counted(shop: Workshop) -> None:
    lines = [b'{"task_name":"n"}', b'{"target":"x\\ud83dy","status":"Success","output":"z"}']
    task = shop.create(shop.batches.import_(lines, project_id="p1"))
    shop.exporter().step()
    assert shop.book(task)["details"][1][:3] == ["x\ufffdy", "Success", "z"]
    assert shop.summary(task)["cells_repaired_surrogate"] == "1"


def test_a_zip_holds_the_workbook_under_the_tasks_name(shop: Workshop) -> None:
    batch = shop.batch(25)
    task = shop.create(batch)
    shop.exporter(download="zip").step()
    (key,) = shop.files()
    content = shop.stored(key)
    file = shop.now(task).file
    assert file
    assert (file.key, file.size) == (key, len(content))
    assert key.endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == [f"{task.task_id}.xls"]
        book = sheets(archive.read(f"{task.task_id}.xls"))
    assert book["details"] == [list(DETAIL_COLUMNS), *shop.rows(batch)]
    assert shop.files(spool=True) == []


@pytest.mark.parametrize("download", ["xls", "zip"])
def test_a_workbook_that_stays_on_this_disk_is_synced_part_by_part_as_it_is_written(
    shop: Workshop, place: Place, monkeypatch: pytest.MonkeyPatch, download: str
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(disk, "SYNCED_BYTES", 64 * 1024)
    monkeypatch.setattr(disk, "_sync_data", lambda file: synced.append(os.fstat(file).st_size))
    task = shop.create(shop.batch(20_000))
    shop.exporter(download=download).step()
    file = shop.now(task).file
    assert file
    if isinstance(place, Folder) and download == "xls":
        parts = [after - before for before, after in pairwise([0, *synced, file.size])]
        assert max(parts) <= 64 * 1024 + COPY_BYTES
        assert len(parts) > 2
    else:
        assert synced == []


def test_by_default_a_lease_is_a_minute_and_a_third_crash_fails_the_task(shop: Workshop) -> None:
    task = shop.create()
    for number in range(3):
        shop.story.claim(task, f"e{number}")
    parts = (shop.story.ledger, shop.queries, shop.source, shop.results)
    exporter = Exporter(*parts, name="last", watch=shop.watch)
    assert not exporter.step()
    shop.watch.pass_by(LEASE)
    assert not exporter.step()
    assert shop.now(task).failure == ("IOTDA.014709", "Its exporters died 3 times.")
    next_task = shop.create()
    assert exporter.step()
    assert shop.now(next_task).lease == 60.0
    (key,) = shop.files()
    assert re.fullmatch(f"{next_task.task_id}/1-[0-9a-f]{{16}}.xls", key)


def test_with_two_crashes_a_task_is_tried_once_more(shop: Workshop) -> None:
    task = shop.create()
    for number in range(2):
        shop.story.claim(task, f"e{number}")
    parts = (shop.story.ledger, shop.queries, shop.source, shop.results)
    exporter = Exporter(*parts, name="last", watch=shop.watch)
    assert not exporter.step()
    shop.watch.pass_by(LEASE)
    assert exporter.step()
    assert shop.now(task).status == "Success"


def test_between_looks_for_work_it_idles_by_chance(shop: Workshop) -> None:
    stop = Stop()
    shop.exporter(chance=Drawing(1)).run(stop)
    assert stop.waits == [0.25 * 0.75]


def test_while_the_store_is_away_it_waits_longer(shop: Workshop) -> None:
    shop.create()
    shop.refuse(1)
    stop = Stop()
    shop.exporter(chance=Drawing(1)).run(stop)
    assert stop.waits == [1.0 * 0.75]


def test_nothing_to_do_is_said(shop: Workshop) -> None:
    assert not shop.exporter().step()
    shop.create()
    assert shop.exporter().step()
    assert not shop.exporter().step()


def test_a_log_without_a_name_for_the_batch_task_is_an_internal_error(shop: Workshop) -> None:
    """Such a create is refused by the API; an event may still say it, and must not stop others."""
    odd, good = shop.create(resource_condition="{}"), shop.create()
    exporter = shop.exporter()
    while exporter.step():
        pass
    assert (shop.now(odd).faults, shop.now(good).status) == (1, "Success")


# Progress


def test_progress_is_told_now_and_then_and_leaves_room_for_saving(shop: Workshop) -> None:
    task = shop.create(shop.batch(200 * PAGE))
    source = shop.pages(lambda number: shop.watch.pass_by(0.3))
    shop.exporter(source=source, lease=1e6).step()
    told = shop.progressed(task)[1:]
    percents = [event.progress for event in told]
    assert 10 <= len(told) <= 60
    assert percents == sorted(percents)
    assert percents[-1] <= 90
    assert all(event.total == 200 * PAGE for event in told)
    assert all(event.rows * 90 // event.total == event.progress for event in told if event.total)


def test_reading_ends_at_ninety_percent_saving_at_ninety_five_storing_begins_at_ninety_nine(
    shop: Workshop,
) -> None:
    def slow() -> float:
        shop.watch.pass_by(2.0)
        return shop.watch()

    task = shop.create(shop.batch(25))
    shop.exporter(watch=slow, lease=1e9, download="zip").step()
    told = [(event.progress, event.rows, event.total) for event in shop.progressed(task)]
    assert told == [(1, 0, None), (90, 25, 25), (95, 25, 25), (99, 25, 25)]


@pytest.mark.parametrize(
    ("seconds", "told"), [(PROGRESS_SECONDS - 0.001, 0), (PROGRESS_SECONDS, 1)]
)
def test_progress_within_one_second_is_not_told(shop: Workshop, seconds: float, told: int) -> None:
    task = shop.create(shop.batch(2 * PAGE))
    source = shop.pages(lambda page: shop.watch.pass_by(seconds if page == 1 else 0.0))
    shop.exporter(source=source).step()
    assert len(shop.progressed(task)) == 1 + told


def test_a_small_move_is_not_told(shop: Workshop) -> None:
    task = shop.create(shop.batch(100 * PAGE))
    source = shop.pages(lambda number: shop.watch.pass_by(2.0 if number == 1 else 0.0))
    shop.exporter(source=source, lease=1e6).step()
    _, *told = shop.progressed(task)
    assert [event.progress for event in told] == [3]


# Where there can be no result


def test_a_batch_task_that_does_not_exist_fails_the_task(shop: Workshop) -> None:
    shop.batch()
    task = shop.create("dead")
    shop.exporter().step()
    assert failure(shop, task) == ("IOTDA.014705", "The batch task does not exist.")


def test_a_batch_task_of_another_project_does_not_exist(shop: Workshop) -> None:
    batch = shop.batches.generate("p2", 3)
    task = shop.create(batch)
    shop.exporter().step()
    assert failure(shop, task)[0] == "IOTDA.014705"


def test_with_app_only_that_apps_batch_task_is_exported(shop: Workshop) -> None:
    batch = shop.batch(3, app_id="app1")
    other = shop.create(batch, app_type="APP", scope="app2")
    shop.exporter().step()
    message = "The batch task does not exist in the app 'app2'."
    assert failure(shop, other) == ("IOTDA.014705", message)
    task = shop.create(batch, app_type="APP", scope="app1")
    shop.exporter().step()
    assert shop.now(task).rows == 3


@pytest.mark.parametrize("by", [-1, 1])
def test_a_finished_batch_task_must_be_whole(shop: Workshop, by: int) -> None:
    task = shop.create(shop.batch(25))
    shop.exporter(source=Miscounting(shop, by)).step()
    code, message = failure(shop, task)
    assert code == "IOTDA.014708"
    assert f"25 rows could be read, and the source counts {25 + by}" in message


def test_a_running_batch_task_may_have_more_rows_by_now_and_the_summary_says_so(
    shop: Workshop,
) -> None:
    batch = shop.running_batch(3)
    task = shop.create(batch)
    shop.exporter(source=Miscounting(shop)).step()
    assert shop.now(task).status == "Success"
    file, found = shop.now(task).file, shop.summary(task)
    assert file
    assert not file.complete
    assert (found["finished"], found["rows_expected"], found["rows_written"]) == ("false", "4", "3")


def test_a_batch_task_that_finishes_while_it_is_read_is_not_called_complete(
    shop: Workshop,
) -> None:
    batch = shop.running_batch(3 * PAGE)

    def finish(page: int) -> None:
        if page == 3:
            shop.batches.append(batch, lines_of(PAGE))
            shop.batches.finish(batch)

    task = shop.create(batch)
    shop.exporter(source=shop.pages(finish)).step()
    found, file = shop.summary(task), shop.now(task).file
    assert file
    assert not file.complete
    assert (found["status"], found["finished"]) == ("Processing", "false")
    again = shop.create(batch)
    shop.exporter().step()
    file = shop.now(again).file
    assert file
    assert (file.complete, file.rows) == (True, 4 * PAGE)


@pytest.mark.parametrize("running", [False, True])
def test_a_batch_task_that_is_removed_while_it_is_read_fails_the_task(
    shop: Workshop, running: bool
) -> None:
    batch = shop.running_batch(3 * PAGE) if running else shop.batch(3 * PAGE)
    source = shop.pages(lambda page: shop.batches.remove(batch) if page == 2 else None)
    task = shop.create(batch)
    shop.exporter(source=source).step()
    assert failure(shop, task)[0] == "IOTDA.014705"


def test_why_a_task_failed_is_told_its_owner_and_its_code_the_log(shop: Workshop, caplog) -> None:
    task = shop.create()
    with caplog.at_level(logging.INFO, "exporter"):
        shop.exporter(source=Faulty(shop, SourceFailed("planted", passing=False))).step()
    assert shop.now(task).failure == ("IOTDA.014706", "planted")
    began, ended = [each for each in caplog.records if each.name.startswith("exporter")]
    assert "IOTDA.014706" in ended.message
    assert "planted" not in caplog.text
    assert began.keys == ended.keys
    assert began.keys["task_request_id"] == shop.history(task)[0].request_id


def test_a_source_that_vanishes_while_it_is_read_fails_the_task(shop: Workshop) -> None:
    path = sqlite_path(shop.source_url)
    source = shop.pages(lambda page: path.unlink() if page == 2 else None)
    task = shop.create(shop.batch(3 * PAGE))
    shop.exporter(source=source).step()
    assert failure(shop, task) == ("IOTDA.014706", "The source is not there.")


def test_more_than_the_format_holds_fails_the_task(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.workbook.SHEET_ROWS", 1)
    task = shop.create(shop.batch(256))
    shop.exporter().step()
    message = "The result exceeds the limits of the format: more than 255 rows."
    assert failure(shop, task) == ("IOTDA.014707", message)


# What may pass


def test_a_passing_fault_hands_the_task_back_and_it_is_tried_again_later(shop: Workshop) -> None:
    task = shop.create()
    exporter = shop.exporter(source=Faulty(shop, busy()))
    assert exporter.step()
    back = shop.progressed(task)[-1]
    assert (back.released, back.wait, back.faults, back.crashes) == (True, FIRST_WAIT, 1, 0)
    assert back.reason == "The source cannot be read: it is locked."
    assert not exporter.step()
    shop.watch.pass_by(FIRST_WAIT - 0.001)
    assert not exporter.step()
    shop.watch.pass_by(0.001)
    assert exporter.step()
    assert (shop.now(task).status, shop.now(task).attempt) == ("Success", 2)


@pytest.mark.parametrize(
    ("faults", "status"), [(PASSING_FAULTS - 1, "Success"), (PASSING_FAULTS, "Failed")]
)
def test_too_many_passing_faults_fail_the_task(shop: Workshop, faults: int, status: str) -> None:
    task = shop.create()
    exporter = shop.exporter(source=Faulty(shop, *[busy()] * faults))
    while shop.now(task).status == "Processing":
        exporter.step()
        shop.watch.pass_by(LONGEST_WAIT)
    assert shop.now(task).status == status
    if status == "Failed":
        assert failure(shop, task) == ("IOTDA.014706", str(busy()))


def test_a_task_with_more_passing_faults_than_are_allowed_by_now_fails(shop: Workshop) -> None:
    task = shop.create()
    for _ in range(PASSING_FAULTS):
        claim = shop.story.claim(task)
        assert claim
        shop.story.ledger.hand_back(claim, "why", fault=True)
    shop.exporter(source=Faulty(shop, busy())).step()
    assert failure(shop, task) == ("IOTDA.014706", str(busy()))


def test_the_wait_doubles_up_to_the_longest() -> None:
    waits = [wait_after(faults) for faults in range(PASSING_FAULTS)]
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert max(waits) == waits[-1] == LONGEST_WAIT


def test_a_result_that_cannot_be_stored_is_tried_again_and_then_fails_the_task(
    shop: Workshop, place: Place
) -> None:
    task = shop.create()
    exporter = shop.exporter(results=open_results(place.broken_url, shop.folder / "spool"))
    exporter.step()
    assert shop.now(task).faults == 1
    while shop.now(task).status == "Processing":
        shop.watch.pass_by(LONGEST_WAIT)
        exporter.step()
        shop.watch.pass_by(LONGEST_WAIT)
    assert shop.now(task).failure == (
        "IOTDA.014710",
        f"The result could not be stored: {place.fault}.",
    )
    assert shop.now(task).crashes == 0


def full() -> None:
    with storing():
        raise OSError(errno.ENOSPC, "no space left on device")


def test_an_exporter_whose_disk_is_full_leaves_the_task_to_others(shop: Workshop) -> None:
    task = shop.create()
    first, other = shop.exporter("e1", results=shop.storing(full)), shop.exporter("e2")
    assert first.step()
    assert not other.step()
    shop.watch.pass_by(FIRST_WAIT)
    assert not first.step()
    assert other.step()
    assert (shop.now(task).status, shop.now(task).faults) == ("Success", 1)


def test_while_the_disk_stays_full_it_claims_once_a_minute_at_last(shop: Workshop) -> None:
    for _ in range(5):
        shop.create()
    room: list[None] = []
    exporter = shop.exporter(results=shop.storing(lambda: None if room else full()))
    claims = []
    for second in range(200):
        if exporter.step():
            claims.append(second)
        shop.watch.pass_by(1)
    assert claims == [0, 10, 30, 70, 130, 190]
    room.append(None)
    shop.watch.pass_by(LONGEST_WAIT)
    assert exporter.step()
    assert exporter.step(), "with room again it goes on at once"
    room.clear()
    assert exporter.step()
    shop.watch.pass_by(10)
    assert exporter.step(), "and begins anew with short pauses"


def test_an_error_that_nobody_foresaw_is_logged_in_full_and_told_in_general(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    task = shop.create()
    exporter = shop.exporter(source=Faulty(shop, RuntimeError("/secret/path")))
    exporter.step()
    back = shop.progressed(task)[-1]
    assert (back.released, back.reason) == (True, "The export met an internal error.")
    (logged,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "/secret/path" in caplog.text
    assert logged.exc_info
    shop.watch.pass_by(0)
    exporter.step()
    shop.watch.pass_by(FIRST_WAIT)
    exporter.step()
    assert shop.now(task).status == "Success"


# Owners in turn


def test_one_owners_big_exports_do_not_hold_up_anothers_small_one(shop: Workshop) -> None:
    for _ in range(5):
        shop.create(shop.batch(500))
    small = shop.create(shop.batch(1), owner=BEN)
    exporter = shop.exporter()
    exporter.step()
    exporter.step()
    assert shop.now(small).status == "Success"


def test_owners_are_served_in_turn(shop: Workshop) -> None:
    batch = shop.batch(1)
    for owner in ("ann", "ann", "ann", "ben", "ben", "cem"):
        shop.story.clock.pass_by(seconds=1)
        shop.create(batch, owner=BEN._replace(user_id=owner))
    exporter = shop.exporter()
    while exporter.step():
        pass
    ended = [event for event in shop.story.events() if isinstance(event, Task.Completed)]
    owners = [shop.queries.any_task(event.file[:24]) for event in ended]
    names = [row.user_id for row in owners if row]
    assert names == ["ann", "ben", "cem", "ann", "ben", "ann"]


def test_a_second_exporter_takes_the_owner_for_whom_nobody_works(shop: Workshop) -> None:
    anns = [shop.create(), shop.create()]
    bens = shop.create(owner=BEN)
    other = shop.exporter("e2")
    source = shop.pages(lambda page: other.step() if page == 1 else None)
    shop.exporter("e1", source=source).step()
    assert shop.now(bens).status == "Success"
    assert sorted(shop.now(task).status for task in anns) == ["Processing", "Success"]


def test_a_task_with_an_event_that_nobody_can_read_lets_the_others_go_on(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = shop.create(), shop.create()
    assert len(list(shop.queries.work())) == 2
    alter(
        shop.log, f"UPDATE stored_events SET state = x'00' WHERE originator_id = '{broken.id.hex}'"
    )
    exporter = shop.exporter()
    assert exporter.step()
    assert not exporter.step()
    assert shop.now(good).status == "Success"
    (said,) = [each for each in caplog.records if each.message == "a task cannot be claimed"]
    assert said.keys == {"task": broken.task_id}
