"""Run: a torture from beginning to end: load and blows, a quiet while, settling, the verdict."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.torture import commands
from tests.torture.chaos import Chaos
from tests.torture.claims import Claims
from tests.torture.clients import Client, Load, list_tasks, show
from tests.torture.clock import Clock
from tests.torture.disk import Disk
from tests.torture.downloading import download
from tests.torture.fairness import Shares, measured
from tests.torture.kept import KeptInFolder
from tests.torture.leaks import KEY_FILE, leaks
from tests.torture.people import NOWHERE, Household
from tests.torture.records import Records
from tests.torture.report import Report
from tests.torture.restoring import Backup
from tests.torture.running import Running
from tests.torture.settled import ends_wrong, files_wrong, unswept, within, workbooks_wrong
from tests.torture.started import CLOCK
from tests.torture.stored import events_in
from tests.torture.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.torture.options import Options

RUN_ON_SECONDS = 1.5
SWEEP_WITHIN = 60.0
HANDED_BACK = 4
"""Large exports that the stop after the quiet while should find at work."""


class Torture:
    """One run in a folder of its own."""

    def __init__(self, options: Options, folder: Path, say: Callable[[str], object]) -> None:
        self.options, self.folder, self.say = options, folder, say
        self.records, self.wrongs = Records(), list[str]()
        self._open = ExitStack()
        self.clock = Clock(folder / "clock")
        self.disk = Disk(folder / "small", options.disk)

    def run(self, keep: bool) -> Report:
        """Everything; with `keep` the home stays, in the folder `kept`."""
        self._open.callback(lambda: self.disk.close(self.folder / "kept" if keep else None))
        with self._open:
            self._begin()
            self._torment()
            shares = self._quiet()
            self._stop_in_mid_export()
            self._settle()
            return self._judge(shares)

    def _begin(self) -> None:
        self.say("making people and batch tasks")
        random = Random(f"{self.options.seed} household")
        self.household = Household(self.disk.home, self.options, random)
        special = {CLOCK: str(self.folder / "clock"), **self.disk.environment}
        self.household.environment |= special
        self.kept = KeptInFolder(self.household.home / "results")
        self.running = Running(self.household.environment, self.folder / "log")
        self._open.callback(self.running.kill_all)
        self.say("starting")
        self.running.up()
        household, port, seed = self.household, self.running.port, self.options.seed
        self.load = Load(household, self.records, self.clock, [port], seed)
        self.hand = Client(self.load, -1)

    def _torment(self) -> None:
        seconds = self.options.seconds - self.options.quiet
        self.say(f"{seconds:g} s of load and blows; the disk is a {self.disk.kind}")
        clients = self.load.run(self.options.clients)
        self.chaos = Chaos(self.options, self.running, self.disk, self.clock)
        self.backup = Backup(self.household.environment, self.folder, self.options.settle)
        self.chaos.start()
        self._open.callback(self.chaos.leave)
        self._pass(seconds / 2)
        backing_up = Thread(target=self.backup.take, daemon=True)
        backing_up.start()
        self._pass(seconds / 2)
        self.chaos.end()
        backing_up.join()
        self.load.over.set()
        for client in clients:
            client.join()
        self.clock.set(max(0.0, self.chaos.furthest))

    def _pass(self, seconds: float) -> None:
        """Time passes; the endless batch task grows."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and not self.chaos.error:
            self.household.run_on()
            self.chaos.over.wait(min(RUN_ON_SECONDS, left))

    def _quiet(self) -> Shares:
        self.say(f"{self.options.quiet:g} s without blows, all for the hot owner")
        self._command("limits", "set", "--unfinished", "50", "--kept", "50")
        return measured(self.load, self.running, self.options.quiet, self.options.workers)

    def _stop_in_mid_export(self) -> None:
        """SIGTERM: exit 0, and nothing is held any more."""
        hot, large = self.household.hot, self.household.large
        for _ in range(HANDED_BACK):
            exchange, answer = self.hand.ask("create", hot, "POST", hot.tasks, body=large.body())
            if answer is not None and answer.status == 201:
                exchange.task_id = answer.document["export_task_id"]
        within(5.0, lambda: bool(self._story().held))
        self.running.stop()
        self.wrongs += [f"task {each} was not handed back" for each in self._story().held]

    def _settle(self) -> None:
        self.say("settling")
        began = monotonic()
        self.household.finish()
        self.running.up()
        within(self.options.settle, lambda: not self._story().unfinished)
        self.settled = monotonic() - began
        self._look_again()
        self.running.stop()
        self._sweep()
        if any(code != 0 for code in self.running.stops):
            self.wrongs.append(f"SIGTERM was answered with {self.running.stops}")
        self.wrongs += [f"process {pid} outlived its parent" for pid in self.running.left()]

    def _look_again(self) -> None:
        """Everybody looks at everything once more, and downloads something."""
        for owner in self.household.owners:
            list_tasks(self.hand, owner)
            for task_id in list(owner.known)[-5:]:
                show(self.hand, owner, task_id)
            download(self.hand, owner)

    def _sweep(self) -> None:
        """The clock is stepped beyond what superseded files stay; a new keeper sweeps at once."""
        self.clock.set(self.clock.off + self.options.sweep_after + 1)
        self.running.up()
        story = self._story()
        within(SWEEP_WITHIN, lambda: not unswept(self.kept, story))
        self.wrongs += [f"not swept: {name}" for name in unswept(self.kept, story)]
        self.running.stop()

    def _judge(self, shares: Shares) -> Report:
        self.say(f"judging, after settling for {self.settled:.0f} s")
        story = self._story()
        self.wrongs += self.records.wrongs
        self.wrongs += story.judge.wrongs
        self.wrongs += Claims(self.records.exchanges, story).wrongs()
        self.wrongs += files_wrong(self.kept, story)
        self.wrongs += workbooks_wrong(self.load.samples.values(), story)
        self.wrongs += ends_wrong(story, NOWHERE, self._foreseen())
        self.wrongs += shares.wrongs()
        self.wrongs += self._read_tables()
        secrets = [*self.household.secrets(), *self.load.tokens]
        own = (self.household.home / KEY_FILE).read_text()
        self.wrongs += leaks(self.folder, secrets, own, but=self.disk.image)
        self.wrongs += self.backup.wrongs(self.records.exchanges)
        return Report.of(self, story, shares)

    def _foreseen(self) -> set[str]:
        """A disk that is full again and again may be so whenever a file is to be stored."""
        return {"IOTDA.014710"} if self.chaos.blows["disk"] else set()

    def _read_tables(self) -> list[str]:
        done = commands.run(self.household.environment, "rebuild", "--compare")
        return [] if done.returncode == 0 else [f"rebuild --compare: {done.stdout}{done.stderr}"]

    def _command(self, *arguments: str) -> None:
        commands.insist(self.household.environment, *arguments)

    def _story(self) -> Story:
        return Story.of(events_in(self.household.home))

    def document(self) -> dict[str, Any]:
        """What the report needs of the run itself."""
        return {
            "options": self.options.document(),
            "disk": self.disk.kind,
            "kept_limit": self.household.kept,
            "starts": self.running.starts,
            "settled_seconds": round(self.settled, 1),
        }
