"""The rules hold over several processes that share an event store, by its version check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from projections.log import open_log
from tests.facts import Story
from tests.judge import verdict

ROOT = Path(__file__).parents[2]
PROCESSES = 4


def test_no_schedule_of_processes_breaks_a_rule(tmp_path):
    url = f"sqlite:///{tmp_path}/events.sqlite"
    log = open_log(url)
    story = Story(log.recorder)
    story.limits(3, 8, 0.2)
    command = [sys.executable, "-m", "tests.contender"]
    running = [
        subprocess.Popen([*command, str(seed), url], stdout=subprocess.PIPE, cwd=ROOT, text=True)
        for seed in range(PROCESSES)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    events = story.events()
    assert verdict(events) == []
    told = [event.TOPIC for event in events]
    assert told.count("task.created") > 30
    assert told.count("task.evicted") > 0
    assert "UnfinishedLimitReached" in "".join(said)
    assert "DownloadTooSoon" in "".join(said)
    log.close()


def test_the_judge_can_find_fault(story):
    story.limits(2, 2, 30)
    tasks = [story.create(), story.create()]
    story.complete(tasks[0])
    story.grant(tasks[0])
    assert verdict(story.events()) == []
    story.limits(1, 1, 30)
    story.limits(2, 2, 0)
    story.create()
    events = [event for event in story.events() if event.TOPIC != "task.evicted"]
    assert verdict(events) == [f"task.created {events[-1].originator_id}: 3 kept"]
