"""People: twenty owners of whom one is hot, and the batch tasks that they export."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from exporter.sources.batches import Batches, BatchRefused
from tests.service import Home

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.torture.options import Options

PROJECTS = ("plant-1", "plant-2", "plant-3")
HOT_SHARE = 0.5
"""Of the requests, as many are the hot owner's."""

SIZES = {10: 8, 300: 5, 2_500: 3, 9_000: 2, 100_000: 2}
"""Rows of the batch tasks of each project, ascending, and how often each is exported; those that
are larger than the options say are left out."""

NOWHERE = "0" * 12
REMEMBERED = 80
ROWS_A_TURN = 25


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch task that can be asked for; `app` limits the export to one, `weight` is how often."""

    task_id: str
    weight: int
    app: str | None = None

    def body(self) -> dict[str, Any]:
        """A create's."""
        limited = {"app_type": "APP", "app_id": self.app} if self.app else {}
        condition = {"task_id": self.task_id}
        return {"resource_type": "BatchTask", "resource_condition": condition, **limited}


@dataclass(eq=False)
class Owner:
    """A user of a project, and what its clients remember together."""

    project: str
    user_id: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    batches: list[Batch] = field(repr=False)
    password: str = field(default="", repr=False)
    name: str = ""
    known: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED), repr=False)
    done: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED), repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """As the log names it."""
        return self.project, self.user_id

    @property
    def tasks(self) -> str:
        """The path of its tasks."""
        return f"/v5/iot/{self.project}/export-tasks"

    def batch(self, random: Random) -> Batch:
        """One of them, the small ones more often."""
        weights = [each.weight for each in self.batches]
        return random.choices(self.batches, weights)[0]


class Household(Home):
    """A home with projects, people, batch tasks, and limits that the seed draws."""

    def __init__(self, folder: Path, options: Options, random: Random, **settings: str) -> None:
        self.sizes = {rows: often for rows, often in SIZES.items() if rows <= options.largest}
        super().__init__(
            folder,
            lease=f"{options.lease}s",
            attempts="100",
            sweep_after=f"{options.sweep_after}s",
            workers=str(options.workers),
            exporters=str(options.exporters),
            log_level="debug",
            **settings,
        )
        self.home = folder / "home"
        self.kept = random.choice((8, 20, 50))
        self._limit(5, self.kept, options.interval)
        batches = {project: self._project(project) for project in PROJECTS}
        names = [f"owner-{number}" for number in range(1, options.owners + 1)]
        self.owners = [
            self._owner(name, PROJECTS[number % len(PROJECTS)], batches)
            for number, name in enumerate(names)
        ]
        self.hot, *self.others = self.owners
        self.endless = self._endless()
        self.hot.batches.append(Batch(self.endless, 3))

    @property
    def small(self) -> Batch:
        """The smallest of the hot owner's batch tasks."""
        return self.hot.batches[0]

    @property
    def large(self) -> Batch:
        """The largest."""
        return self.hot.batches[len(self.sizes) - 1]

    def choose(self, random: Random) -> Owner:
        """Whose request is next."""
        if random.random() < HOT_SHARE or not self.others:
            return self.hot
        return random.choice(self.others)

    def run_on(self) -> bool:
        """The endless batch task gets more rows; False where its file refuses."""
        lines = [b'{"target": "device", "status": "Success"}\n'] * ROWS_A_TURN
        try:
            with Batches(f"sqlite:///{self.home / 'source.sqlite'}") as batches:
                batches.append(self.endless, lines)
        except BatchRefused:
            return False
        return True

    def secrets(self) -> list[str]:
        """What must stand readable nowhere."""
        of_owners = [each for owner in self.owners for each in (owner.secret_key, owner.password)]
        return [self.begun["secret_key"], *of_owners]

    def finish(self) -> None:
        """The endless batch task ends."""
        self.run("batch", "finish", self.endless)

    def _limit(self, unfinished: int, kept: int, interval: float) -> None:
        numbers = ("--unfinished", str(unfinished), "--kept", str(kept))
        self.run("limits", "set", *numbers, "--download-interval", f"{interval}s")

    def _project(self, project: str) -> list[Batch]:
        self.run("project", "add", project)
        self.run("app", "add", f"{project}-app", "--project", project, "--default")
        made = [Batch(self._made(project, rows), weight) for rows, weight in self.sizes.items()]
        app = f"{project}-app"
        limited = Batch(self._made(project, 500, "--app", app), 2, app)
        return [*made, limited, Batch(NOWHERE, 1)]

    def _made(self, project: str, rows: int, *more: str) -> str:
        arguments = ("--project", project, "--rows", str(rows), "--json", *more)
        made = json.loads(self.run("batch", "generate", *arguments))
        return str(made["task_id"])

    def _owner(self, name: str, project: str, batches: dict[str, list[Batch]]) -> Owner:
        password = f"{name}'s own {token_hex(8)}"
        arguments = ("--project", project, "--admin", "--password-stdin", "--json")
        made = json.loads(self.run("user", "add", name, *arguments, given=password))
        keys = (made["user_id"], made["access_key"], made["secret_key"])
        return Owner(project, *keys, list(batches[project]), password, name)

    def _endless(self) -> str:
        lines = '{"task_name": "runs on", "status": "Processing"}\n'
        arguments = ("--project", self.hot.project, "--json")
        made = json.loads(self.run("batch", "import", "-", *arguments, given=lines))
        return str(made["task_id"])
