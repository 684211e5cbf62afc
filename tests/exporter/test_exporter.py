"""From an unfinished task to its file, or to why there is none."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest
import xlrd
from eventsourcing.persistence import OperationalError

from domain.task import Task
from exporter.attempt import PASSING_FAULTS
from exporter.results import LocalResults, ResultsFailed
from exporter.sources import DETAIL_COLUMNS, BatchTask, SourceFailed
from exporter.workbook import Workbook
from tests.facts import ANN, BEN, LEASE

ROOT = Path(__file__).parents[2]


class Scripted:
    """A source of the test's own: what it says, and what it does meanwhile."""

    def __init__(self, rows=10, status="Success", counted=None, page=5, meanwhile=lambda: None):
        self.rows, self.status, self.page, self.meanwhile = rows, status, page, meanwhile
        self.counted = rows if counted is None else counted

    def find(self, project_id, task_id, app_id):
        created = "2026-11-24T11:00:00.000Z"
        kind = "createCommands"
        return BatchTask(task_id, project_id, app_id, "n", kind, self.status, created, self.rows)

    def pages(self, task_id, size=1000):
        for start in range(0, self.rows, self.page):
            self.meanwhile()
            end = min(start + self.page, self.rows)
            yield [(f"d{number}", "Success", None, None, None) for number in range(start, end)]

    def count(self, task_id):
        return self.counted

    def close(self):
        pass


def failed(story):
    """The code that the last event tells."""
    event = story.events()[-1]
    assert isinstance(event, Task.Failed)
    return event.code


def ends(story, task_id):
    """How often a task ended."""
    return [e for e in story.ledger.history(task_id) if isinstance(e, Task.Completed | Task.Failed)]


def read(factory, key):
    """A result as a spreadsheet reader sees it."""
    result = factory.results.open(key)
    content = b"".join(result.read_range(0, result.size))
    result.close()
    return xlrd.open_workbook(file_contents=content)


def test_a_task_is_exported_row_by_row(factory, story):
    batch = factory.batch(250)
    task = story.create(batch=batch)
    assert factory.exporter().step()
    file = story.ledger.task(task.task_id).file
    book = read(factory, file.key)
    details = book.sheet_by_name("details")
    source = [row for page in factory.source.pages(batch) for row in page]
    written = [tuple(details.row_values(row)) for row in range(1, details.nrows)]
    padded = [row + ("",) * (5 - len(row)) for row in written]
    assert details.row_values(0) == list(DETAIL_COLUMNS)
    assert padded == [tuple(cell or "" for cell in row) for row in source]
    assert (file.rows, file.sheets, file.complete, file.repaired) == (250, 1, True, 0)
    assert file.data_as_of == "2026-11-24T12:00:00.000Z"
    assert factory.files() == [file.key]
    assert not factory.exporter().step()


def test_the_summary_says_what_is_in_the_file(factory, story):
    task = story.create(batch=factory.batch(20))
    factory.exporter().step()
    sheet = read(factory, story.ledger.task(task.task_id).file.key).sheet_by_name("summary")
    said = {sheet.cell_value(row, 0): sheet.cell_value(row, 1) for row in range(1, sheet.nrows)}
    assert said["export_task_id"] == task.task_id
    assert said["rows_expected"] == said["rows_written"] == "20"
    assert said["batch_task_finished"] == "yes"
    assert said["data_as_of"] == "2026-11-24T12:00:00.000Z"
    counts = [int(value) for key, value in said.items() if key.startswith("details_")]
    assert sum(counts) == 20
    assert len(counts) == 7


def test_a_zip_is_kept_where_that_is_set(factory, story):
    task = story.create(batch=factory.batch())
    factory.exporter(download="zip").step()
    file = story.ledger.task(task.task_id).file
    assert file.key.endswith(".zip")
    result = factory.results.open(file.key)
    assert next(result.read_range(0, 4)) == b"PK\x03\x04"
    assert result.size == file.size
    result.close()
    assert factory.files() == [file.key]


@pytest.mark.parametrize(
    ("batch_app", "asked", "found"),
    [(None, {}, True), ("a1", {"scope": "a1"}, True), ("a2", {"scope": "a1"}, False)],
)
def test_a_batch_task_is_looked_for_where_it_was_asked_for(factory, story, batch_app, asked, found):
    kind = "APP" if asked else "GLOBAL"
    task = story.create(batch=factory.batch(app_id=batch_app), app_type=kind, **asked)
    factory.exporter().step()
    assert (story.ledger.task(task.task_id).status == "Success") == found
    assert found or failed(story) == "IOTDA.014705"


def test_a_batch_task_that_is_not_there_fails_the_task(factory, story):
    factory.batch()
    story.create(batch="abc")
    factory.exporter().step()
    assert failed(story) == "IOTDA.014705"
    assert factory.files() == []


def test_rows_that_differ_from_the_sources_count_fail_a_finished_batch_task(factory, story):
    story.create()
    factory.exporter(source=Scripted(10, counted=11)).step()
    assert failed(story) == "IOTDA.014708"
    assert "10 rows" in story.events()[-1].message
    assert factory.files() == []


def test_rows_of_a_running_batch_task_may_differ_and_the_file_says_so(factory, story):
    task = story.create()
    factory.exporter(source=Scripted(10, status="Processing", counted=11)).step()
    event = story.events()[-1]
    assert (event.rows, event.total, event.complete) == (10, 11, False)
    sheet = read(factory, story.ledger.task(task.task_id).file.key).sheet_by_name("summary")
    assert ["batch_task_finished", "no"] in [sheet.row_values(row) for row in range(sheet.nrows)]


def test_a_batch_task_without_details_gives_a_header_alone(factory, story):
    task = story.create()
    factory.exporter(source=Scripted(0)).step()
    file = story.ledger.task(task.task_id).file
    assert (file.rows, file.sheets) == (0, 1)
    assert read(factory, file.key).sheet_by_name("details").nrows == 1


def test_progress_is_told_by_time_and_stays_below_a_hundred(factory, story):
    def a_second_passes():
        factory.now += 1.1

    story.create()
    factory.exporter(source=Scripted(1000, page=10, meanwhile=a_second_passes)).step()
    told = [e for e in story.events() if isinstance(e, Task.Progressed)]
    percents = [event.progress for event in told]
    assert percents == sorted(percents)
    assert percents[0] == 1
    assert 80 <= percents[-1] <= 99
    assert 20 < len(told) <= 60
    assert all(event.total in (None, 1000) for event in told)


def test_a_claim_is_renewed_while_the_source_stalls(factory, story):
    task = story.create()

    def stall():
        until = time.monotonic() + 5
        while story.head() < 6 and time.monotonic() < until:
            factory.now += 0.3
            time.sleep(0.02)

    factory.exporter(source=Scripted(5, meanwhile=stall), lease=0.8).step()
    told = [e for e in story.ledger.history(task.task_id) if isinstance(e, Task.Progressed)]
    assert len(told) >= 4
    assert story.ledger.task(task.task_id).status == "Success"


def test_an_abandoned_task_is_taken_over_after_a_lease_of_silence_and_no_sooner(factory, story):
    task = story.create(batch=factory.batch())
    story.claim(task, "dead")
    observer = factory.exporter("e2")
    assert not observer.step()
    factory.now += LEASE - 0.1
    assert not observer.step()
    factory.now += 0.2
    assert observer.step()
    event = story.ledger.history(task.task_id)[-1]
    assert isinstance(event, Task.Completed)
    assert (event.attempt, event.exporter) == (2, "e2")


def test_a_sign_of_life_begins_the_wait_anew(factory, story):
    from domain.commands import Progress

    task = story.create(batch=factory.batch())
    claim = story.claim(task, "alive")
    observer = factory.exporter("e2")
    observer.step()
    factory.now += LEASE - 1
    story.ledger.progress(claim, LEASE, Progress(1, 10, 2))
    assert not observer.step()
    factory.now += LEASE - 1
    assert not observer.step()
    factory.now += 2
    assert observer.step()


def test_a_zombie_is_refused_and_deletes_nothing(factory, story):
    task = story.create(batch=(batch := factory.batch()))
    winner = factory.exporter("winner")

    def overtaken():
        source.meanwhile = lambda: None
        winner.step()
        factory.now += LEASE + 1
        assert winner.step()

    source = Scripted(10, meanwhile=overtaken)
    factory.exporter("zombie", source=source).step()
    (end,) = ends(story, task.task_id)
    assert (end.exporter, end.attempt) == ("winner", 2)
    assert factory.files() == [end.file]
    assert batch


def test_a_task_whose_exporters_die_too_often_fails(factory, story):
    task = story.create(batch=factory.batch())
    observer = factory.exporter(crashes_allowed=2)
    for name in ("d1", "d2"):
        story.claim(task, name)
    observer.step()
    factory.now += LEASE
    assert not observer.step()
    assert failed(story) == "IOTDA.014709"


def test_a_stopped_exporter_hands_back_and_another_goes_on_at_once(factory, story):
    stop = Event()
    task = story.create(batch=factory.batch())
    factory.exporter("e1", source=Scripted(100, page=1, meanwhile=stop.set)).run(stop)
    event = story.events()[-1]
    assert (event.released, event.reason, event.wait, event.crashes) == (True, "shutdown", 0, 0)
    assert factory.files() == []
    assert factory.exporter("e2").step()
    (end,) = ends(story, task.task_id)
    assert (end.attempt, end.exporter) == (2, "e2")


def test_a_passing_fault_is_waited_for_and_counts_as_no_crash(factory, story):
    faults = [SourceFailed("The source is busy.", passing=True)] * 2

    def busy():
        if faults:
            raise faults.pop()

    task = story.create()
    exporter = factory.exporter(source=Scripted(10, meanwhile=busy))
    for wait in (1, 2):
        assert exporter.step()
        event = story.events()[-1]
        assert (event.reason, event.wait, event.crashes) == ("source", wait, 0)
        exporter.step()
        factory.now += wait - 0.5
        assert not exporter.step()
        factory.now += 0.6
    assert exporter.step()
    assert story.ledger.task(task.task_id).status == "Success"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (SourceFailed("Busy.", passing=True), "IOTDA.014706"),
        (ResultsFailed("Full.", passing=True), "IOTDA.014710"),
        (ZeroDivisionError(), "IOTDA.014709"),
    ],
)
def test_a_fault_that_does_not_pass_fails_the_task_in_the_end(factory, story, fault, code, caplog):
    def fault_again():
        raise fault

    story.create()
    exporter = factory.exporter(source=Scripted(10, meanwhile=fault_again))
    for _ in range(PASSING_FAULTS + 1):
        assert exporter.step()
        exporter.step()
        factory.now += 1000
    assert failed(story) == code
    assert ("Traceback" in caplog.text) == isinstance(fault, ZeroDivisionError)
    assert factory.files() == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (SourceFailed("No such table.", passing=False), "IOTDA.014706"),
        (ResultsFailed("Not a folder.", passing=False), "IOTDA.014710"),
    ],
)
def test_a_lasting_fault_fails_the_task_at_once(factory, story, fault, code):
    def fault_again():
        raise fault

    story.create()
    factory.exporter(source=Scripted(10, meanwhile=fault_again)).step()
    assert failed(story) == code


def test_a_result_folder_that_cannot_be_written_leaves_no_half_file(factory, story):
    (factory.folder / "file").touch()
    story.create(batch=factory.batch())
    factory.exporter(results=LocalResults(factory.folder / "file")).step()
    event = story.events()[-1]
    assert getattr(event, "code", getattr(event, "reason", None)) in ("IOTDA.014710", "results")


def test_a_result_that_exceeds_the_format_fails_the_task(factory, story, monkeypatch):
    defaults = {**Workbook.__init__.__kwdefaults__, "max_bytes": 100}
    monkeypatch.setattr(Workbook.__init__, "__kwdefaults__", defaults)
    story.create()
    factory.exporter(source=Scripted(100)).step()
    assert failed(story) == "IOTDA.014707"
    assert factory.files() == []


def test_a_source_that_vanishes_mid_export_leaves_no_half_file(factory, story):
    batch = factory.batch(5000)
    story.create(batch=batch)
    pages = factory.source.pages

    def vanish(task_id, size=1000):
        for number, page in enumerate(pages(task_id, size)):
            if number == 1:
                factory.batches.close()
                (factory.folder / "source.sqlite").unlink()
            yield page

    factory.source.pages = vanish
    factory.exporter().step()
    assert failed(story) == "IOTDA.014706"
    assert factory.files() == []


def test_a_task_removed_while_it_is_exported_stops_the_export(factory, story):
    tasks = [story.create()]

    def remove():
        factory.now += LEASE
        if tasks:
            story.delete(tasks.pop())

    source = Scripted(1000, page=1, meanwhile=remove)
    factory.exporter(source=source).step()
    assert story.told()[-2:] == ["task.evicted", "owner.released"]
    assert factory.files() == []


def test_a_store_that_is_away_for_a_while_costs_nothing(factory, story):
    task = story.create()
    insert = story.recorder.insert_events
    away = [True] * 3

    def faulty(stored, **more):
        if stored[0].topic == "task.completed" and away:
            away.pop()
            raise OperationalError("away")
        return insert(stored, **more)

    story.recorder.insert_events = faulty
    factory.exporter(source=Scripted()).step()
    assert len(ends(story, task.task_id)) == 1


def test_progress_that_cannot_be_saved_does_not_end_the_attempt(factory, story):
    task = story.create()
    insert = story.recorder.insert_events

    def faulty(stored, **more):
        if stored[0].topic == "task.progressed" and stored[0].originator_version > 2:
            raise OperationalError("away")
        return insert(stored, **more)

    story.recorder.insert_events = faulty
    factory.exporter(source=Scripted()).step()
    assert len(ends(story, task.task_id)) == 1


def test_an_exporter_waits_for_a_store_that_is_away(factory, monkeypatch):
    monkeypatch.setattr("exporter.exporter.AWAY_SECONDS", 0.01)
    stop, looks = Event(), []

    def away(*arguments, **more):
        looks.append(1)
        if len(looks) > 2:
            stop.set()
        raise sqlite3.OperationalError("away")

    monkeypatch.setattr(factory.log.recorder, "select_notifications", away)
    factory.exporter().run(stop)
    assert len(looks) == 3


def test_one_owners_many_do_not_hold_up_anothers_one(factory, story):
    batch = factory.batch()
    anns = [story.create(ANN, batch) for _ in range(5)]
    story.clock.pass_by(seconds=1)
    ben = story.create(BEN, batch)
    exporter = factory.exporter()
    while exporter.step():
        pass
    ended = [e.originator_id for e in story.events() if isinstance(e, Task.Completed)]
    assert ended.index(ben.id) == 1
    assert len(ended) == len(anns) + 1


def test_two_exporters_finish_each_task_once(factory, story):
    story.limits(20, 20)
    tasks = [story.create(batch=factory.batch()) for _ in range(12)]
    stop = Event()
    threads = [Thread(target=factory.exporter(name).run, args=[stop]) for name in ("e1", "e2")]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 30
    while factory.queries.quota(ANN).unfinished and time.monotonic() < until:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert all(len(ends(story, task.task_id)) == 1 for task in tasks)
    assert len(factory.files()) == 12


WORKER = """
import sys
from threading import Event
from domain.journal import Journal
from domain.ledger import Ledger
from exporter.exporter import Exporter
from exporter.results import LocalResults
from exporter.sources import open_source
from pathlib import Path
from projections.follower import Follower
from projections.log import open_log
from projections.queries import Queries
from projections.tables import ReadTables

folder = Path(sys.argv[1])
log = open_log(f"sqlite:///{folder}/events.sqlite")
queries = Queries(Follower(log.recorder, ReadTables(folder / "read")))
source = open_source(f"sqlite:///{folder}/source.sqlite")
results = LocalResults(folder / "results")
ledger = Ledger(Journal(log.recorder))
Exporter(ledger, queries, source, results, name="victim", lease=1.0).run(Event())
"""


def test_a_killed_exporters_task_completes_as_attempt_two_and_one_file_remains(factory, story):
    task = story.create(batch=factory.batch(60_000))
    victim = subprocess.Popen([sys.executable, "-c", WORKER, str(factory.folder)], cwd=ROOT)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        row = factory.queries.any_task(task.task_id)
        if row.rows > 0:
            break
        time.sleep(0.02)
    victim.kill()
    victim.wait()
    assert row.status == "Processing"
    survivor = factory.exporter("survivor", monotonic=time.monotonic)
    while not survivor.step():
        assert time.monotonic() < until
        time.sleep(0.1)
    (end,) = ends(story, task.task_id)
    assert (end.attempt, end.exporter, end.rows) == (2, "survivor", 60_000)
    assert len(factory.files()) == 2
    factory.sweeper().sweep()
    assert factory.files() == [end.file]
