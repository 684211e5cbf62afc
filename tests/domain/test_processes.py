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


def test_no_schedule_of_processes_breaks_a_rule(events_url):
    log = open_log(events_url)
    story = Story(log.recorder)
    story.limits(3, 8, 0.2)
    command = [sys.executable, "-m", "tests.contender"]
    running = [
        subprocess.Popen(
            [*command, str(seed), events_url], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        for seed in range(PROCESSES)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    assert verdict(log.recorder.select_notifications(None, 100_000)) == []
    told = story.told()
    assert told.count("task.created") > 10
    assert told.count("task.evicted") > 0
    assert "UnfinishedLimitReached" in "".join(said)
    assert "DownloadTooSoon" in "".join(said)
    log.close()
