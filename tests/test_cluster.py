"""The cluster: two minutes of torture of it, and that its judges see what they are there to see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from eventsourcing.popo import POPOApplicationRecorder

from exporter.sources.batches import Batches
from projections.seal import Seal
from projections.seal import leaf as product_leaf
from tests.cluster.agreement import leaf, root
from tests.cluster.chaos import Struck
from tests.cluster.earlier import COMMIT, earlier, is_known
from tests.cluster.evidence import evidence
from tests.cluster.mirror import mirror
from tests.cluster.options import ClusterOptions
from tests.cluster.plan import DECK, UPGRADE, Fault, planned
from tests.cluster.recovery import hung, recoveries, undisturbed
from tests.facts import ANN, BEN, Story
from tests.torture import started
from tests.torture.once import doubled
from tests.torture.people import Owner
from tests.torture.records import Exchange
from tests.torture.started import CLOCK
from tests.torture.story import Story as Told

ROOT = Path(__file__).parents[1]
PORTS = [8001, 8002]
SMALL = ("--nodes", "2", "--workers", "1", "--exporters", "1", "--owners", "5", "--clients", "8")


@pytest.mark.timeout(900)
def test_two_minutes_of_torture_lose_nothing_and_break_no_rule(tmp_path):
    folder = tmp_path / "run"
    three = ("--nodes", "3", *SMALL[2:])
    options = (*three, "--torture", "120", "--seed", "3", "--json", "--folder", str(folder))
    command = (sys.executable, "-m", "tests.cluster", *options)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["wrongs"] == []
    assert done.returncode == 0
    assert report["answered"] > 50
    assert len(report["faults"]) > 5
    assert not folder.exists()


@pytest.mark.timeout(600)
@pytest.mark.skipif(not is_known(), reason=f"the commit {COMMIT} is not in this history")
def test_an_earlier_program_and_this_one_run_side_by_side_until_the_upgrade(tmp_path):
    folder = tmp_path / "run"
    options = (*SMALL, "--torture", "25", "--seed", "5", "--json", "--folder", str(folder))
    command = (sys.executable, "-m", "tests.cluster", *options, "--beside", COMMIT)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["wrongs"] == []
    assert report["faults"]["upgrade node"]["times"] == 1
    assert report["answered"] > 50


@pytest.mark.skipif(not is_known(), reason=f"the commit {COMMIT} is not in this history")
def test_the_earlier_program_is_that_of_its_commit(tmp_path):
    env = {**os.environ, CLOCK: str(tmp_path / "clock")}
    then, now = (
        subprocess.run(
            line("restore", "--help"), env=env, capture_output=True, text=True, check=True
        )
        for line in (earlier(COMMIT, tmp_path), started.command_line)
    )
    assert "--in-place" in then.stdout
    assert "--replaced" in now.stdout
    assert "--replaced" not in then.stdout


def test_with_an_earlier_program_its_node_is_upgraded_halfway():
    options = ClusterOptions(0, 1, beside=COMMIT)
    faults = planned(options, 60)
    assert [each.at for each in faults if each.kind == UPGRADE] == [30]
    assert [each for each in faults if each.kind != UPGRADE] == planned(ClusterOptions(0, 1), 60)


def test_the_seed_alone_plans_the_faults():
    first, again, other = (planned(ClusterOptions(0, seed), 600) for seed in (1, 1, 2))
    assert first == again != other
    assert {each.kind for each in first} == {*DECK}
    assert {each.target for each in first} == {0, 1, 2, "database", "store"}
    assert max(each.at for each in first) < 600


def test_faults_of_one_target_are_apart_and_those_of_several_overlap():
    faults = planned(ClusterOptions(0, 1), 3000)
    for target in {each.target for each in faults}:
        own = [each for each in faults if each.target == target]
        assert all(one.at + one.seconds < next_.at for one, next_ in pairwise(own))
    assert any(next_.at < one.at + one.seconds for one, next_ in pairwise(faults))


@pytest.fixture
def story():
    """A log in memory."""
    return Story(POPOApplicationRecorder())


def heard(story):
    """As the judge hears it."""
    return Told(story.recorder.select_notifications(1, 10_000))


def create(story, owner=ANN, **answered):
    """A create of the task that was asked for last."""
    asked = Owner(*owner, "AK", "SK", [])
    given = {"request_id": f"r{story.requests}", "batch": "b" * 12, "status": 201, **answered}
    return Exchange("create", asked, 0.0, **given)


def test_a_create_without_an_answer_is_done_at_most_once(story):
    story.create(batch="b" * 12)
    known, lost = create(story), create(story, status=None, request_id="")
    others = create(story, BEN, status=None, request_id="")
    assert list(doubled([known], heard(story))) == []
    assert list(doubled([lost], heard(story))) == []
    assert "1 tasks more" in next(doubled([], heard(story)))
    assert "1 tasks more" in next(doubled([others], heard(story)))
    story.create(batch="b" * 12)
    assert list(doubled([lost, lost], heard(story))) == []
    assert "1 tasks more" in next(doubled([lost], heard(story)))


def test_a_create_that_was_refused_is_not_done(story):
    story.create(batch="b" * 12)
    assert "refused with 403, and done" in next(doubled([create(story, status=403)], heard(story)))
    assert list(doubled([create(story, status=503)], heard(story))) == []


def test_the_root_is_that_of_the_product_made_otherwise(story):
    for _ in range(5):
        story.create()
        stored = story.recorder.select_notifications(1, 10_000)
        expected = Seal().grown([product_leaf(each) for each in stored]).root
        assert root([leaf(each) for each in stored]) == expected


def test_a_finding_shows_the_events_that_it_is_about(story):
    task, _ = story.create(), story.create()
    stored = story.recorder.select_notifications(1, 10_000)
    (shown,) = evidence([f"the task {task.task_id} is lost"], stored).values()
    assert [line.split()[2] for line in shown] == ["owner.admitted", "task.created"]
    (near,) = evidence(["event 1, limits.set: wrong"], stored).values()
    assert [line.split()[0] for line in near] == ["1", "2", "3", "4"]


def asked(port, sent, seconds, **answered):
    """A request of somebody's to a node."""
    return Exchange("list", Owner(*ANN, "", "", []), sent, port=port, received=sent + seconds,
                    **answered)  # fmt: skip


def struck(kind, target, began=10.0, ended=20.0):
    """A fault that fell."""
    return Struck(Fault(kind, target, 0.0, 10.0, 0.5), began, ended)


def test_a_node_has_recovered_when_it_answers_itself():
    answers = [asked(8001, 20.5, 0.5, status=200), asked(8002, 23, 1, status=200)]
    early = [asked(8002, 19, 2, status=200), asked(8002, 21, 0.1, status=503)]
    told = recoveries([struck("kill node", 1)], [*answers, *early], PORTS)
    assert told == {"kill node": {"times": 1, "median_s": 4.0, "most_s": 4.0}}
    told = recoveries([struck("kill database", "database")], [*answers, *early], PORTS)
    assert told["kill database"]["most_s"] == 1.0
    assert recoveries([struck("kill store", "store")], answers, PORTS)["kill store"] == {"times": 1}


def test_a_request_that_waited_too_long_has_hung_unless_its_node_stood_still():
    long, short = asked(8002, 12, 12.5), asked(8002, 12, 11.5)
    assert len(list(hung([struck("freeze database", "database")], [long, short], PORTS))) == 1
    assert len(list(hung([struck("stop node", 0)], [long], PORTS))) == 1
    assert list(hung([struck("stop node", 1)], [long, short], PORTS)) == []


def test_a_503_long_after_every_fault_is_told():
    late, soon = asked(8001, 40, 1, status=503), asked(8001, 22, 1, status=503)
    assert undisturbed([struck("kill node", 0)], [late, soon], 5.0) == [late]


def test_batch_tasks_are_told_on_as_they_grow(tmp_path, database):
    file, url = tmp_path / "source.sqlite", database.fresh()
    lines = [b'{"target": "d", "status": "Success"}\n'] * 3
    with Batches(f"sqlite:///{file}") as batches:
        first = batches.generate("p", 5)
        mirror(file, url)
        open_ = batches.import_(
            iter([b'{"task_name": "runs on", "status": "Processing"}\n']), project_id="p"
        )
        mirror(file, url)
        batches.append(open_, lines)
        batches.finish(open_)
        mirror(file, url)
    with closing(psycopg.connect(url)) as shared:
        query = "SELECT task_id, count(*) FROM batch_task_details GROUP BY 1"
        assert dict(shared.execute(query).fetchall()) == {first: 5, open_: 3}
        query = "SELECT status FROM batch_tasks WHERE task_id = %s"
        assert shared.execute(query, (open_,)).fetchall() == [("Success",)]
