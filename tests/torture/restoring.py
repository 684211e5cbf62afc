"""Restoring: a backup taken in the midst of it, and whether it holds what it must."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.torture import commands
from tests.torture.kept import KeptInFolder
from tests.torture.running import Running
from tests.torture.settled import files_wrong, within
from tests.torture.stored import events_in
from tests.torture.story import Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.torture.records import Exchange

HOME = "EXPORT_TASKS_HOME"
TRIES = 30
ACKNOWLEDGED = (("create", 201), ("delete", 204))


@dataclass(slots=True)
class Backup:
    """`backup TO` while everything is struck, `restore FROM` into an empty home at the end.

    `began` is when the one that succeeded was started, `refused` what the others said, `held` how
    many events it held.
    """

    environment: dict[str, str]
    folder: Path
    settle: float
    began: float = 0.0
    seconds: float = 0.0
    place: Path | None = None
    refused: list[str] = field(default_factory=list)
    held: int = 0

    def take(self) -> None:
        """Takes it, as often as it takes; nothing where there is no such command yet."""
        if not commands.exists("backup"):
            return
        for number in range(TRIES):
            place = self.folder / f"backup-{number}"
            self.began = monotonic()
            done = commands.run(self.environment, "backup", str(place), "--with-secret-key")
            self.seconds = monotonic() - self.began
            if done.returncode == 0:
                self.place = place
                return
            self.refused.append(done.stderr.strip()[-300:])

    def wrongs(self, exchanges: list[Exchange]) -> Iterator[str]:
        """What the restored home lacks of what was acknowledged before the backup began."""
        if self.place is None:
            if self.refused:
                yield f"no backup could be taken: {self.refused}"
            return
        home = self.folder / "restored"
        environment = self.environment | {HOME: str(home)}
        done = commands.run(environment, "restore", str(self.place))
        if done.returncode != 0:
            yield f"restore: {done.stderr}"
            return
        story = Story.of(events_in(home))
        self.held = story.judge.heard
        wrongs = [*story.judge.wrongs, *self._lost(exchanges, story)]
        wrongs += files_wrong(KeptInFolder(home / "results"), story)
        wrongs += self._goes_on(environment, home)
        yield from (f"restored: {wrong}" for wrong in wrongs)

    def _lost(self, exchanges: list[Exchange], story: Story) -> Iterator[str]:
        for each in exchanges:
            if each.received >= self.began or (each.kind, each.status) not in ACKNOWLEDGED:
                continue
            task = story.judge.tasks.get(each.task_id)
            if task is None or (each.status == 201 and task.request_id != each.request_id):
                yield f"the acknowledged task {each.task_id} is lost"
            elif each.status == 204 and task.evicted is None:
                yield f"the deleted task {each.task_id} is back"

    def _goes_on(self, environment: dict[str, str], home: Path) -> Iterator[str]:
        """The service goes on from there, and ends what was under way."""
        running = Running(environment, self.folder / "restored.log")
        running.up()
        try:
            within(self.settle, lambda: not Story.of(events_in(home)).unfinished)
        finally:
            code = running.stop()
        story = Story.of(events_in(home))
        yield from story.judge.wrongs
        yield from files_wrong(KeptInFolder(home / "results"), story)
        yield from (f"task {each} has not ended" for each in story.unfinished)
        compared = commands.run(environment, "rebuild", "--compare")
        if code or compared.returncode:
            yield f"stopped with {code}; rebuild --compare: {compared.stdout}{compared.stderr}"

    def document(self) -> dict[str, Any] | None:
        """For the report; None where there is no such command."""
        if self.place is None and not self.refused:
            return None
        taken = {"taken": self.place is not None, "refused": len(self.refused)}
        return {**taken, "seconds": round(self.seconds, 2), "events": self.held}
