"""World: one schedule: nodes with their processes over shared stores, faults, and what is seen."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import IntegrityError
from eventsourcing.popo import POPOApplicationRecorder

from domain.conditions import OwnerId
from domain.fact import Caller
from domain.journal import Journal
from domain.ledger import Ledger
from domain.refusals import ClaimLost
from exporter.attempt import STOPS
from exporter.failures import PASSING_FAULTS
from exporter.outages import BEGINS, STILL
from exporter.sender import END
from exporter.sources import BatchTask
from tests.facts import NOON
from tests.judge import DIED_TOO_OFTEN, Judge, told
from tests.simulation.kernel import Dead, Kernel, Process
from tests.simulation.node import Node
from tests.simulation.threads import use

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Sequence

    from eventsourcing.persistence import ApplicationRecorder, StoredEvent

    from tests.judge import TaskSeen, Told
    from tests.simulation.options import Options
    from tests.simulation.stores import Spool, Stored
    from tests.simulation.threads import Event

PAUSE_LEASES = 2.0
"""A pause lasts up to so many leases."""

SLOW_SECONDS = 2.0
LATE_SECONDS = 2.0

RENEWING_SECONDS = 1.2
"""A renewal that is due is recorded so soon, where nothing goes wrong."""

FULL_SECONDS = 5.0

APPS = ("a1", "a2", None)

CHANGES_OF_LIMITS = 1000
"""A paused create may go by limits that many changes have replaced since."""


class Broken(BaseException):
    """A rule does not hold; what and when. No part of the product may catch it."""


class World:
    """The installation, its users, and the judge who sees every event as it is stored."""

    def __init__(
        self,
        options: Options,
        log: Callable[[], ApplicationRecorder] = POPOApplicationRecorder,
        tell: Callable[[str], object] | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        self.options, self._new_log, self._tell = options, log, tell
        self.kernel = kernel or Kernel()
        use(self.kernel)
        self.over = False
        self.chance = Random(f"schedule {options.seed}")
        self.product_chance = Random(f"product {options.seed}")
        self.log = log()
        self.judge = self._judge()
        self.situations: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.calls = 0
        self.faulty = bool(options.rates or options.spells)
        self.objects: dict[str, Stored] = {}
        self.spools: dict[str, Spool] = {}
        self.marker: str | None = None
        self.open_files = 0
        self.full_until = 0.0
        self.superseded: dict[str, datetime] = {}
        self.current_history: dict[Any, list[tuple[int, str | None]]] = {}
        self.acked: dict[str, tuple[str, OwnerId]] = {}
        self.deleted_tasks: dict[str, OwnerId] = {}
        self.clients = 0
        self.sha256: dict[str, str] = {}
        self.granted: dict[str, datetime] = {}
        self.undone_requests: dict[str, tuple[str, float]] = {}
        self.exporters: dict[str, tuple[Process, Event]] = {}
        self.unclaimed: set[tuple[Any, Any]] = set()
        self.unheard: set[tuple[int, str]] = set()
        self.backups: list[tuple[int, dict[str, Stored]]] = []
        self.batches = {
            f"b{number}": BatchTask(
                task_id=f"b{number}",
                project_id="p1",
                app_id=APPS[number % len(APPS)],
                task_name="n",
                task_type="t",
                status="Processing" if number == 2 else "Success",
                create_time="2026-11-24T00:00:00.000Z",
                total=options.rows,
            )
            for number in range(options.batches)
        }
        self._rates = list(options.rates.items())
        self._by_kinds: dict[tuple[str, ...], list[tuple[str, float]]] = {}
        self._at: list[float] = []
        self.owners = [OwnerId("p1", f"u{number}") for number in range(options.owners)]
        self.outside = Process(self.kernel, "outside")
        self.nodes = [Node(self, f"n{number}") for number in range(options.nodes)]
        self.requests = 0

    def _judge(self) -> Judge:
        return Judge(
            behind=CHANGES_OF_LIMITS,
            crashes_allowed=self.options.attempts,
            faults_allowed=PASSING_FAULTS,
            resumable=self.options.resumable,
        )

    # Time

    def true_time(self) -> datetime:
        """The time that nobody in the simulation sees."""
        return NOON + timedelta(seconds=self.kernel.now)

    # Calls of stores

    def call(self, process: Process, what: str, kinds: tuple[str, ...]) -> str | None:
        """A call on its way to a store; which of `kinds` of faults it meets, or none.

        Raises:
            Dead: the process died on the way.
        """
        self.calls += 1
        self.kernel.sleep(self.chance.random() * self.options.latency)
        if process.dead:
            raise Dead
        if not self.faulty:
            return None
        if self.kernel.now < self.full_until and "disk full" in kinds:
            self.faults["disk full"] += 1
            process.troubled = self.kernel.now
            return "disk full"
        fault = self._fault((*kinds, "death before", "pause", "slow answer"))
        if fault is None:
            return None
        self.faults[fault] += 1
        process.troubled = self.kernel.now
        if self._tell:
            self.tell(f"{process.name}: {what}: {fault}")
        if fault == "death before":
            self.die(process)
        elif fault == "pause":
            process.freeze(self.chance.random() * PAUSE_LEASES * self.options.lease)
            self.kernel.sleep(0.0)
        elif fault == "slow answer":
            process.troubled += SLOW_SECONDS
            self.kernel.sleep(self.chance.random() * SLOW_SECONDS)
        elif fault == "disk full":
            self.full_until = self.kernel.now + self.chance.random() * FULL_SECONDS
            return fault
        else:
            return fault
        return None

    def undone(self, process: Process, fault: str, stored: Sequence[StoredEvent]) -> None:
        """What was asked is done, and nobody hears of it."""
        for event in stored:
            heard = told(event)
            self.undone_requests[heard.fields["request_id"]] = fault, self.kernel.now
            self._may_be_unclaimed([heard])
            if heard.topic == "task.completed" and fault != "death after":
                self.met("a completion's answer is lost")
                self.unheard.add((heard.fields["attempt"], heard.fields["file"][:24]))
        if fault == "death after":
            self.die(process)

    def tear(self) -> None:
        """A transaction of read tables is about to be committed: or its process dies in it."""
        if self.strikes("torn page"):
            actor = self.kernel.current
            assert actor
            self.die(actor.process)

    def strikes(self, fault: str) -> bool:
        """Does a fault come that is not one of a call of a store?"""
        rate = self.options.rates.get(fault, 0.0)
        if not self.faulty or not rate or self.chance.random() >= rate:
            return False
        self.faults[fault] += 1
        self.tell(fault)
        return True

    def die(self, process: Process) -> None:
        """The process dies, in the midst of what it does."""
        process.kill()
        raise Dead

    def _fault(self, kinds: tuple[str, ...]) -> str | None:
        rates = self._by_kinds.get(kinds)
        if rates is None:
            rates = [(name, rate) for name, rate in self._rates if name in kinds]
            self._by_kinds[kinds] = rates
        drawn = self.chance.random()
        for name, rate in rates:
            drawn -= rate
            if drawn < 0:
                return name
        return None

    # What is seen

    def met(self, situation: str) -> None:
        """A situation that the log alone does not show."""
        self.situations[situation] += 1

    def said(self, record: logging.LogRecord) -> None:
        """What an exporter or a keeper logs."""
        message, arguments = record.msg, record.args or (None,)
        self.situations[f"said: {message}"] += 1
        if record.exc_info:
            raise Broken(f"an exporter is surprised: {message}: {record.exc_info[1]!r}")
        keys = getattr(record, "keys", {})
        attempt = keys.get("attempt"), keys.get("task")
        if message in (BEGINS, STILL) and arguments[0] == END:
            self.unheard.discard(attempt)  # it may be on record, and it could not look
        if message == STOPS:
            if isinstance(arguments[0], ClaimLost):
                self.met("a woken zombie is refused")
            if attempt in self.unheard:
                raise Broken("attempt {} of {} completed it, and does not know".format(*attempt))

    @property
    def telling(self) -> bool:
        """Does anybody listen to the story?"""
        return self._tell is not None

    def tell(self, text: str) -> None:
        """A line of the story."""
        if self._tell:
            self._tell(f"{self.kernel.now:10.4f}  {text}")

    def hear(self, stored: Sequence[StoredEvent]) -> None:
        """Events are in the log, this moment."""
        for event in stored:
            self._hear(event, self.kernel.now)
            if event.topic == "task.completed":
                self._must_be_stored(told(event).fields["file"])
        if self.judge.wrongs:
            raise Broken("; ".join(self.judge.wrongs))

    def must_have_opened(self, stored: Sequence[StoredEvent]) -> None:
        """The downloads just granted were looked into before."""
        if not self.open_files and any(each.topic == "downloads.granted" for each in stored):
            raise Broken("a download is granted whose file was not opened")

    def land_late(self, stored: Sequence[StoredEvent]) -> None:
        """An append is still on its way when its writer hears of a failure."""
        log = self.log

        def land() -> None:
            self.kernel.sleep(self.chance.random() * LATE_SECONDS)
            if log is not self.log:
                return None
            try:
                log.insert_events(stored)
            except IntegrityError:
                return self.met("what would land late meets a conflict")
            self.met("an append lands late")
            self._may_be_unclaimed(map(told, stored))
            return self.hear(stored)

        self.kernel.spawn(self.outside, "late append", land)

    def _may_be_unclaimed(self, told: Iterable[Told]) -> None:
        """If these are claims, it may be that nobody knows of them, and works on the tasks."""
        self.unclaimed |= {(e.fields.get("attempt"), e.fields.get("exporter")) for e in told}

    def _hear(self, event: StoredEvent, at: float) -> None:
        heard = told(event)
        judge = self.judge
        if heard.topic in ("task.progressed", "task.failed"):
            self._lost_only_by_the_silent(judge._of_stream.get(heard.stream), heard)
        judge.hear(heard, at)
        self._at.append(at)
        if self._tell:
            self.tell(f"event {judge.heard}: {heard.topic} {_brief(heard.fields)}")
        if heard.topic == "task.completed":
            self.sha256[heard.fields["file"]] = heard.fields["sha256"]
            self.superseded[heard.fields["file"]] = heard.fields["timestamp"]
        if heard.topic in ("task.completed", "task.evicted"):
            self._current_may_change(heard.stream, heard.fields["timestamp"])
        if heard.topic == "downloads.granted":
            self.granted[heard.fields["request_id"]] = heard.fields["timestamp"]

    def _lost_only_by_the_silent(self, task: TaskSeen | None, heard: Told) -> None:
        """A lease is lost by the dead and the troubled: whoever is neither renews it in time."""
        if task is None or task.held is None or task.last_at is None:
            return
        if (heard.fields["attempt"], heard.fields["exporter"]) == task.held and (
            heard.topic == "task.progressed" or heard.fields["code"] != DIED_TOO_OFTEN
        ):
            return
        process, stop = self.exporters.get(task.held[1], (None, None))
        if process is None or process.dead or (stop and stop.is_set()):
            return
        if task.held in self.unclaimed:
            return
        renewed = max(process.troubled, task.last_at) + task.lease / 4 + RENEWING_SECONDS
        if renewed < self.kernel.now:
            raise Broken(f"{process.name} has lost task {task.task_id}, and was well")

    def _current_may_change(self, stream: str, at: datetime) -> None:
        judge = self.judge
        conditions = judge._of_stream[stream].conditions
        file = judge.current.get(conditions)
        history = self.current_history.setdefault(conditions, [(0, None)])
        before, after = history[-1][1], file.key if file else None
        if before != after:
            history.append((judge.heard, after))
            if before:
                self.superseded[before] = at

    def _must_be_stored(self, key: str) -> None:
        stored = self.objects.get(key)
        if stored is None:
            raise Broken(f"{key} is a result, and is not in the store")
        if stored.sha256 != self.sha256[key]:
            raise Broken(f"{key} is a result, and has other bytes in the store")

    def deleted(self, key: str) -> None:
        """A result is deleted; may it be?"""
        if any(file.key == key for file in self.judge.current.values()):
            raise Broken(f"{key} is deleted, which is current")
        task = self._over(key)
        if task.file and task.file.key == key and not task.evicted:
            self._may_go(key)
        else:
            self.met("a dead file is swept")
        del self.objects[key]

    def spool_deleted(self, key: str, process: Process) -> None:
        """A spool is deleted; may it be?"""
        spool = self.spools.pop(key, None)
        if spool and spool.process is not process:
            self._over(key)
            self.met("a dead spool is swept")

    def _over(self, key: str) -> TaskSeen:
        """The task of a file that is deleted: the file's attempt must be over."""
        task = self.judge.tasks.get(key.partition("/")[0])
        if task is None:
            raise Broken(f"{key} is deleted, whose task the log does not know")
        attempt = int(key.partition("/")[2].partition("-")[0])
        if task.status == "Processing" and not task.evicted and attempt >= task.attempt:
            raise Broken(f"{key} is deleted, whose attempt may still complete")
        return task

    def _may_go(self, key: str) -> None:
        self.met("a superseded file is swept")
        age = (self.true_time() - self.superseded[key]).total_seconds()
        if self.options.skew == 0.0 and age < self.options.sweep_after:
            raise Broken(f"{key} is deleted {age} s after it was superseded")

    # Restored backups

    def back_up(self) -> None:
        """A copy of the log, then of the files."""
        self.backups.append((self.log.max_notification_id() or 0, dict(self.objects)))

    def restore(self, count: int, objects: dict[str, Stored]) -> None:
        """An older backup is put back, as `restore` does, and everything started again.

        Newer files may be left beside those of the backup.
        """
        for node in self.nodes:
            node.kill()
        events = self.log.select_notifications(1, count)
        times = self._at[:count]
        self.release()
        self.log, self.judge = self._new_log(), self._judge()
        self._at, self.current_history, self.superseded = [], {}, {}
        if events:
            self.log.insert_events(events)
        for event, at in zip(events, times, strict=True):
            self._hear(event, at)
        self.objects, self.spools = dict(objects), {}
        for file in self.judge.current.values():
            self._must_be_stored(file.key)
        self.exporters.clear()
        self.unheard.clear()
        self.undone_requests.clear()
        self.backups = [each for each in self.backups if each[0] <= count]
        tasks = self.judge.tasks
        self.acked = {k: v for k, v in self.acked.items() if v[0] in tasks}
        self.deleted_tasks = {k: v for k, v in self.deleted_tasks.items() if tasks_gone(tasks, k)}
        journal = self.journal(Direct(self), self.true_time)
        Ledger(journal).begin_anew(count, self.operator())

    # Parts

    def journal(self, recorder: Any, clock: Callable[[], datetime]) -> Journal:
        """A journal with the schedule's time, chance and waiting."""
        return Journal(recorder, clock=clock, chance=self.product_chance, pause=self.kernel.sleep)

    def operator(self) -> Caller:
        """An operator's request."""
        return Caller("system", self.request_id())

    def request_id(self) -> str:
        """A request's own id."""
        self.requests += 1
        return f"r{self.requests}"

    def nonce(self) -> str:
        """What tells attempts' keys apart."""
        return f"{self.product_chance.getrandbits(64):016x}"

    def release(self) -> None:
        """Lets go of what the log holds on the disk, if it does."""
        getattr(self.log, "release", lambda: None)()

    def digest(self) -> str:
        """What the log holds, as one number: equal for equal logs."""
        found = hashlib.sha256()
        for event in self.log.select_notifications(1, 1_000_000):
            found.update(f"{event.originator_id}{event.originator_version}{event.topic}".encode())
            found.update(event.state)
        return found.hexdigest()


def tasks_gone(tasks: dict[str, Any], task_id: str) -> bool:
    """Is the task known, and removed?"""
    return task_id in tasks and tasks[task_id].evicted is not None


class Direct:
    """The event log without the network: what an operator's command does on a stopped service."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.select_events = world.log.select_events

    def insert_events(self, stored: Sequence[StoredEvent]) -> None:
        self._world.log.insert_events(stored)
        self._world.hear(stored)


def _brief(fields: dict[str, Any]) -> str:
    left = {k: v for k, v in fields.items() if k not in ("key", "address", "timestamp")}
    return " ".join(f"{name}={value}" for name, value in left.items())
