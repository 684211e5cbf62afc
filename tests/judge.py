"""Judge: reads an event log and says at every prefix which rules it breaks, by folds of its own.

It shares no code with the product: it knows topics and fields, as an auditor does. Sections are
the contract's. It cannot see what was refused, nor what somebody was told: that is for others.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from msgspec import json

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")
OwnerKey = tuple[str, str]
Conditions = tuple[str | None, ...]
Fields = dict[str, Any]

TOLERANCE = 1e-6
"""Seconds by which a true time may be rounded."""

TASK_ID = re.compile(r"[0-9a-f]{24}")
BEFORE_ALL = "0" * 24
DIED_TOO_OFTEN = "IOTDA.014709"
MAY_PASS = ("IOTDA.014706", "IOTDA.014710")
CODES = {f"IOTDA.0147{number:02}" for number in range(5, 11)} | {"IOTDA.000001"}
RESUMABLE = 600.0
RESUMABLE_MOST = 50

SITUATIONS = (
    *("created", "all slots in use", "several evicted by one create", "owner closed"),
    *(f"kept limit evicts a {state} task" for state in ("finished", "running", "waiting")),
    *("deleted when finished", "deleted while running", "deleted while waiting"),
    *("claimed", "taken over after a lease", "taken up after a hand-back"),
    *("handed back at a stop", "handed back for a fault", "died too often", "completed"),
    *("an older task completes after a newer one", "the last success removed"),
    *("a file replaced for the same conditions", "download granted"),
    *(f"failed with {code}" for code in sorted(CODES)),
    *("limits changed", "log begun anew", "a timestamp held back"),
)
"""Everything that `Judge.situations` counts."""

OF_PROJECTS = ("added", "app_added", "app_removed", "joined", "left", "removed")
OF_USERS = ("added", "granted", "withdrawn", "password_set", "key_added", "key_revoked", "removed")
OF_USERS += ("operator_set",)
ACCESS = {*(f"project.{each}" for each in OF_PROJECTS), *(f"user.{each}" for each in OF_USERS)}
"""Who may do what is not judged here, only that it is told in order."""

CONDITIONS = ("resource_type", "resource_condition", "export_format", "app_type", "scope")
ADMISSION = ("task_id", "request_id", "project_id", "user_id")
CLEARING = {"task.evicted", "owner.admitted", "owner.released", "owner.closed"}
ONCE_A_REQUEST = {*CLEARING, "downloads.granted", "task.created", "task.progressed"}
ONCE_A_REQUEST |= {"task.completed", "task.failed"}


class Told(NamedTuple):
    """An event as an auditor reads it; `stream` as hexadecimal digits."""

    topic: str
    stream: str
    version: int
    fields: Fields


def told(stored: Any) -> Told:
    """What a stored event or a notification of the library says."""
    fields = json.decode(stored.state)
    fields["timestamp"] = datetime.fromisoformat(fields["timestamp"]["_data_"])
    stream = stored.originator_id
    name = stream.replace("-", "") if isinstance(stream, str) else stream.hex
    return Told(stored.topic, name, stored.originator_version, fields)


def verdict(stored_events: Iterable[Any], **settings: Any) -> list[str]:
    """What is wrong with a whole log at rest; empty where every prefix of it keeps the rules."""
    judge = Judge(**settings)
    for stored in stored_events:
        judge.hear(told(stored))
    judge.rest()
    return judge.wrongs


def between(history: list[tuple[int, T]], first: int, last: int) -> list[T]:
    """What was so after `first` events, and after each more up to `last`; changes alone."""
    start = max(0, bisect_right(history, first, key=itemgetter(0)) - 1)
    return [what for number, what in history[start:] if number <= last]


class FileSeen(NamedTuple):
    """A file that a task completed with."""

    task_id: str
    key: str
    size: int
    sha256: str
    rows: int


class Numbers(NamedTuple):
    """The rules' numbers."""

    unfinished: int = 5
    kept: int = 50
    download_interval: float = 30.0


class LimitsSeen:
    """The numbers in force, and in `history` since how many events heard each was."""

    unfinished = property(lambda self: self.history[-1][1].unfinished)
    kept = property(lambda self: self.history[-1][1].kept)
    download_interval = property(lambda self: self.history[-1][1].download_interval)

    def __init__(self) -> None:
        self.history: list[tuple[int, Numbers]] = [(0, Numbers())]

    def lately(self, behind: int) -> list[Numbers]:
        """Those in force, and those replaced by the last `behind` changes."""
        return [numbers for _, numbers in self.history[-1 - behind :]]


@dataclass(slots=True, eq=False)
class OwnerSeen:
    """An owner's tasks, earliest first; histories tell since how many events heard it was so.

    `last_grant` is as recorded, `last_grant_at` the true time, `grants` the last time by ETag.
    """

    key: OwnerKey
    kept: list[str] = field(default_factory=list)
    unfinished: set[str] = field(default_factory=set)
    last_id: str = BEFORE_ALL
    last_grant: datetime | None = None
    last_grant_at: float | None = None
    grants: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    history: list[tuple[int, tuple[str, ...]]] = field(default_factory=lambda: [(0, ())])
    slots: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])

    def kept_between(self, first: int, last: int) -> list[tuple[str, ...]]:
        """The tasks kept, at each prefix of `first` to `last` events."""
        return between(self.history, first, last)

    def most_unfinished_between(self, first: int, last: int) -> int:
        """The most slots in use at any prefix of `first` to `last` events."""
        return max(between(self.slots, first, last))

    def least_unfinished_between(self, first: int, last: int) -> int:
        """The fewest slots in use at any prefix of `first` to `last` events."""
        return min(between(self.slots, first, last))


@dataclass(slots=True, eq=False)
class TaskSeen:
    """A task. `status` stays as it was when it is evicted; `last_at` is a true time.

    `evicted` is the reason, `evicted_by` the task that needed the place, or who deleted it;
    `evicted_at` after how many events heard. `conditions` begin with the owner.
    """

    task_id: str
    owner: OwnerKey
    conditions: Conditions
    request_id: str
    created_at: datetime
    statuses: list[tuple[int, str]] = field(default_factory=list)
    status: str = "Processing"
    evicted: str | None = None
    evicted_by: str | None = None
    evicted_at: int | None = None
    held: tuple[int, str] | None = None
    attempt: int = 0
    exporter: str = ""
    lease: float = 0.0
    wait: float = 0.0
    last_at: float | None = None
    version: int = 1
    crashes: int = 0
    faults: int = 0
    rows: int = 0
    total: int | None = None
    percent: int = 1
    code: str | None = None
    file: FileSeen | None = None

    @property
    def state(self) -> str:
        """As situations word it."""
        if self.status != "Processing":
            return "finished"
        return "running" if self.held else "waiting"


@dataclass(slots=True, eq=False)
class StreamSeen:
    """How far a stream has come, and which requests it has heard."""

    version: int = 0
    timestamp: datetime | None = None
    requests: set[str] = field(default_factory=set)


class Judge:
    """Hears a log event by event, from its beginning.

    Limits are read before the append that they judge, so a create or a grant may go by older
    ones: by those that the last `behind` changes replaced, no older. A claim while
    `crashes_allowed` leases were lost, or a task failed for fewer, is wrong where that is given;
    so is one failed for what may pass, after fewer than `faults_allowed` faults. A download of
    the last `resumable` seconds may be resumed.
    """

    def __init__(
        self,
        *,
        behind: int = 1,
        crashes_allowed: int | None = None,
        faults_allowed: int | None = None,
        resumable: float = RESUMABLE,
    ) -> None:
        self.wrongs: list[str] = []
        self.heard = 0
        self.situations: Counter[str] = Counter()
        self.owners: dict[OwnerKey, OwnerSeen] = {}
        self.tasks: dict[str, TaskSeen] = {}
        self.current: dict[Conditions, FileSeen] = {}
        self.requests: dict[str, str] = {}
        self.limits = LimitsSeen()
        self.incarnations: list[str] = []
        self._behind, self._crashes_allowed = behind, crashes_allowed
        self._faults_allowed, self._resumable = faults_allowed, resumable
        self._topic = ""  # of the event being heard, as its true time:
        self._at: float | None = None
        self._streams: defaultdict[str, StreamSeen] = defaultdict(StreamSeen)
        self._homes: dict[tuple[str, ...], str] = {}
        self._of_stream: dict[str, TaskSeen] = {}
        self._successes: defaultdict[Conditions, set[str]] = defaultdict(set)
        self._ever_current: defaultdict[Conditions, set[str]] = defaultdict(set)
        self._keys: set[str] = set()
        self._counts: dict[tuple[str, ...], int] = {}
        self._leaving: list[TaskSeen] = []  # evicted, and not cleared by their owner yet
        self._admitted: Fields | None = None  # not created yet
        self._of_tasks = {
            "task.progressed": self._progressed,
            "task.completed": self._completed,
            "task.failed": self._failed,
            "task.evicted": self._evicted,
        }
        self._of_others = {
            "log.begun": self._begun,
            "limits.set": self._limits_set,
            "refused.counted": self._refused,
            "owner.admitted": self._admission,
            "owner.released": self._released,
            "owner.closed": self._closed,
            "task.created": self._created,
            "downloads.granted": self._granted,
        }

    def hear(self, event: Told, at: float | None = None) -> None:
        """Takes the log's next event; `at` is the true time, in seconds, at which it was stored."""
        topic, stream, version, fields = event
        self.heard += 1
        self._topic, self._at = topic, at
        self._in_order(event)
        self._appended_whole(topic)
        if topic in self._of_others:
            self._of_others[topic](event)
        elif topic not in self._of_tasks:
            self._must(topic in ACCESS, "there is no such event")
        elif task := self._of_stream.get(stream):
            self._of_tasks[topic](task, fields)
            task.version, task.last_at = version, at
        else:
            self._must(False, "of a task that was never created")

    def rest(self) -> None:
        """The log goes on no further for now: nothing may be said by half."""
        self._topic = "the end"
        self._appended_whole("")

    def _must(self, holds: bool, wrong: str, *about: object) -> None:
        if not holds:
            self.wrongs.append(f"event {self.heard}, {self._topic}: {wrong.format(*about)}")

    def _met(self, situation: str, really: bool = True) -> None:
        if really:
            self.situations[situation] += 1

    # Of every event

    def _in_order(self, event: Told) -> None:
        topic, name, version, fields = event
        stream, timestamp, request = self._streams[name], fields["timestamp"], fields["request_id"]
        self._must(version == stream.version + 1, "version {} after {}", version, stream.version)
        if stream.timestamp:
            self._must(timestamp >= stream.timestamp, "timed before the one before in its stream")
            self._met("a timestamp held back", timestamp == stream.timestamp)
        if topic in ONCE_A_REQUEST:
            self._must(request not in stream.requests, "the request {} said so before", request)
            stream.requests.add(request)
        stream.version, stream.timestamp = version, timestamp

    def _appended_whole(self, topic: str) -> None:
        """A create is `Evicted` as needed, `Admitted`, `Created`; a removal names its owner."""
        if self._admitted and topic != "task.created":
            self._must(False, "section 2.3: after an admission without its task")
            self._admitted = None
        if self._leaving and topic not in CLEARING:
            self._must(False, "section 2.3: after an eviction without its owner's event")
            self._leaving = []

    def _at_home(self, stream: str, *name: str) -> None:
        home = self._homes.setdefault(name, stream)
        self._must(home == stream, "what should stand in one stream stands in two")

    # The log and its numbers

    def _begun(self, event: Told) -> None:
        self._at_home(event.stream, "log")
        incarnation, previous = event.fields["incarnation"], event.fields["previous"]
        last = self.incarnations[-1] if self.incarnations else None
        self._must(incarnation not in self.incarnations, "there was this incarnation before")
        self._must(previous == last, "it follows {}, and says {}", last, previous)
        self._met("log begun anew", bool(self.incarnations))
        self.incarnations.append(incarnation)

    def _limits_set(self, event: Told) -> None:
        self._at_home(event.stream, "limits")
        numbers = Numbers(*(event.fields[each] for each in Numbers._fields))
        fit = 1 <= numbers.unfinished <= numbers.kept and numbers.download_interval >= 0
        self._must(fit, "section 2: {}", numbers)
        self.limits.history.append((self.heard, numbers))
        self._met("limits changed")

    def _refused(self, event: Told) -> None:
        """A count of one's refusals: another one each time, of something, in one stream."""
        fields = event.fields
        whose = (fields["counter"], fields["user_id"], fields["access_key"] or "")
        self._at_home(event.stream, "refused", *whose)
        self._must(fields["number"] > self._counts.get(whose, 0), "this count was told before")
        self._must(all(times > 0 for times in fields["refusals"].values()), "refused nothing")
        self._must(bool(fields["refusals"]), "refused nothing")
        self._counts[whose] = fields["number"]

    # Owners

    def _owner(self, event: Told) -> OwnerSeen:
        key = event.fields["project_id"], event.fields["user_id"]
        if event.topic != "task.created":
            self._at_home(event.stream, event.topic.partition(".")[0], *key)
        if key not in self.owners:
            self.owners[key] = OwnerSeen(key)
        return self.owners[key]

    def _admission(self, event: Told) -> None:
        owner, fields = self._owner(event), event.fields
        task_id, most, room = fields["task_id"], fields["unfinished_limit"], fields["kept_limit"]
        self._must(not owner.closed, "the owner is closed")
        known = any((most, room) == each[:2] for each in self.limits.lately(self._behind))
        self._must(known, "section 2: {} and {} are not the limits in force", most, room)
        gone = self._cleared(owner, "kept_limit", task_id)
        told = fields["evicted"] == [task.task_id for task in gone]
        self._must(told, "section 2.3: those it evicts do not stand directly before it")
        slots = len(owner.unfinished) + sum(task.status == "Processing" for task in gone)
        self._must(slots < most, "section 2.2: {} of {} unfinished before evicting", slots, most)
        holders = len(fields["holders"])
        self._must(holders <= most, "section 2.2: {} holders of {} slots", holders, most)
        enough = not gone or len(owner.kept) + 1 == room
        self._must(enough, "section 2.3: only {} are kept of {}", len(owner.kept) + 1, room)
        self._agrees(fields, [*owner.kept, task_id], owner.unfinished | {task_id}, task_id)
        self._met("several evicted by one create", len(gone) > 1)
        self._admitted = fields

    def _released(self, event: Told) -> None:
        owner, fields = self._owner(event), event.fields
        gone = self._cleared(owner, "deleted", None)
        told = [task.task_id for task in gone] == [fields["task_id"]]
        self._must(told, "section 2.6: its task's eviction does not stand directly before it")
        self._agrees(fields, owner.kept, owner.unfinished, owner.last_id)

    def _closed(self, event: Told) -> None:
        owner = self._owner(event)
        self._cleared(owner, "deleted", None)
        self._must(not owner.closed, "the owner is closed already")
        self._must(not owner.kept, "{} tasks are not evicted before it", len(owner.kept))
        self._agrees(event.fields, [], set(), owner.last_id)
        owner.closed = True
        self._met("owner closed")

    def _cleared(self, owner: OwnerSeen, reason: str, by_task: str | None) -> list[TaskSeen]:
        """The tasks whose evictions stand directly before; they must be for this event."""
        gone, self._leaving = self._leaving, []
        for task in gone:
            its_own = (task.owner, task.evicted) == (owner.key, reason)
            its_own &= by_task in (None, task.evicted_by)
            self._must(its_own, "section 2.3: the eviction before it is another event's")
        return gone

    def _agrees(self, fields: Fields, kept: list[str], unfinished: set[str], last: str) -> None:
        """Finished tasks may still stand among the holders: they need not tell their owner."""
        holders = set(fields["holders"])
        self._must(fields["kept"] == kept, "section 2.3: kept is not what it was made before")
        all_kept = holders <= set(kept) and len(holders) == len(fields["holders"])
        self._must(all_kept, "section 2.2: holders name a task twice, or one not kept")
        self._must(unfinished <= holders, "section 2.2: holders miss an unfinished task")
        self._must(fields["last_id"] == last, "section 1: {} is not the last id", fields["last_id"])

    # Tasks

    def _created(self, event: Told) -> None:
        owner, fields = self._owner(event), event.fields
        task_id, request = fields["task_id"], fields["request_id"]
        if event.version != 1 or task_id in self.tasks:
            return self._must(False, "a task is created twice, or amid a stream")
        grown = task_id > owner.last_id and TASK_ID.fullmatch(task_id)
        self._must(bool(grown), "section 1: the id {} after {}", task_id, owner.last_id)
        self._must(request not in self.requests, "the request {} makes two tasks", request)
        conditions = (*owner.key, *(fields[each] for each in CONDITIONS))
        task = TaskSeen(task_id, owner.key, conditions, request, fields["timestamp"])
        task.statuses, task.last_at = [(self.heard, "Processing")], self._at
        self.tasks[task_id] = self._of_stream[event.stream] = task
        self.requests[request] = owner.last_id = task_id
        owner.kept.append(task_id)
        owner.unfinished.add(task_id)
        self._tasks_changed(owner)
        self._met("created")
        return self._within_limits(owner, fields)

    def _within_limits(self, owner: OwnerSeen, fields: Fields) -> None:
        admitted, self._admitted = self._admitted or {}, None
        meant = all(admitted.get(each) == fields[each] for each in ADMISSION)
        self._must(meant, "section 2.3: its admission does not stand directly before it")
        most = admitted.get("unfinished_limit", self.limits.unfinished)
        room = admitted.get("kept_limit", self.limits.kept)
        unfinished, kept = len(owner.unfinished), len(owner.kept)
        self._must(unfinished <= most, "section 2.2: {} unfinished of {}", unfinished, most)
        self._must(kept <= room, "section 2.3: {} kept of {}", kept, room)
        self._met("all slots in use", unfinished == most)

    def _tasks_changed(self, owner: OwnerSeen) -> None:
        owner.history.append((self.heard, tuple(owner.kept)))
        owner.slots.append((self.heard, len(owner.unfinished)))

    def _going(self, task: TaskSeen) -> bool:
        going = task.evicted is None and task.status == "Processing"
        self._must(going, "of a task that is over: {}", task.evicted or task.status)
        return going

    def _progressed(self, task: TaskSeen, fields: Fields) -> None:
        if not self._going(task):
            return
        who = fields["attempt"], fields["exporter"]
        if fields["released"]:
            self._handed_back(task, who, fields)
        elif who == task.held:
            self._counted(task, fields)
        else:
            self._claimed(task, fields)
        task.held = None if fields["released"] else who
        task.attempt, task.exporter = who
        task.rows, task.total, task.percent = fields["rows"], fields["total"], fields["progress"]
        task.lease, task.wait = fields["lease"], fields["wait"]
        task.crashes, task.faults = fields["crashes"], fields["faults"]
        sane = 1 <= task.percent <= 99 and task.rows >= 0 and (task.total or 0) >= 0
        self._must(sane, "section 1: {} percent, {} of {}", task.percent, task.rows, task.total)
        self._must(task.lease > 0 or not task.held, "held without a lease")

    def _claimed(self, task: TaskSeen, fields: Fields) -> None:
        attempt, died, last = fields["attempt"], bool(task.held), task.attempt
        if attempt != last + 1:
            return self._must(False, "attempt {} after {}, held by {}", attempt, last, task.held)
        self._counted(task, fields, crashes=died)
        free = self._silent(task, task.lease if died else task.wait)
        self._must(free, "a lease is taken over early" if died else "taken up before its wait")
        spent = self._crashes_allowed is not None and fields["crashes"] >= self._crashes_allowed
        self._must(not spent, "section 7: claimed after {} crashes", fields["crashes"])
        how = "taken over after a lease" if died else "taken up after a hand-back"
        self._met(how if last else "claimed")
        return None

    def _handed_back(self, task: TaskSeen, who: tuple[int, str], fields: Fields) -> None:
        self._must(who == task.held, "handed back by {}, held by {}", who, task.held)
        fault = fields["faults"] > task.faults
        self._counted(task, fields, faults=fault)
        at_stop = fields["reason"] == "shutdown"
        self._must(not (fault and at_stop), "section 7: a stop counts as a fault")
        self._met("handed back for a fault" if fault else "handed back at a stop")

    def _counted(self, task: TaskSeen, fields: Fields, crashes: int = 0, faults: int = 0) -> None:
        """The leases lost and the faults met so far must be these more than before."""
        more = fields["crashes"] - task.crashes, fields["faults"] - task.faults
        self._must(more == (crashes, faults), "section 7: {} crashes and faults more", more)

    def _silent(self, task: TaskSeen, seconds: float) -> bool:
        """Was nothing heard of the task for so long, by the true time? Yes, where nobody knows."""
        if self._at is None or task.last_at is None:
            return True
        return self._at - task.last_at >= seconds - TOLERANCE

    def _completed(self, task: TaskSeen, fields: Fields) -> None:
        if not self._going(task):
            return
        who, key = (fields["attempt"], fields["exporter"]), fields["file"]
        rows, total = fields["rows"], fields["total"]
        self._must(who == task.held, "completed by {}, held by {}", who, task.held)
        its_own = key.startswith(f"{task.task_id}/{who[0]}-")
        self._must(its_own, "the file {} is not this attempt's", key)
        self._must(key not in self._keys, "the file {} is used twice", key)
        whole = rows >= 0 and (rows == total or not fields["complete"])
        self._must(whole, "section 1: {} rows, and the source counts {}", rows, total)
        self._keys.add(key)
        task.file = FileSeen(task.task_id, key, fields["size"], fields["sha256"], rows)
        task.rows, task.total, task.percent = rows, total, 100
        self._met("completed")
        self._ended(task, "Success")
        self._result_came(task.conditions, task.file)

    def _failed(self, task: TaskSeen, fields: Fields) -> None:
        if not self._going(task):
            return
        task.code, who = fields["code"], (fields["attempt"], fields["exporter"])
        self._must(task.code in CODES, "section 3: {} is no code of a failed task", task.code)
        if task.code == DIED_TOO_OFTEN:
            self._died_too_often(task, who)
        else:
            self._must(who == task.held, "failed by {}, held by {}", who, task.held)
        if task.code in MAY_PASS and self._faults_allowed is not None:
            enough = task.faults + 1 >= self._faults_allowed
            self._must(enough, "section 7: given up at fault {}", task.faults + 1)
        self._met(f"failed with {task.code}")
        self._ended(task, "Failed")

    def _died_too_often(self, task: TaskSeen, who: tuple[int, str]) -> None:
        last, died = (task.attempt, task.exporter), task.crashes + bool(task.held)
        self._must(who == last, "it names {}, held last by {}", who, last)
        over = not task.held or self._silent(task, task.lease)
        self._must(over, "a lease is taken for over early")
        self._must(died >= (self._crashes_allowed or 1), "section 7: after {} crashes", died)
        self._met("died too often")

    def _ended(self, task: TaskSeen, status: str) -> None:
        task.status, task.held = status, None
        task.statuses.append((self.heard, status))
        owner = self.owners[task.owner]
        owner.unfinished.discard(task.task_id)
        owner.slots.append((self.heard, len(owner.unfinished)))

    def _evicted(self, task: TaskSeen, fields: Fields) -> None:
        owner, reason, by_task = self.owners[task.owner], fields["reason"], fields["by_task"]
        if task.evicted is not None:
            return self._must(False, "section 2.6: removed twice")
        if reason == "kept_limit":
            self._must(owner.kept[0] == task.task_id, "section 2.3: not the earliest")
            self._met(f"kept limit evicts a {task.state} task")
        else:
            word = "when" if task.state == "finished" else "while"
            self._met(f"deleted {word} {task.state}")
        fits = reason == ("deleted" if by_task is None else "kept_limit")
        self._must(fits, "section 2: removed for {} by the task {}", reason, by_task)
        task.evicted, task.evicted_by = reason, by_task or fields["by"]
        task.evicted_at, task.held = self.heard, None
        owner.kept.remove(task.task_id)
        owner.unfinished.discard(task.task_id)
        self._tasks_changed(owner)
        self._leaving.append(task)
        return self._result_went(task) if task.status == "Success" else None

    # Files and downloads

    def _result_came(self, conditions: Conditions, file: FileSeen) -> None:
        """Section 2.4: current is the largest task id's, of those since there was none."""
        self._successes[conditions].add(file.task_id)
        current = self.current.get(conditions)
        if current and current.task_id > file.task_id:
            self._met("an older task completes after a newer one")
            return
        self._met("a file replaced for the same conditions", current is not None)
        self.current[conditions] = file
        self._ever_current[conditions].add(file.key)

    def _result_went(self, task: TaskSeen) -> None:
        """Section 2.4: with the last `Success` task the file goes."""
        self._successes[task.conditions].discard(task.task_id)
        if not self._successes[task.conditions]:
            del self.current[task.conditions]
            self._met("the last success removed")

    def _granted(self, event: Told) -> None:
        """A grant may be under way for long: its file was current at some prefix, maybe not now."""
        owner, fields = self._owner(event), event.fields
        timestamp, key, task = fields["timestamp"], fields["file"], fields["task_id"]
        if owner.last_grant:
            apart = (timestamp - owner.last_grant).total_seconds()
            least = min(each.download_interval for each in self.limits.lately(self._behind))
            self._must(apart >= least, "section 2.5: {} s after the one before it", apart)
        seen = self.tasks.get(task)
        has_file = seen and seen.owner == owner.key and seen.file
        self._must(bool(has_file), "section 2.5: {} has no file, or is another owner's", task)
        was_current = seen and key in self._ever_current[seen.conditions]
        self._must(bool(was_current), "section 2.4: {} never was current for {}", key, task)
        owner.last_grant, owner.last_grant_at = timestamp, self._at
        owner.grants[fields["etag"]] = timestamp.isoformat()
        true = all(owner.grants.get(etag) == when for etag, when in fields["recent"].items())
        self._must(true, "section 2.5: recent names a download that was never granted")
        self._must(self._recent_is_whole(owner, event), "section 2.5: recent misses a download")
        self._met("download granted")

    def _recent_is_whole(self, owner: OwnerSeen, granted: Told) -> bool:
        recent, now = granted.fields["recent"], granted.fields["timestamp"]
        if len(recent) >= RESUMABLE_MOST:
            return True
        missing = [when for etag, when in owner.grants.items() if etag not in recent]
        ages = ((now - datetime.fromisoformat(when)).total_seconds() for when in missing)
        return all(age > self._resumable for age in ages)
