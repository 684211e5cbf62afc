"""Run: a torture of a cluster from beginning to end: load and faults, settling, the verdict."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from random import Random
from secrets import token_urlsafe
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

import psycopg

from tests.cluster.agreement import disagreements
from tests.cluster.chaos import Chaos
from tests.cluster.earlier import earlier
from tests.cluster.plan import planned
from tests.cluster.recovery import hung
from tests.cluster.report import ClusterReport
from tests.cluster.scene import Scene, shared
from tests.cluster.servers import Servers
from tests.cluster.times import times_wrong
from tests.torture.claims import Claims
from tests.torture.clients import Client, Load, list_tasks, show
from tests.torture.clock import Clock
from tests.torture.downloading import download
from tests.torture.kept import KeptInBucket
from tests.torture.once import doubled
from tests.torture.people import NOWHERE, Household
from tests.torture.records import Records
from tests.torture.settled import ends_wrong, files_wrong, unswept, within, workbooks_wrong
from tests.torture.stored import stored_events
from tests.torture.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.node import CommandLine
    from tests.cluster.options import ClusterOptions

RUN_ON_SECONDS = 1.5
SWEEP_WITHIN = 60.0


class ClusterTorture:
    """One run in a folder of its own."""

    def __init__(self, options: ClusterOptions, folder: Path, say: Callable[[str], object]) -> None:
        self.options, self.folder, self.say = options, folder, say
        self.records, self.wrongs = Records(), list[str]()
        self._open = ExitStack()

    def run(self) -> ClusterReport:
        """Everything."""
        with self._open:
            self._begin()
            self._torment()
            self._settle()
            return self._judge()

    def _begin(self) -> None:
        self.say("PostgreSQL and S3 are starting")
        self.servers = self._open.enter_context(Servers(self.folder))
        self.secret = token_urlsafe(32)
        self.say("making people and batch tasks")
        random, settings = (
            Random(f"{self.options.seed} household"),
            shared(self.servers, self.secret),
        )
        self.household = Household(self.folder, self.options, random, **settings)
        self.scene = Scene(
            self.folder,
            self.servers,
            self.household,
            self.options.nodes,
            self.options.source,
            disk=self.options.disk,
            first=self._earlier(),
        )
        if not all(node.disk for node in self.scene.nodes):
            self.say("no small disks can be mounted (root can): none is filled")
        self.kept = KeptInBucket(self.servers.results, self.servers.store.environment())
        self.say(f"{self.options.nodes} nodes are starting")
        self._open.enter_context(self.scene)
        self.ports = [node.port for node in self.scene.nodes]
        clock = Clock(self.folder / "clock")  # the database's, which nobody steps
        self.load = Load(self.household, self.records, clock, self.ports, self.options.seed)

    def _earlier(self) -> CommandLine | None:
        if not self.options.beside:
            return None
        self.say(f"the program of {self.options.beside} is built and installed")
        return earlier(self.options.beside, self.folder / "earlier")

    def _torment(self) -> None:
        faults = planned(self.options, self.options.seconds)
        self.say(f"{self.options.seconds:g} s of load, {len(faults)} faults")
        clients = self.load.run(self.options.clients)
        self.chaos = Chaos(self.scene, self.say)
        self._open.callback(self.chaos.end)
        running_on = Thread(target=self._run_on, daemon=True)
        running_on.start()
        until = monotonic() + self.options.seconds
        under_way = self.chaos.strike(faults)
        self.load.over.wait(max(0.0, until - monotonic()))
        self.chaos.end()
        for each in under_way:
            each.result()
        self._until_first_success()
        self.load.over.set()
        for thread in (*clients, running_on):
            thread.join()

    def _run_on(self) -> None:
        """The endless batch task grows."""
        while not self.load.over.wait(RUN_ON_SECONDS):
            self.household.run_on()
            with suppress(psycopg.OperationalError):
                self.scene.tell_batches()

    def _until_first_success(self) -> None:
        """Load goes on until every node has answered once more."""
        ended = monotonic()
        self.recovered = within(
            self.options.settle,
            lambda: (
                {e.port for e in self.records.exchanges if e.sent > ended and e.status == 200}
                >= set(self.ports)
            ),
        )

    def _settle(self) -> None:
        self.say("settling")
        began = monotonic()
        self.household.finish()
        self.scene.tell_batches()
        within(self.options.settle, lambda: not self._story().unfinished)
        self.settled = monotonic() - began
        self._look_again()
        self._sweep()
        self.stops = self.scene.stop()

    def _look_again(self) -> None:
        """Everybody looks at everything once more, on whichever node, and downloads something."""
        hand = Client(self.load, -1)
        for owner in self.household.owners:
            list_tasks(hand, owner)
            for task_id in list(owner.known)[-3:]:
                show(hand, owner, task_id)
            download(hand, owner)
        hand.hang_up()

    def _sweep(self) -> None:
        """Keepers that are just started sweep at once."""
        sleep(self.options.sweep_after)
        self.scene.stop()
        self.scene.up()
        story = self._story()
        within(SWEEP_WITHIN, lambda: not unswept(self.kept, story))
        self.wrongs += [f"not swept: {name}" for name in unswept(self.kept, story)]

    def _judge(self) -> ClusterReport:
        self.say(f"judging, after settling for {self.settled:.0f} s")
        stored = stored_events(self.servers.events)
        story, exchanges = Story(stored), self.records.exchanges
        contents = (self.kept.content(file.key) for file in story.judge.current.values())
        self.wrongs += self.records.wrongs
        self.wrongs += story.judge.wrongs
        self.wrongs += Claims(exchanges, story).wrongs()
        self.wrongs += doubled(exchanges, story)
        self.wrongs += files_wrong(self.kept, story)
        self.wrongs += workbooks_wrong([each for each in contents if each], story)
        self.wrongs += workbooks_wrong(self.load.samples.values(), story)
        self.wrongs += ends_wrong(story, NOWHERE, self._foreseen())
        self.wrongs += times_wrong(stored)
        self.wrongs += hung(self.chaos.struck, exchanges, self.ports)
        self.wrongs += disagreements(self.scene.nodes, story, stored)
        self.wrongs += self._stopped_wrong()
        return ClusterReport.of(self, story, stored)

    def _foreseen(self) -> set[str]:
        """What may be away for longer than eight tries last."""
        struck = {each.fault.target for each in self.chaos.struck}
        full = any(each.fault.kind == "fill disk" for each in self.chaos.struck)
        stored = {"IOTDA.014710"} if full or "store" in struck else set()
        return stored | ({"IOTDA.014706"} if "database" in struck else set())

    def _stopped_wrong(self) -> list[str]:
        wrongs = [] if self.recovered else ["the nodes did not all answer again"]
        for node in self.scene.nodes:
            if any(code != 0 for code in node.running.stops):
                wrongs.append(f"{node.name}: SIGTERM was answered with {node.running.stops}")
            wrongs += [f"process {pid} outlived its parent" for pid in node.running.left()]
        return wrongs

    def _story(self) -> Story:
        return Story.of(self.servers.events)
