"""A sealed log, bundles and receipts of it, and their verifier run as a stranger runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from api.audit.bundle import bundle
from api.audit.given import read_given
from api.audit.receipt import receipt
from api.audit.stored import open_events
from projections.log import open_log
from tests.facts import ANN, BEN, OPERATOR, Story
from tests.meddling import alter
from tests.sealed import seal

if TYPE_CHECKING:
    from pathlib import Path

SOUND, CHANGED, CANNOT_TELL = 0, 3, 4
ALONE = ("-I", "-S")
"""An interpreter with its standard library and nothing else: signatures are checked by openssl."""


class House:
    """A sealed log of two owners, and what is made of it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.place, self.url = folder, folder / "audit", url
        self.log = open_log(self.url)
        self.story = Story(self.log.recorder)
        self.story.ledger.begin(OPERATOR)
        self.of_ann = self.completed(ANN)
        self.of_ben = self.completed(BEN)
        self.note = seal(self.url, self.place)

    def completed(self, owner=ANN) -> str:
        """A completed task's id."""
        task = self.story.create(owner)
        self.story.complete(task)
        self.story.clock.pass_by(seconds=60)
        return task.task_id

    def bundle(self, name="bundle", **wanted: str) -> Path:
        """A bundle in a folder of its own."""
        self.made = bundle(self.url, self.place, self.folder / name, wanted)
        return self.folder / name

    def receipt(self, task: str, /, **wrong) -> dict:
        """A receipt, with something in it changed."""
        given = read_given([self.place / "checkpoints"], [str(self.place / "keys")])
        with open_events(self.url) as events:
            return json.loads(receipt(events, task, given.sealed)) | wrong

    def change(self, sql: str, *values: object) -> None:
        """What somebody does to the store."""
        alter(self.url, sql, values=values)


def run(folder: Path, *arguments: str, python=("-I",), path: str | None = None):
    """Runs a bundle's verify.py as a stranger does: its exit code and its words."""
    command = [sys.executable, *python, "verify.py", *arguments]
    environment = {} if path is None else {"PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=environment or None, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout
