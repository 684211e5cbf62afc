"""The simulator: that no schedule breaks a rule, and that a broken rule would be found."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest
from eventsourcing.popo import POPOApplicationRecorder

from domain.journal import Journal
from domain.owner import Owner
from domain.refusals import ClaimLost, TaskOver
from domain.task import Task
from exporter.attempt import STOPS
from exporter.outages import BEGINS
from projections.follower import Follower
from tests.simulation.campaign import Campaign, Total, report
from tests.simulation.exhaustive import explore
from tests.simulation.kernel import FOREVER, Dead, Kernel, OutOfSteps, Process
from tests.simulation.options import AT_A_CALL, IN_TIME, Options
from tests.simulation.schedule import play, staged
from tests.simulation.sqlite import fresh_log
from tests.simulation.threads import Event, Lock, use
from tests.simulation.world import World

ROOT = Path(__file__).parent.parent.parent
SECONDS = 20.0


@pytest.fixture(autouse=True)
def stage():
    with staged():
        yield


def found(seeds, **changes):
    """What the schedules of these seeds break, until the first."""
    for seed in seeds:
        if wrong := play(Options.draw(seed).changed(**changes)).wrong:
            return wrong
    return None


# Schedules


def test_no_schedule_of_twenty_seconds_breaks_a_rule():
    campaign = Campaign(20_000_000, None, monotonic() + SECONDS, {})
    total = campaign.run(1)
    assert total.wrongs == []
    assert total.schedules > 0
    assert total.faults.total() > total.schedules


def test_a_seed_gives_the_same_log_in_every_process():
    def told(hash_seed):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "17"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert told("1") == told("2")


def test_a_seed_gives_the_same_log_in_memory_and_on_sqlite():
    for seed in range(20_000_000, 20_000_010):
        options = Options.draw(seed)
        assert play(options, digest=True).digest == play(options, fresh_log).digest


def test_every_order_of_a_small_scene_keeps_the_rules():
    outcomes = list(explore(0))
    assert len(outcomes) > 50
    assert [wrong for _, wrong in outcomes if wrong] == []


def test_each_kind_of_fault_is_drawn_for_some_seeds_and_not_for_others():
    drawn = [Options.draw(seed) for seed in range(300)]
    for kind in AT_A_CALL:
        assert 0 < sum(kind in options.rates for options in drawn) < 300
    for kind in IN_TIME:
        assert 0 < sum(kind in options.spells for options in drawn) < 300


def test_an_option_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no such option: speed"):
        Options.draw(1).changed(speed=2)


# What would be found


def test_a_lost_answer_that_nobody_looks_up_is_found(monkeypatch):
    monkeypatch.setattr(Journal, "_landed", lambda self, decision: False)
    assert found(range(300))


def test_slots_that_are_not_counted_are_found(monkeypatch):
    admit = Owner.admit

    def admits(self, owner, task_id, limits, is_unfinished, caller, now):
        return admit(self, owner, task_id, limits, lambda task_id: False, caller, now)

    monkeypatch.setattr(Owner, "admit", admits)
    assert "unfinished" in found(range(100))


def test_a_stale_answer_is_found(monkeypatch):
    monkeypatch.setattr(Follower, "_catch_up", lambda self, database, until: True)
    assert found(range(100))


def test_what_exporters_say_is_understood():
    met = sum((play(Options.draw(seed)).situations for seed in range(40)), Counter())
    assert met["completed"]
    assert met[f"said: {STOPS}"]
    assert met[f"said: {BEGINS}"]


def test_an_attempt_that_stops_for_a_lost_claim_is_a_zombie_that_was_refused():
    world = World(Options.draw(0), POPOApplicationRecorder, None)
    logger = logging.getLogger("exporter.attempt")
    for error in (TaskOver("Success"), ClaimLost()):
        world.said(logger.makeRecord(logger.name, logging.INFO, "", 0, STOPS, (error,), None))
    assert world.situations["a woken zombie is refused"] == 1


def test_a_part_that_does_not_fit_its_stand_in_is_found(monkeypatch):
    monkeypatch.setattr("exporter.attempt.Attempt._about", lambda self: None)
    assert "surprised" in found(range(20))


def test_a_completion_that_its_exporter_does_not_know_of_is_found(monkeypatch):
    landed = Journal._landed

    def forgets(self, decision):
        return decision.stored[-1].topic != Task.Completed.TOPIC and landed(self, decision)

    monkeypatch.setattr(Journal, "_landed", forgets)
    assert "does not know" in found(range(300))


def test_a_full_run_says_which_situations_it_has_met_too_seldom(capsys):
    assert report(Total(), full=True) == 1
    assert "met fewer than 100 times: slots full at a create" in capsys.readouterr().out


def test_a_broken_rule_is_told_with_its_seed_and_every_option(capsys):
    assert report(Total(wrongs=[(7, "six unfinished")]), full=False) == 1
    told = capsys.readouterr().out
    assert "BROKEN by seed 7 at " in told
    assert Options.draw(7).told() in told


# The kernel


@pytest.fixture
def kernel():
    kernel = Kernel()
    use(kernel)
    return kernel


def test_time_passes_only_while_everybody_sleeps(kernel):
    told = []

    def live(name, seconds):
        for _ in range(2):
            kernel.sleep(seconds)
            told.append((kernel.now, name))

    process = Process(kernel, "p")
    kernel.spawn(process, "slow", lambda: live("slow", 3.0))
    kernel.spawn(process, "quick", lambda: live("quick", 2.0))
    kernel.run()
    assert told == [(2.0, "quick"), (3.0, "slow"), (4.0, "quick"), (6.0, "slow")]


def test_the_dead_run_on_only_to_their_end_and_no_call_lets_them_in(kernel):
    told = []
    process, other = Process(kernel, "p"), Process(kernel, "o")

    def live():
        try:
            kernel.sleep(10.0)
            told.append("lives")
        finally:
            with pytest.raises(Dead):
                kernel.sleep(0.0)

    def kill():
        kernel.sleep(1.0)
        process.kill()

    kernel.spawn(process, "victim", live)
    kernel.spawn(other, "killer", kill)
    kernel.run()
    assert told == []
    assert kernel.now == 1.0


def test_a_frozen_process_wakes_late(kernel):
    told = []
    process, other = Process(kernel, "p"), Process(kernel, "o")

    def live():
        kernel.sleep(1.0)
        told.append(kernel.now)

    kernel.spawn(process, "frozen", live)
    kernel.spawn(other, "freezer", lambda: process.freeze(5.0))
    kernel.run()
    assert told == [5.0]


def test_an_event_ends_a_wait_and_a_timeout_does_too(kernel):
    told, event = [], Event()
    process = Process(kernel, "p")
    kernel.spawn(process, "patient", lambda: told.append((event.wait(), kernel.now)))
    kernel.spawn(process, "hasty", lambda: told.append((event.wait(1.0), kernel.now)))
    kernel.spawn(process, "setter", lambda: (kernel.sleep(2.0), event.set()))
    kernel.run()
    assert told == [(False, 1.0), (True, 2.0)]


def test_a_lock_is_one_actors_at_a_time(kernel):
    told, lock = [], Lock()
    process = Process(kernel, "p")

    def live(name):
        if not lock.acquire(timeout=1.5):
            return told.append(f"{name} gives up")
        kernel.sleep(1.0)
        told.append(name)
        return lock.release()

    for name in ("a", "b", "c"):
        kernel.spawn(process, name, lambda name=name: live(name))
    kernel.run()
    assert told == ["a", "c gives up", "b"]


def test_a_schedule_that_never_ends_is_ended(kernel):
    def live():
        while True:
            kernel.sleep(1.0)

    kernel.steps = 100
    kernel.spawn(Process(kernel, "p"), "endless", live)
    with pytest.raises(OutOfSteps):
        kernel.run()
    kernel.end()


def test_a_wait_without_end_is_no_reason_to_wait(kernel):
    kernel.spawn(Process(kernel, "p"), "sleeper", lambda: kernel.sleep(FOREVER))
    kernel.run()
    kernel.end()
