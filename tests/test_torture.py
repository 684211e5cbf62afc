"""The torture: half a minute of it, and that its judges see what they are there to see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from eventsourcing.popo import POPOApplicationRecorder

from domain.commands import GrantDownload
from tests.facts import ANN, BEN, Story
from tests.torture.chaos import DECK, Chaos
from tests.torture.claims import Claims
from tests.torture.clock import Clock, stepping
from tests.torture.disk import Disk
from tests.torture.kept import KeptInFolder
from tests.torture.leaks import leaks
from tests.torture.options import Options
from tests.torture.people import Owner
from tests.torture.records import Exchange, Records
from tests.torture.settled import ends_wrong, files_wrong, unswept, workbooks_wrong
from tests.torture.started import CLOCK
from tests.torture.story import Story as Told
from tests.torture.wire import Answer

ROOT = Path(__file__).parents[1]


@pytest.fixture
def story():
    """A log in memory, which the judges read."""
    return Story(POPOApplicationRecorder())


def wrongs(story, *exchanges):
    """What the claims' judge says."""
    told = Told(story.recorder.select_notifications(1, 10_000))
    assert told.judge.wrongs == []
    return list(Claims(list(exchanges), told).wrongs())


def exchange(kind, sent, owner=ANN, **answered):
    """A request that was answered half a second later."""
    asked = Owner(*owner, "AK", "SK", [])
    return Exchange(kind, asked, sent, **{"received": sent + 0.5, "status": 200, **answered})


def created(story, task, sent, **answered):
    """The answer to a task's create."""
    request = {"request_id": f"r{story.requests}", "task_id": task.task_id}
    return exchange("create", sent, **{"status": 201, **request, **answered})


def listed(sent, *shown, **answered):
    """A list that shows these tasks."""
    query = {"limit": 50}
    return exchange(
        "list", sent, **{"shown": shown, "size": len(shown), "query": query, **answered}
    )


def granted(story, task, file):
    """The owner downloads a file."""
    caller = story.caller()
    story.ledger.grant_download(GrantDownload(ANN, task.task_id, file.key, "e", caller))


@pytest.mark.timeout(900)
def test_half_a_minute_of_torture_breaks_no_rule(tmp_path):
    options = ("--seconds", "30", "--seed", "7", "--owners", "8", "--clients", "8", "--json")
    command = (sys.executable, "-m", "tests.torture", *options, "--folder", str(tmp_path / "run"))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["wrongs"] == []
    assert done.returncode == 0
    assert report["answered"] > 100
    assert sum(report["blows"].values()) > 3
    assert not (tmp_path / "run").exists()


def test_an_acknowledged_task_that_the_log_lacks_is_lost(story):
    task = story.create()
    lost = created(story, task, 1.0, task_id="0" * 24)
    assert wrongs(story, created(story, task, 1.0)) == []
    assert "is lost" in wrongs(story, lost)[0]
    assert "another request's" in wrongs(story, created(story, task, 1.0, owner=BEN))[0]


def test_who_lists_after_a_201_must_be_shown_the_task(story):
    task = story.create()
    answer, shown = created(story, task, 1.0), (task.task_id, "Processing")
    assert wrongs(story, answer, listed(2.0, shown)) == []
    assert wrongs(story, answer, listed(1.2)) == [], "it was not answered yet"
    assert "no prefix" in wrongs(story, answer, listed(2.0))[0]
    assert "no prefix" in wrongs(story, answer, listed(0.1, shown))[0], "not asked for yet"
    assert "counts 2" in wrongs(story, answer, listed(2.0, shown, size=2))[0]


def test_what_was_answered_with_503_may_be_done_later_than_that(story):
    """A database that stood still does what it was sent when it goes on, though it was given up."""
    task = story.create()
    answer, shown = created(story, task, 1.0, status=503), (task.task_id, "Processing")
    assert wrongs(story, answer, listed(2.0), listed(3.0, shown)) == []
    assert "no prefix" in wrongs(story, answer, listed(0.1, shown))[0], "not asked for yet"


def test_who_was_told_of_an_end_is_never_told_that_it_goes_on(story):
    task = story.create()
    answer = created(story, task, 1.0)
    story.complete(task)
    done, going = (task.task_id, "Success"), (task.task_id, "Processing")
    assert wrongs(story, answer, listed(2.0, going), listed(3.0, done)) == []
    assert "no prefix" in wrongs(story, answer, listed(2.0, done), listed(3.0, going))[0]


def test_a_deleted_task_stays_deleted(story):
    task = story.create()
    answer = created(story, task, 1.0)
    story.delete(task)
    request = {"request_id": f"r{story.requests}", "task_id": task.task_id}
    delete = exchange("delete", 2.0, status=204, **request)
    shown = exchange("show", 3.0, task_id=task.task_id, shown=((task.task_id, "Processing"),))
    gone = exchange("show", 3.0, task_id=task.task_id, status=404, code="IOTDA.014702")
    assert wrongs(story, answer, delete, gone) == []
    assert "told was Processing" in wrongs(story, answer, delete, shown)[0]
    refused = exchange("delete", 3.0, status=404, task_id=task.task_id, code="IOTDA.014702")
    assert "was deleted" in wrongs(story, answer, delete, refused)[0]


def test_an_undeleted_task_is_not_answered_with_a_204(story):
    task = story.create()
    delete = exchange("delete", 2.0, status=204, task_id=task.task_id)
    assert "is not deleted" in wrongs(story, created(story, task, 1.0), delete)[0]


def test_a_create_is_refused_only_while_all_slots_are_in_use(story):
    answers = [created(story, story.create(), number) for number in range(4)]
    refused = exchange("create", 9.0, status=403, code="IOTDA.014701")
    assert "a free slot" in wrongs(story, *answers, refused)[0]
    fifth = created(story, story.create(), 4.0)
    assert wrongs(story, *answers, fifth, refused) == []


def test_a_download_gives_the_current_file_and_no_other(story):
    older, newer = story.create(), story.create()
    story.complete(older, sha256="aa" * 32)
    before = created(story, older, 0.0, request_id="r1")
    file = story.complete(newer, sha256="bb" * 32)
    seen = listed(1.0, *((each.task_id, "Success") for each in (newer, older)))
    granted(story, older, file)
    bytes_of = {"request_id": f"r{story.requests}", "task_id": older.task_id, "size": 5632}
    right = {"file": newer.task_id, "etag": f'"{"bb" * 32}"', "sha256": "bb" * 32}
    for fault, changes in {
        "": {},
        "was not current": {"file": older.task_id},
        "the ETag": {"etag": '"other"'},
        "the bytes": {"sha256": "aa" * 32},
        "1 bytes of": {"size": 1},
        "without a recorded grant": {"request_id": "unheard"},
    }.items():
        given = exchange("download", 2.0, **{**bytes_of, **right, **changes})
        found = wrongs(story, before, seen, given)
        assert [fault in each for each in found] == ([True] if fault else []), found


def test_a_download_is_refused_only_within_the_interval(story):
    task = story.create()
    granted(story, task, story.complete(task))
    refused = {"status": 403, "code": "IOTDA.014704", "task_id": task.task_id}
    early = exchange("download", 1.0, **refused, earliest=story.clock() + timedelta(seconds=29))
    late = exchange("download", 1.0, **refused, earliest=story.clock() + timedelta(seconds=32))
    assert wrongs(story, early) == []
    assert "after the last one" in wrongs(story, late)[0]


def test_a_quota_is_one_that_the_owner_had(story):
    answer = created(story, story.create(), 1.0)
    right = exchange("quota", 2.0, query={"kept": 1, "unfinished": 1})
    assert wrongs(story, answer, right) == []
    assert wrongs(story, answer, exchange("quota", 2.0, query={"kept": 0, "unfinished": 0})) != []


@pytest.mark.parametrize(
    ("status", "headers", "body", "fault"),
    [
        (503, {"retry-after": "1"}, {"error_code": "c", "error_msg": "m"}, ""),
        (503, {}, {"error_code": "c", "error_msg": "m"}, "Retry-After"),
        (500, {}, {"error_code": "c", "error_msg": "m"}, "status 500"),
        (404, {}, {"error_code": "c"}, "not told as one"),
        (404, {"x-request-id": ""}, {"error_code": "c", "error_msg": "m"}, "without X-Request-Id"),
    ],
)
def test_what_every_answer_must_have_is_looked_at_once(status, headers, body, fault):
    records, asked = Records(), exchange("show", 1.0, status=status)
    asked.request_id = headers.get("x-request-id", "r1")
    headers = {"content-type": "application/json", **headers}
    records.note(asked, Answer(status, headers, json.dumps(body).encode()))
    assert [fault in each for each in records.wrongs] == ([True] if fault else [])


def test_no_request_id_comes_twice():
    records = Records()
    for _ in range(2):
        records.note(exchange("list", 1.0, request_id="r1"), Answer(200, {}, b"{}"))
    assert "second time" in records.wrongs[0]


def test_files_that_are_missing_changed_or_left_over_are_found(story, tmp_path):
    task = story.create()
    file = story.complete(task)
    told = Told(story.recorder.select_notifications(1, 10_000))
    kept = KeptInFolder(tmp_path)
    assert "is missing" in next(files_wrong(kept, told))
    (tmp_path / file.key.replace("/", "-")).write_bytes(b"other")
    assert "not (5632" in next(files_wrong(kept, told))
    assert unswept(kept, told) == []
    (tmp_path / "left").touch()
    assert unswept(kept, told) == ["left"]


def test_a_task_that_has_not_ended_and_one_that_failed_for_nothing_are_found(story):
    story.create()
    failed = story.create(batch="0" * 12)
    claim = story.claim(failed)
    story.ledger.fail(claim, "IOTDA.014705", "The batch task does not exist.")
    told = Told(story.recorder.select_notifications(1, 10_000))
    assert "has not ended" in next(ends_wrong(told, "0" * 12, set()))
    assert len(list(ends_wrong(told, "0" * 12, set()))) == 1
    assert "failed with IOTDA.014705" in list(ends_wrong(told, "f" * 12, set()))[1]


def test_a_workbook_that_does_not_open_is_found(story):
    told = Told(story.recorder.select_notifications(1, 10_000))
    assert "does not open" in next(workbooks_wrong([b"no workbook"], told))


def test_the_seed_alone_deals_the_blows():
    def dealt(seed):
        chaos = Chaos(Options(seconds=30, seed=seed), None, None, None)
        return [chaos._dealt() for _ in range(2 * sum(DECK.values()))]

    assert dealt(1) == dealt(1) != dealt(2)
    assert {*dealt(1)} == {*DECK}


def test_half_of_the_requests_are_the_hot_owners():
    from tests.torture.people import Household

    household = object.__new__(Household)
    household.hot, household.others = "hot", ["a", "b"]
    chosen = [household.choose(Random(each)) for each in range(400)]
    assert 150 < chosen.count("hot") < 250


def test_a_full_disk_takes_nothing_until_it_is_freed(tmp_path):
    disk = Disk(tmp_path / "small", 16)
    try:
        if disk.kind == "fault":
            pytest.skip("nothing can be mounted here")
        disk.fill(leave=0)
        with pytest.raises(OSError, match="No space left"):
            (disk.home / "file").write_bytes(b"x" * 100_000)
        disk.free()
        (disk.home / "file").write_bytes(b"x" * 100_000)
    finally:
        disk.close(keep=tmp_path / "kept")
    assert (tmp_path / "kept" / "file").stat().st_size == 100_000
    assert not list(disk.home.iterdir())


def test_where_nothing_can_be_mounted_a_full_disk_is_a_fault_of_every_sync(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    disk = Disk(tmp_path / "small", 16)
    assert disk.kind == "fault"
    script = (
        "import sys; from tests.torture import started; from pathlib import Path\n"
        "started._fill_the_disk(Path(sys.argv[1]))\n"
        "from pathlib import Path\n"
        "from exporter.results import open_results\n"
        "open_results('file://' + sys.argv[2], Path('unused')).claim('log')\n"
    )
    (full,) = disk.environment.values()

    def store(folder):
        command = (sys.executable, "-c", script, full, str(tmp_path / folder))
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    disk.fill(leave=0)
    assert "there is no room left" in store("a").stderr
    disk.free()
    assert store("b").returncode == 0
    disk.close()


def test_a_stepped_clock_is_stepped_for_all_who_share_it(tmp_path):
    mine, theirs = Clock(tmp_path / "clock"), Clock(tmp_path / "clock")
    assert theirs.off == 0.0
    mine.set(-600.0)
    before, shown, after = datetime.now(UTC), stepping(theirs).now(UTC), datetime.now(UTC)
    assert before <= shown + timedelta(seconds=600) <= after


def test_a_secret_that_stands_in_any_file_is_found_in_whatever_form(tmp_path):
    secret, own = "a-secret-of-the-tests", "the-installations"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret.key").write_text(own)
    (tmp_path / "log").write_text("nothing to see\n")
    assert list(leaks(tmp_path, [secret], own)) == []
    forms = (secret, secret.encode().hex(), b64encode(secret.encode()).decode(), own)
    for written in (*forms, "Authorization: SDK-HMAC-SHA256 Access=AK, Signature=00"):
        (tmp_path / "log").write_text(f"something {written} something\n")
        assert len(list(leaks(tmp_path, [secret], own))) == 1


def test_the_processes_that_a_started_one_starts_come_through_the_torture_too(tmp_path):
    code = (
        "from scripts import cli, group\n"
        "from tests.torture import started\n"
        "cli.main = lambda: print(group.command_line() == started.command_line())\n"
        "started.main()\n"
    )
    environment = {**os.environ, CLOCK: str(tmp_path / "clock")}
    command = (sys.executable, "-c", code)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
