"""What may happen to a task, and what may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.commands import Claim, CompleteTask, Progress
from domain.refusals import ClaimLost, Invalid, TaskOver
from domain.task import Task
from tests.facts import BATCH, LEASE, NOON, a_file


def test_a_created_task_holds_what_was_asked_for(story):
    task = story.create(app_type="APP", scope="a1", app_id="a1", instance_id="i1")
    assert story.events()[-1] == Task.Created(
        originator_id=task.id,
        originator_version=1,
        timestamp=NOON,
        by="ann",
        request_id="r1",
        key="AK",
        address=None,
        task_id=task.task_id,
        project_id="p1",
        user_id="ann",
        resource_type="BatchTask",
        resource_condition=f'{{"task_id":"{BATCH}"}}',
        export_format="xls",
        app_type="APP",
        scope="a1",
        app_id="a1",
        instance_id="i1",
    )


def test_a_claim_is_an_event(story):
    task = story.create()
    claim = story.claim(task)
    event = story.events()[-1]
    assert claim == Claim(task.task_id, 1, "e1")
    assert event == Task.Progressed(
        originator_id=task.id,
        originator_version=2,
        timestamp=NOON,
        by="exporter",
        request_id=event.request_id,
        key=None,
        address=None,
        attempt=1,
        exporter="e1",
        lease=LEASE,
        rows=0,
        total=None,
        progress=1,
        released=False,
        reason=None,
        wait=0.0,
        crashes=0,
        faults=0,
    )


def test_a_task_begins_with_nothing_done(story):
    task = story.create()
    assert (task.status, task.evicted, task.attempt, task.exporter) == ("Processing", None, 0, None)
    assert (task.held, task.lease, task.crashes, task.faults) == (False, 0.0, 0, 0)
    assert (task.rows, task.total, task.percent) == (0, None, 1)
    assert (task.file, task.failure) == (None, None)


def test_a_hand_back_is_an_event_that_keeps_how_far_it_came(story):
    task = story.create()
    claim = story.claim(task)
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45))
    story.ledger.hand_back(claim, "shutdown")
    event = story.events()[-1]
    assert event == Task.Progressed(
        originator_id=task.id,
        originator_version=4,
        timestamp=NOON,
        by="exporter",
        request_id=event.request_id,
        key=None,
        address=None,
        attempt=1,
        exporter="e1",
        lease=0.0,
        rows=500,
        total=1000,
        progress=45,
        released=True,
        reason="shutdown",
        wait=0.0,
        crashes=0,
        faults=0,
    )
    assert not story.ledger.task(task.task_id).held


def test_the_next_attempt_begins_its_rows_anew_and_knows_the_total(story):
    task = story.create()
    claim = story.claim(task)
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45))
    story.ledger.hand_back(claim, "shutdown")
    story.claim(task, "e2")
    event = story.events()[-1]
    assert (event.attempt, event.rows, event.total, event.progress) == (2, 0, 1000, 1)


def test_a_batch_tasks_name_is_kept_once_it_was_told(story):
    task = story.create()
    claim = story.claim(task)
    assert "batch_name" not in vars(story.events()[-1])
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45, "Firmware 2.2.0"))
    story.ledger.hand_back(claim, "shutdown")
    claim = story.claim(task, "e2")
    assert [event.batch_name for event in story.events()[-3:]] == ["Firmware 2.2.0"] * 3
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45))  # by a program that tells no name
    assert story.ledger.task(task.task_id).batch_name == "Firmware 2.2.0"
    story.ledger.complete(CompleteTask(claim, a_file(task, claim), 10))
    assert story.ledger.task(task.task_id).batch_name == "Firmware 2.2.0"


def test_a_completed_task_may_be_the_first_to_tell_the_name(story):
    task = story.create()
    claim = story.claim(task)
    story.ledger.complete(CompleteTask(claim, a_file(task, claim), 10, "Firmware 2.2.0"))
    assert story.ledger.task(task.task_id).batch_name == "Firmware 2.2.0"


def test_of_two_claims_one_wins(story):
    task = story.create()
    story.ledger.claim(task.task_id, 1, "e1", LEASE, 3)
    with pytest.raises(ClaimLost):
        story.ledger.claim(task.task_id, 1, "e2", LEASE, 3)
    assert story.told()[-1:] == ["task.progressed"]


def test_progress_carries_the_attempt_and_its_rows(story):
    claim = story.claim(story.create())
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45))
    event = story.events()[-1]
    assert (event.attempt, event.rows, event.total, event.progress) == (1, 500, 1000, 45)


@pytest.mark.parametrize("percent", [1, 99])
def test_progress_is_one_to_ninety_nine_while_unfinished(percent):
    assert Progress(0, None, percent).percent == percent


@pytest.mark.parametrize("percent", [0, 100])
def test_any_other_progress_is_invalid(percent):
    with pytest.raises(Invalid, match="percent"):
        Progress(0, None, percent)


def test_an_exporter_whose_task_was_taken_over_is_refused(story):
    task = story.create()
    lost = story.claim(task, "e1")
    taken = story.claim(task, "e2")
    for act in (
        lambda: story.ledger.progress(lost, LEASE, Progress(1, 2, 3)),
        lambda: story.ledger.hand_back(lost, "shutdown"),
        lambda: story.ledger.complete(CompleteTask(lost, a_file(task, lost), 10)),
        lambda: story.ledger.fail(lost, "IOTDA.014706", "gone"),
    ):
        with pytest.raises(ClaimLost):
            act()
    assert taken == Claim(task.task_id, 2, "e2")
    assert story.events()[-1].crashes == 1


@pytest.mark.parametrize("fault", [False, True])
def test_a_hand_back_is_an_attempts_last_word(story, fault):
    task = story.create()
    claim = story.claim(task)
    story.ledger.progress(claim, LEASE, Progress(500, 1000, 45))
    story.ledger.hand_back(claim, "source", wait=4.0, fault=fault)
    before = story.head()
    for act in (
        lambda: story.ledger.progress(claim, LEASE, Progress(500, 1000, 45)),
        lambda: story.ledger.progress(claim, LEASE, Progress(501, 1000, 46)),
        lambda: story.ledger.hand_back(claim, "source", wait=4.0, fault=fault),
        lambda: story.ledger.complete(CompleteTask(claim, a_file(task, claim), 10)),
        lambda: story.ledger.fail(claim, "IOTDA.014706", "gone"),
    ):
        with pytest.raises(ClaimLost):
            act()
    assert story.head() == before
    assert story.claim(task) == Claim(task.task_id, 2, "e1")


@pytest.mark.parametrize("wrong", [(1, "e2"), (3, "e2"), (2, "e1"), (2, "e3")])
def test_a_claim_that_is_not_the_tasks_own_is_refused(story, wrong):
    task = story.create()
    story.claim(task, "e1")
    story.claim(task, "e2")
    before = story.head()
    with pytest.raises(ClaimLost):
        story.ledger.progress(Claim(task.task_id, *wrong), LEASE, Progress(1, 2, 3))
    assert story.head() == before


@pytest.mark.parametrize("version", [0, 1, 3, 1000])
def test_a_claim_of_a_task_as_it_is_not_is_refused(story, version):
    task = story.create()
    story.claim(task)
    with pytest.raises(ClaimLost):
        story.ledger.claim(task.task_id, version, "e2", LEASE, 3)


def test_a_task_with_a_long_history_is_claimed_as_any_other(story):
    task = story.create()
    story.claim(task)
    (stored,) = story.recorder.select_events(task.id, gt=1)
    story.recorder.insert_events(
        [replace(stored, originator_version=version) for version in range(3, 1001)]
    )
    assert story.claim(task, "e2").attempt == 2


def test_a_released_task_has_lost_no_exporter(story):
    task = story.create()
    story.claim(task, "e1")
    story.ledger.hand_back(story.claim(task, "e2"), "shutdown")
    story.claim(task, "e3")
    assert [event.crashes for event in story.ledger.history(task.task_id)[1:]] == [0, 1, 1, 1]


def test_a_task_with_more_crashes_than_are_allowed_by_now_fails(story):
    task = story.create()
    for exporter in ("e1", "e2", "e3"):
        assert story.claim(task, exporter)
    assert story.claim(task, "e4", crashes_allowed=1) is None
    assert story.events()[-1].message == "Its exporters died 3 times."


def test_a_task_whose_exporters_died_too_often_fails(story):
    task = story.create()
    for exporter in ("e1", "e2", "e3"):
        assert story.claim(task, exporter)
    assert story.claim(task, "e4") is None
    event = story.events()[-1]
    assert isinstance(event, Task.Failed)
    assert (event.code, event.message) == ("IOTDA.014709", "Its exporters died 3 times.")


def test_hand_backs_do_not_count_as_crashes(story):
    task = story.create()
    for attempt in range(1, 6):
        claim = story.claim(task)
        assert claim.attempt == attempt
        story.ledger.hand_back(claim, "shutdown")
    event = story.events()[-1]
    assert (event.released, event.reason, event.crashes, event.faults) == (True, "shutdown", 0, 0)


def test_faults_are_counted_apart_and_carry_a_wait(story):
    task = story.create()
    for _ in range(2):
        story.ledger.hand_back(story.claim(task), "source", wait=4.0, fault=True)
    event = story.events()[-1]
    assert (event.faults, event.wait, event.crashes) == (2, 4.0, 0)


def test_a_task_completes_once(story):
    task = story.create()
    claim = story.claim(task)
    file = a_file(task, claim)
    story.ledger.complete(CompleteTask(claim, file, 10))
    event = story.events()[-1]
    assert isinstance(event, Task.Completed)
    assert (event.file, event.sha256, event.rows, event.total) == (file.key, "ab" * 32, 10, 10)
    with pytest.raises(TaskOver, match="Success"):
        story.ledger.complete(CompleteTask(claim, file, 10))
    now = story.ledger.task(task.task_id)
    assert (now.file, now.held, now.rows, now.total, now.percent) == (file, False, 10, 10, 100)


def test_a_failed_task_takes_no_claim(story):
    task = story.create()
    story.ledger.fail(story.claim(task), "IOTDA.014705", "The batch task does not exist.")
    event = story.events()[-1]
    assert event == Task.Failed(
        originator_id=task.id,
        originator_version=3,
        timestamp=NOON,
        by="exporter",
        request_id=event.request_id,
        key=None,
        address=None,
        attempt=1,
        exporter="e1",
        code="IOTDA.014705",
        message="The batch task does not exist.",
    )
    now = story.ledger.task(task.task_id)
    assert now.failure == ("IOTDA.014705", "The batch task does not exist.")
    assert (now.status, now.held) == ("Failed", False)
    with pytest.raises(TaskOver, match="Failed"):
        story.claim(task)


def test_an_evicted_task_stops_its_exporter(story):
    task = story.create()
    claim = story.claim(task)
    story.delete(task)
    with pytest.raises(TaskOver, match="Evicted"):
        story.ledger.progress(claim, LEASE, Progress(1, 2, 3))
    now = story.ledger.task(task.task_id)
    assert (now.status, now.evicted, now.held) == ("Processing", "deleted", False)


def test_a_removed_task_is_not_removed_again(story):
    task = story.create()
    story.delete(task)
    with pytest.raises(TaskOver, match="Evicted"):
        story.ledger.task(task.task_id).evict("deleted", None, story.caller(), NOON)


def test_a_task_that_never_was_is_none(story):
    assert story.ledger.task("0" * 24) is None
    assert story.ledger.history("0" * 24) == []


def test_time_in_a_stream_never_runs_backwards(story):
    task = story.create()
    story.clock.pass_by(minutes=-10)
    story.claim(task)
    assert [event.timestamp for event in story.ledger.history(task.task_id)] == [NOON, NOON]
