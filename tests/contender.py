"""One of several processes that all act for one owner: `python -m tests.contender SEED URL`."""

from __future__ import annotations

import sys
from random import Random

from domain.commands import GrantDownload
from domain.journal import Journal
from domain.ledger import Ledger
from domain.refusals import Refusal
from projections.log import open_log
from tests.facts import ANN, Story

ROUNDS = 60


def main(seed: int, url: str) -> None:
    """Creates, completes, deletes and downloads at random, and prints what was refused."""
    log = open_log(url)
    story = Story(log.recorder, seed)
    story.journal = Journal(log.recorder, turns=log.turns)
    story.ledger = Ledger(story.journal)
    story.requests = seed * 1_000_000
    chance, tasks, files = Random(seed), [], []

    def finish() -> None:
        task = tasks.pop()
        files.append((task, story.complete(task, exporter=f"e{seed}")))

    def download() -> None:
        task, file = files[-1]
        caller = story.caller()
        story.ledger.grant_download(GrantDownload(ANN, task.task_id, file.key, "e", caller))

    def act() -> None:
        what = chance.random()
        if what < 0.1 and tasks:
            story.delete(tasks.pop())
        elif what < 0.4 and tasks:
            finish()
        else:
            tasks.append(story.create(batch=f"{story.requests:x}"))
            if files:
                download()

    for _ in range(ROUNDS):
        try:
            act()
        except Refusal as refusal:
            print(type(refusal).__name__)
            if tasks and chance.random() < 0.5:
                _tried(finish)


def _tried(act) -> None:
    try:
        act()
    except Refusal as refusal:
        print(type(refusal).__name__)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
