"""The judge is right about right logs, and finds every rule broken that it knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from eventsourcing.popo import POPOApplicationRecorder

from domain.commands import GrantDownload, Progress
from tests.facts import ANN as ANN_ID
from tests.facts import BEN as BEN_ID
from tests.facts import LEASE, Story
from tests.judge import SITUATIONS, Judge, Told, told, verdict

ANN, BEN = ("p1", "ann"), ("p1", "ben")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DIED, UNREADABLE = "IOTDA.014709", "IOTDA.014706"
GOLDEN = Path(__file__).parent / "golden" / "events-0.1.0.jsonl"


def task_id(number):
    """A number as a task's id."""
    return f"{number:024x}"


def file_key(number, attempt=1, nonce="aa"):
    """Where an attempt's file is."""
    return f"{task_id(number)}/{attempt}-{nonce}.xls"


def at(seconds):
    """So long after noon, as grants note it."""
    return (NOON + timedelta(seconds=seconds)).isoformat()


class Book:
    """Writes a log by hand, right where nothing else is said; each word returns the book.

    `changes` to an event's fields, `version` and `stream` included, make it wrong.
    """

    def __init__(self):
        self.events, self.now, self.most, self.room = [], 0.0, 5, 50
        self.versions, self.lists, self.recent = {}, {}, {}

    def tell(self, topic, stream, /, **fields):
        stream = fields.pop("stream", stream)
        version = fields.pop("version", self.versions.get(stream, 0) + 1)
        self.versions[stream] = version
        timestamp = NOON + timedelta(seconds=self.now)
        usual = {"timestamp": timestamp, "request_id": f"r{len(self.events)}", "by": "ann"}
        self.events.append((Told(topic, stream, version, {**usual, **fields}), self.now))
        return self

    def wait(self, seconds):
        self.now += seconds
        return self

    def limits(self, unfinished=5, kept=50, interval=30.0, **changes):
        self.most, self.room = unfinished, kept
        numbers = {"unfinished": unfinished, "kept": kept, "download_interval": interval}
        return self.tell("limits.set", "limits", **{**numbers, **changes})

    def begun(self, incarnation, previous=None, **changes):
        fields = {"incarnation": incarnation, "previous": previous, **changes}
        return self.tell("log.begun", "log", **fields)

    def of_owner(self, owner, topic, **changes):
        kept, holders, last_id = self.lists.setdefault(owner, ([], [], ["0" * 24]))
        state = {"kept": [*kept], "holders": [*holders], "last_id": last_id[0]}
        names = {"project_id": owner[0], "user_id": owner[1]}
        return self.tell(topic, f"owner {owner}", **{**names, **state, **changes})

    def admit(self, number, owner=ANN, evicted=(), **changes):
        kept, holders, last_id = self.lists.setdefault(owner, ([], [], ["0" * 24]))
        kept.append(task_id(number))
        holders.append(task_id(number))
        last_id[0] = task_id(number)
        fields = {"task_id": task_id(number), "evicted": [task_id(each) for each in evicted]}
        limits = {"unfinished_limit": self.most, "kept_limit": self.room}
        return self.of_owner(owner, "owner.admitted", **{**fields, **limits, **changes})

    def created(self, number, owner=ANN, **changes):
        conditions = {"resource_type": "BatchTask", "resource_condition": "{}"}
        conditions |= {"export_format": "xls", "app_type": "GLOBAL", "scope": None}
        names = {"task_id": task_id(number), "project_id": owner[0], "user_id": owner[1]}
        request_id = self.events[-1][0].fields["request_id"] if self.events else "r"
        fields = {**names, **conditions, "request_id": request_id, **changes}
        return self.tell("task.created", f"task {number}", **fields)

    def create(self, number, owner=ANN, evicts=(), **changes):
        for each in evicts:
            self.evict(each, number)
        return self.admit(number, owner, evicts, **changes).created(number, owner)

    def creates(self, *numbers):
        for number in numbers:
            self.create(number)
        return self

    def evict(self, number, by=None, owner=ANN, **changes):
        kept, holders, _ = self.lists[owner]
        for each in (kept, holders):
            if task_id(number) in each:
                each.remove(task_id(number))
        by_task = None if by is None else task_id(by)
        fields = {"reason": "kept_limit" if by else "deleted", "by_task": by_task}
        return self.tell("task.evicted", f"task {number}", **{**fields, **changes})

    def release(self, number, owner=ANN, **changes):
        fields = {"task_id": task_id(number), **changes}
        return self.of_owner(owner, "owner.released", **fields)

    def delete(self, number):
        return self.evict(number).release(number)

    def close(self, **changes):
        return self.of_owner(ANN, "owner.closed", **changes)

    def progress(self, number, attempt=1, exporter="e1", **changes):
        fields = {"attempt": attempt, "exporter": exporter, "lease": 60.0, "rows": 0}
        fields |= {"total": None, "progress": 1, "released": False, "reason": None}
        fields |= {"wait": 0.0, "crashes": 0, "faults": 0, **changes}
        return self.tell("task.progressed", f"task {number}", **fields)

    def hand_back(self, number, attempt=1, exporter="e1", **changes):
        return self.progress(number, attempt, exporter, **{"released": True, "lease": 0, **changes})

    def complete(self, number, attempt=1, exporter="e1", **changes):
        fields = {"attempt": attempt, "exporter": exporter, "file": file_key(number, attempt)}
        fields |= {"size": 9, "sha256": "ab", "rows": 3, "total": 3, "complete": True, **changes}
        return self.tell("task.completed", f"task {number}", **fields)

    def done(self, number):
        return self.create(number).progress(number).complete(number)

    def fail(self, number, code=UNREADABLE, attempt=1, exporter="e1", **changes):
        fields = {"attempt": attempt, "exporter": exporter, "code": code, "message": ""}
        return self.tell("task.failed", f"task {number}", **{**fields, **changes})

    def grant(self, number, file=None, owner=ANN, **changes):
        self.recent["etag"] = at(self.now)
        names = {"project_id": owner[0], "user_id": owner[1], "task_id": task_id(number)}
        fields = {"file": file or file_key(number), "etag": "etag", "recent": {**self.recent}}
        return self.tell(
            "downloads.granted", f"downloads {owner}", **{**names, **fields, **changes}
        )


def judged(book, timed=True, **settings):
    """A judge who has heard the book."""
    judge = Judge(**settings)
    for event, at in book.events:
        judge.hear(event, at if timed else None)
    judge.rest()
    return judge


def limited(book, *numbers):
    """Two unfinished and two kept at most."""
    return book.limits(2, 2).creates(*numbers)


def silent(seconds):
    """A claimed task of which nothing is heard for so long."""
    return lambda book: book.create(1).progress(1).wait(seconds)


# What the judge says, a log that breaks the rule, and one that just keeps it.
RULES = [
    (
        "version 3 after 1",
        lambda book: book.begun("a").begun("b", "a", version=3),
        lambda book: book.begun("a").begun("b", "a", version=2),
    ),
    (
        "version 1 after 1",
        lambda book: book.create(1).progress(1, version=1),
        lambda book: book.create(1).progress(1, version=2),
    ),
    (
        "timed before the one before",
        lambda book: book.wait(1).limits().wait(-1).limits(),
        lambda book: book.wait(1).create(1).wait(-1).limits(),
    ),
    (
        "the request r said so before",
        lambda book: book.create(1).progress(1, request_id="r").progress(1, request_id="r"),
        lambda book: book.create(1).progress(1, request_id="r").progress(1, request_id="s"),
    ),
    (
        "stands in two",
        lambda book: book.create(1).create(2, stream="another"),
        lambda book: book.create(1).create(2, BEN, stream="another"),
    ),
    (
        "there is no such event",
        lambda book: book.tell("task.lost", "task 1"),
        lambda book: book.tell("user.added", "user 1"),
    ),
    (
        "there was this incarnation before",
        lambda book: book.begun("a").begun("a", "a"),
        lambda book: book.begun("a").begun("b", "a"),
    ),
    (
        "it follows b, and says a",
        lambda book: book.begun("a").begun("b", "a").begun("c", "a"),
        lambda book: book.begun("a").begun("b", "a").begun("c", "b"),
    ),
    (
        "section 2: Numbers(unfinished=3, kept=2",
        lambda book: book.limits(3, 2),
        lambda book: book.limits(3, 3, 0),
    ),
    # Admissions
    (
        "section 2.2: 6 unfinished of 5",
        lambda book: book.creates(1, 2, 3, 4, 5).create(6),
        lambda book: book.creates(1, 2, 3, 4, 5).delete(1).create(6),
    ),
    (
        "section 2.2: 2 of 2 unfinished before evicting",
        lambda book: limited(book, 1, 2).create(3, evicts=[1]),
        lambda book: limited(book.done(1), 2).create(3, evicts=[1]),
    ),
    (
        "section 2.3: 3 kept of 2",
        lambda book: limited(book.done(1), 2).create(3),
        lambda book: limited(book, 2).create(3),
    ),
    (
        "section 2.3: only 2 are kept of 3",
        lambda book: book.limits(3, 3).done(1).create(2).create(3, evicts=[1]),
        lambda book: book.limits(3, 3).done(1).creates(2, 3).create(4, evicts=[1]),
    ),
    (
        "section 2.3: not the earliest",
        lambda book: book.limits(2, 2).done(1).create(2).create(3, evicts=[2]),
        lambda book: book.limits(2, 2).done(1).create(2).create(3, evicts=[1]),
    ),
    (
        "section 2.3: those it evicts do not stand directly before",
        lambda book: book.limits(1, 1).done(1).evict(1, 2).admit(2).created(2),
        lambda book: book.limits(1, 1).done(1).evict(1, 2).admit(2, ANN, [1]).created(2),
    ),
    (
        "section 2.3: the eviction before it is another event's",
        lambda book: book.limits(1, 1).done(1).evict(1, 3).admit(2, ANN, [1]).created(2),
        lambda book: book.limits(1, 1).done(1).evict(1, 2).admit(2, ANN, [1]).created(2),
    ),
    (
        "section 2.3: the eviction before it is another event's",
        lambda book: book.create(1, BEN).evict(1, None, BEN).release(1),
        lambda book: book.create(1, BEN).evict(1, None, BEN).release(1, BEN),
    ),
    (
        "section 2.3: after an eviction without its owner's event",
        lambda book: book.done(1).evict(1).limits(),
        lambda book: book.done(1).delete(1).limits(),
    ),
    (
        "the end: section 2.3: after an eviction without its owner's event",
        lambda book: book.done(1).evict(1),
        lambda book: book.done(1).delete(1),
    ),
    (
        "section 2.3: after an admission without its task",
        lambda book: book.admit(1).admit(2, BEN).created(2, BEN),
        lambda book: book.create(1).create(2, BEN),
    ),
    (
        "the end: section 2.3: after an admission without its task",
        lambda book: book.admit(1),
        lambda book: book.create(1),
    ),
    (
        "section 2.3: its admission does not stand directly before",
        lambda book: book.created(1),
        lambda book: book.create(1),
    ),
    (
        "section 2.3: its admission does not stand directly before",
        lambda book: book.admit(1).created(2),
        lambda book: book.admit(2).created(2),
    ),
    (
        "section 2: 4 and 50 are not the limits in force",
        lambda book: book.limits(4).limits(6).limits(7).create(1, unfinished_limit=4),
        lambda book: book.limits(4).limits(6).create(1, unfinished_limit=4),
    ),
    (
        "section 2.3: kept is not what it was",
        lambda book: book.create(1).create(2, kept=[task_id(2)]),
        lambda book: book.create(1).create(2, kept=[task_id(1), task_id(2)]),
    ),
    (
        "section 2.2: holders miss an unfinished task",
        lambda book: book.create(1).create(2, holders=[task_id(2)]),
        lambda book: book.done(1).create(2, holders=[task_id(2)]),
    ),
    (
        "section 2.2: holders name a task twice, or one not kept",
        lambda book: book.done(1).delete(1).create(2, holders=[task_id(1), task_id(2)]),
        lambda book: book.done(1).create(2, holders=[task_id(1), task_id(2)]),
    ),
    (
        "section 2.2: holders name a task twice, or one not kept",
        lambda book: book.create(1, holders=[task_id(1)] * 2),
        lambda book: book.create(1, holders=[task_id(1)]),
    ),
    (
        f"section 1: {task_id(1)} is not the last id",
        lambda book: book.create(1).create(2, last_id=task_id(1)),
        lambda book: book.create(1).create(2, last_id=task_id(2)),
    ),
    (
        f"section 1: the id {task_id(2)} after {task_id(3)}",
        lambda book: book.create(3).create(2),
        lambda book: book.create(3).create(2, BEN),
    ),
    (
        "section 1: the id 00a after",
        lambda book: book.admit(10, task_id="00a").created(10, task_id="00a"),
        lambda book: book.create(10),
    ),
    (
        "a task is created twice",
        lambda book: book.create(1).admit(1).created(1, stream="another"),
        lambda book: book.create(1).admit(2).created(2, stream="another"),
    ),
    (
        "the request r makes two tasks",
        lambda book: book.create(1, request_id="r").create(2, BEN, request_id="r"),
        lambda book: book.create(1, request_id="r").create(2, BEN, request_id="s"),
    ),
    # Removals
    (
        "section 2.6: removed twice",
        lambda book: book.done(1).delete(1).delete(1),
        lambda book: book.done(1).delete(1),
    ),
    (
        "section 2.6: its task's eviction does not stand directly before",
        lambda book: book.creates(1, 2).evict(2).release(1),
        lambda book: book.creates(1, 2).evict(2).release(2),
    ),
    (
        "section 2: removed for boredom by the task None",
        lambda book: book.create(1).evict(1, reason="boredom").release(1),
        lambda book: book.create(1).evict(1, reason="deleted").release(1),
    ),
    (
        "section 2: removed for deleted by the task 2",
        lambda book: book.create(1).evict(1, by_task="2").release(1),
        lambda book: book.create(1).evict(1, by_task=None).release(1),
    ),
    (
        "the owner is closed",
        lambda book: book.close().create(1),
        lambda book: book.close().create(1, BEN),
    ),
    (
        "the owner is closed already",
        lambda book: book.close().close(),
        lambda book: book.close(),
    ),
    (
        "1 tasks are not evicted before it",
        lambda book: book.creates(1, 2).evict(1).close(kept=[], holders=[]),
        lambda book: book.creates(1, 2).evict(1).evict(2).close(),
    ),
    # Attempts
    (
        "of a task that was never created",
        lambda book: book.progress(1),
        lambda book: book.create(1).progress(1),
    ),
    (
        "of a task that is over: Success",
        lambda book: book.done(1).progress(1),
        lambda book: book.done(1).delete(1),
    ),
    (
        "of a task that is over: Failed",
        lambda book: book.create(1).progress(1).fail(1).complete(1),
        lambda book: book.create(1).progress(1).fail(1).delete(1),
    ),
    (
        "of a task that is over: deleted",
        lambda book: book.create(1).progress(1).delete(1).fail(1),
        lambda book: book.create(1).progress(1).fail(1).delete(1),
    ),
    (
        "attempt 2 after 0, held by None",
        lambda book: book.create(1).progress(1, attempt=2),
        lambda book: book.create(1).progress(1, attempt=1),
    ),
    (
        "attempt 1 after 1, held by (1, 'e1')",
        lambda book: silent(60)(book).progress(1, 1, "e2", crashes=1),
        lambda book: silent(60)(book).progress(1, 2, "e2", crashes=1),
    ),
    (
        "attempt 1 after 2, held by (2, 'e2')",
        lambda book: silent(60)(book).progress(1, 2, "e2", crashes=1).progress(1, crashes=1),
        lambda book: (
            silent(60)(book).progress(1, 2, "e2", crashes=1).progress(1, 2, "e2", crashes=1)
        ),
    ),
    (
        "attempt 1 after 1, held by None",
        lambda book: book.create(1).progress(1).hand_back(1).progress(1),
        lambda book: book.create(1).progress(1).hand_back(1).progress(1, 2),
    ),
    (
        "a lease is taken over early",
        lambda book: silent(59.9)(book).progress(1, 2, "e2", crashes=1),
        lambda book: silent(60)(book).progress(1, 2, "e2", crashes=1),
    ),
    (
        "taken up before its wait",
        lambda book: book.create(1).progress(1).hand_back(1, wait=5.0).wait(4.9).progress(1, 2),
        lambda book: book.create(1).progress(1).hand_back(1, wait=5.0).wait(5).progress(1, 2),
    ),
    (
        "held without a lease",
        lambda book: book.create(1).progress(1, lease=0.0),
        lambda book: book.create(1).progress(1, lease=0.1),
    ),
    (
        "section 7: (0, 0) crashes and faults more",
        lambda book: silent(60)(book).progress(1, 2, "e2"),
        lambda book: silent(60)(book).progress(1, 2, "e2", crashes=1),
    ),
    (
        "section 7: (1, 0) crashes and faults more",
        lambda book: book.create(1).progress(1).hand_back(1).progress(1, 2, crashes=1),
        lambda book: book.create(1).progress(1).hand_back(1).progress(1, 2, crashes=0),
    ),
    (
        "section 7: (0, 2) crashes and faults more",
        lambda book: book.create(1).progress(1).hand_back(1, faults=2),
        lambda book: book.create(1).progress(1).hand_back(1, faults=1),
    ),
    (
        "section 7: (0, 1) crashes and faults more",
        lambda book: book.create(1).progress(1).progress(1, faults=1),
        lambda book: book.create(1).progress(1).progress(1, faults=0),
    ),
    (
        "handed back by (1, 'e2'), held by (1, 'e1')",
        lambda book: book.create(1).progress(1).hand_back(1, 1, "e2"),
        lambda book: book.create(1).progress(1).hand_back(1, 1, "e1"),
    ),
    (
        "section 1: 100 percent",
        lambda book: book.create(1).progress(1, progress=100),
        lambda book: book.create(1).progress(1, progress=99),
    ),
    (
        "section 1: 0 percent",
        lambda book: book.create(1).progress(1, progress=0),
        lambda book: book.create(1).progress(1, progress=1),
    ),
    (
        "section 1: 1 percent, -1 of None",
        lambda book: book.create(1).progress(1, rows=-1),
        lambda book: book.create(1).progress(1, rows=0),
    ),
    (
        "section 1: 1 percent, 0 of -1",
        lambda book: book.create(1).progress(1, total=-1),
        lambda book: book.create(1).progress(1, total=0),
    ),
    # Ends
    (
        "completed by (1, 'e1'), held by None",
        lambda book: book.create(1).complete(1),
        lambda book: book.create(1).progress(1).complete(1),
    ),
    (
        "completed by (1, 'e1'), held by (2, 'e2')",
        lambda book: silent(60)(book).progress(1, 2, "e2", crashes=1).complete(1),
        lambda book: silent(60)(book).progress(1, 2, "e2", crashes=1).complete(1, 2, "e2"),
    ),
    (
        "is not this attempt's",
        lambda book: book.create(1).progress(1).complete(1, file=file_key(1, 2)),
        lambda book: book.create(1).progress(1).complete(1, file=file_key(1, 1, "bb")),
    ),
    (
        "is used twice",
        lambda book: book.done(1).create(2).progress(2).complete(2, file=file_key(1)),
        lambda book: book.done(1).done(2),
    ),
    (
        "section 1: 3 rows, and the source counts 4",
        lambda book: book.create(1).progress(1).complete(1, total=4),
        lambda book: book.create(1).progress(1).complete(1, total=4, complete=False),
    ),
    (
        "section 3: IOTDA.014703 is no code of a failed task",
        lambda book: book.create(1).progress(1).fail(1, "IOTDA.014703"),
        lambda book: book.create(1).progress(1).fail(1, "IOTDA.014710"),
    ),
    (
        "failed by (1, 'e2'), held by (1, 'e1')",
        lambda book: book.create(1).progress(1).fail(1, exporter="e2"),
        lambda book: book.create(1).progress(1).fail(1, exporter="e1"),
    ),
    (
        "failed by (1, 'e1'), held by None",
        lambda book: book.create(1).progress(1).hand_back(1).fail(1),
        lambda book: book.create(1).progress(1).fail(1),
    ),
    (
        "a lease is taken for over early",
        lambda book: silent(59.9)(book).fail(1, DIED),
        lambda book: silent(60)(book).fail(1, DIED),
    ),
    (
        "it names (1, 'e2'), held last by (1, 'e1')",
        lambda book: silent(60)(book).fail(1, DIED, 1, "e2"),
        lambda book: silent(60)(book).fail(1, DIED, 1, "e1"),
    ),
    (
        "section 7: after 0 crashes",
        lambda book: book.create(1).fail(1, DIED, 0, ""),
        lambda book: silent(60)(book).fail(1, DIED),
    ),
    (
        "section 1: -1 rows, and the source counts -1",
        lambda book: book.create(1).progress(1).complete(1, rows=-1, total=-1),
        lambda book: book.create(1).progress(1).complete(1, rows=0, total=0),
    ),
    # Downloads
    (
        "section 2.5: 29.9 s after the one before",
        lambda book: book.done(1).grant(1).wait(29.9).grant(1),
        lambda book: book.done(1).grant(1).wait(30).grant(1),
    ),
    (
        "section 2.5: 20.0 s after the one before",
        lambda book: book.limits(interval=20).limits().limits().done(1).grant(1).wait(20).grant(1),
        lambda book: book.limits(interval=20).limits().done(1).grant(1).wait(20).grant(1),
    ),
    (
        f"section 2.5: {task_id(1)} has no file",
        lambda book: book.create(1).grant(1),
        lambda book: book.done(1).grant(1),
    ),
    (
        f"section 2.5: {task_id(1)} has no file, or is another owner's",
        lambda book: book.done(1).grant(1, owner=BEN),
        lambda book: book.done(1).delete(1).grant(1),
    ),
    (
        f"section 2.5: {task_id(9)} has no file",
        lambda book: book.done(1).grant(9),
        lambda book: book.done(1).grant(1),
    ),
    (
        f"section 2.4: {file_key(1)} never was current for {task_id(2)}",
        lambda book: book.create(1).progress(1).done(2).complete(1).grant(2, file_key(1)),
        lambda book: book.create(1).progress(1).done(2).complete(1).grant(1, file_key(2)),
    ),
    (
        "section 2.5: recent names a download that was never granted",
        lambda book: book.done(1).grant(1, recent={"etag": NOON.isoformat(), "other": "now"}),
        lambda book: book.done(1).grant(1, recent={"etag": NOON.isoformat()}),
    ),
    (
        "section 2.5: recent misses a download",
        lambda book: book.done(1).grant(1).wait(600).grant(1, etag="b", recent={"b": at(600)}),
        lambda book: book.done(1).grant(1).wait(601).grant(1, etag="b", recent={"b": at(601)}),
    ),
    (
        "section 7: a stop counts as a fault",
        lambda book: book.create(1).progress(1).hand_back(1, faults=1, reason="shutdown"),
        lambda book: book.create(1).progress(1).hand_back(1, reason="shutdown"),
    ),
    (
        "section 2.2: 2 holders of 1 slots",
        lambda book: book.limits(1).done(1).create(2),
        lambda book: book.limits(1).done(1).create(2, holders=[task_id(2)]),
    ),
]


@pytest.mark.parametrize(("words", "wrong", "right"), RULES, ids=[rule[0] for rule in RULES])
def test_a_broken_rule_is_found_and_a_kept_one_is_not(words, wrong, right):
    said = judged(wrong(Book())).wrongs
    assert [each for each in said if words in each], said
    assert judged(right(Book())).wrongs == []


def test_a_wrong_tells_the_events_number_and_topic():
    judge = judged(Book().create(1).progress(1, 2))
    assert judge.wrongs == ["event 3, task.progressed: attempt 2 after 0, held by None"]


@pytest.mark.parametrize("known", [{}, {2}, {3}])
def test_of_leases_nothing_is_said_where_nobody_knows_the_true_time(known):
    judge, book = Judge(), silent(1)(Book()).progress(1, 2, "e2", crashes=1)
    for place, (event, at) in enumerate(book.events):
        judge.hear(event, at if place in known else None)
    assert judge.wrongs == []
    assert len(judged(book).wrongs) == 1


def test_a_task_is_given_up_for_what_may_pass_only_after_so_many_faults():
    first = Book().create(1).progress(1).fail(1, "IOTDA.014710")
    second = Book().create(1).progress(1).hand_back(1, faults=1).progress(1, 2, faults=1)
    second = second.fail(1, "IOTDA.014710", 2)
    other = Book().create(1).progress(1).fail(1, "IOTDA.014705")
    assert "section 7: given up at fault 1" in judged(first, faults_allowed=2).wrongs[0]
    assert judged(second, faults_allowed=2).wrongs == []
    assert judged(other, faults_allowed=2).wrongs == []
    assert judged(first).wrongs == []


def test_how_long_a_download_may_be_resumed_can_be_set():
    book = Book().done(1).grant(1).wait(31).grant(1, etag="b", recent={"b": at(31)})
    assert judged(book, resumable=30.0).wrongs == []
    assert "recent misses" in judged(book, resumable=31.0).wrongs[0]


def test_situations_are_counted():
    book = Book().limits(1, 2).done(1).wait(1).done(2).create(3, evicts=[1])
    counted = judged(book.limits(1, 1).progress(3).complete(3).create(4, evicts=[2, 3])).situations
    assert counted == {
        "created": 4,
        "all slots in use": 4,
        "claimed": 3,
        "completed": 3,
        "a file replaced for the same conditions": 2,
        "kept limit evicts a finished task": 3,
        "several evicted by one create": 1,
        "the last success removed": 1,
        "limits changed": 2,
        "a timestamp held back": counted["a timestamp held back"],
    }


def test_a_timestamp_is_held_back_where_it_equals_the_one_before_it_in_its_stream():
    book = Book().create(1).wait(1).progress(1).progress(1).create(2, BEN).wait(1).progress(1)
    assert judged(book).situations["a timestamp held back"] == 1


def test_how_far_behind_limits_may_be_is_the_callers_to_say():
    book = Book().limits(4).limits(6).limits(7).create(1, unfinished_limit=4)
    assert len(judged(book, behind=1).wrongs) == 1
    assert judged(book, behind=2).wrongs == []
    assert len(judged(Book().limits(6).create(1, unfinished_limit=5), behind=0).wrongs) == 1


def test_where_the_crashes_allowed_are_known_no_other_number_ends_a_task():
    died = silent(60)(Book()).progress(1, 2, crashes=1).wait(60).fail(1, DIED, 2)
    assert judged(died, crashes_allowed=2).wrongs == []
    assert "section 7: after 2 crashes" in judged(died, crashes_allowed=3).wrongs[0]
    lives = silent(60)(Book()).progress(1, 2, crashes=1)
    assert judged(lives, crashes_allowed=2).wrongs == []
    assert "section 7: claimed after 1 crashes" in judged(lives, crashes_allowed=1).wrongs[0]


def test_of_the_same_conditions_the_largest_id_since_there_was_none_is_current():
    book = Book().create(1).progress(1)
    assert judged(book.done(2)).current[conditions()].key == file_key(2)
    assert judged(book.complete(1)).current[conditions()].task_id == task_id(2)
    assert judged(book.delete(2)).current[conditions()].task_id == task_id(2)
    book.create(3).progress(3).create(4).progress(4).fail(4)
    assert judged(book.delete(1)).current == {}
    assert judged(book.complete(3)).current[conditions()] == (task_id(3), file_key(3), 9, "ab", 3)
    assert judged(book).wrongs == []


def conditions(owner=ANN):
    """Those of every task in a book."""
    return (*owner, "BatchTask", "{}", "xls", "GLOBAL", None)


def test_what_was_kept_and_unfinished_between_two_prefixes_can_be_asked():
    owner = judged(Book().create(1).create(2).delete(1).create(3)).owners[ANN]
    one, two, three = map(task_id, (1, 2, 3))
    assert owner.kept_between(0, 1) == [()]
    assert owner.kept_between(2, 3) == [(one,)]
    assert owner.kept_between(3, 5) == [(one,), (one, two), (two,)]
    assert owner.kept_between(99, 99) == [(two, three)]
    assert owner.most_unfinished_between(0, 8) == 2
    assert owner.most_unfinished_between(0, 2) == 1
    assert owner.least_unfinished_between(4, 8) == 1
    assert owner.least_unfinished_between(0, 8) == 0


def test_what_the_log_says_of_a_task_can_be_asked():
    book = silent(60)(Book()).progress(1, 2, "e2", crashes=1, rows=2, total=3, progress=60)
    task = judged(book).tasks[task_id(1)]
    assert (task.held, task.attempt, task.crashes, task.last_at) == ((2, "e2"), 2, 1, 60.0)
    assert (task.rows, task.total, task.percent, task.version) == (2, 3, 60, 3)
    task = judged(book.complete(1, 2, "e2").delete(1)).tasks[task_id(1)]
    assert (task.status, task.evicted, task.evicted_by) == ("Success", "deleted", "ann")
    assert task.statuses == [(2, "Processing"), (5, "Success")]
    assert (task.evicted_at, task.percent, task.file.key) == (6, 100, file_key(1, 2))
    assert judged(book).requests == {task.request_id: task_id(1)}


def test_the_limits_of_every_prefix_can_be_asked():
    limits = judged(Book().limits(2, 3, 4.0)).limits
    assert (limits.unfinished, limits.kept, limits.download_interval) == (2, 3, 4.0)
    assert limits.history == [(0, (5, 50, 30.0)), (1, (2, 3, 4.0))]


# Real logs


@pytest.fixture(scope="module")
def stored():
    """A real log in which everything happens that the judge counts."""
    story = Story(POPOApplicationRecorder())
    first = story.ledger.begin(story.caller())
    story.ledger.begin_anew(1, story.caller())
    assert first.incarnation
    tell_of_attempts(story)
    tell_of_files(story)
    tell_of_limits(story)
    story.ledger.close(ANN_ID, story.caller())
    return story.recorder.select_notifications(None, 10_000)


def tell_of_attempts(story):
    """Claims, progress, hand-backs, deaths, and every code."""
    for code in sorted(each[-12:] for each in SITUATIONS if each.startswith("failed with")):
        task = story.create()
        claim = story.claim(task)
        if code == DIED:
            assert not story.claim(task, "e2", crashes_allowed=1)
        else:
            story.ledger.fail(claim, code, "no")
        story.delete(task)
    task = story.create()
    story.ledger.hand_back(story.claim(task), "shutdown")
    story.ledger.hand_back(story.claim(task), "no source", wait=5.0, fault=True)
    story.claim(task)
    claim = story.claim(task, "e2")
    story.ledger.progress(claim, LEASE, Progress(5, 10, 45))
    story.delete(task)
    story.delete(story.create())


def tell_of_files(story):
    """An older task that completes after a newer one, files replaced, files gone, downloads."""
    old, new = story.create(), story.create()
    story.ledger.hand_back(story.claim(old), "shutdown")
    files = [story.complete(new)]
    story.complete(old)
    newest = story.create()
    files.append(story.complete(newest))
    for number, file in enumerate(files):
        story.clock.pass_by(seconds=30)
        caller = story.caller()
        command = GrantDownload(ANN_ID, newest.task_id, file.key, f"e{number}", caller)
        story.ledger.grant_download(command)
    for task in (old, new, newest):
        story.delete(task)


def tell_of_limits(story):
    """Evictions of tasks in every state, and of several at once."""
    story.limits(4, 4)
    story.complete(story.create(BEN_ID))
    story.claim(story.create(BEN_ID))
    story.create(BEN_ID)
    going = [story.create(BEN_ID), story.create(BEN_ID)]
    story.complete(going.pop())
    going += [story.create(BEN_ID), story.create(BEN_ID)]
    for task in going:
        story.complete(task)
    story.limits(2, 2)
    story.create(BEN_ID)


def test_a_real_log_is_right(stored):
    assert verdict(stored) == []
    assert verdict(stored, behind=0, crashes_allowed=None) == []


def test_a_real_log_meets_every_situation(stored):
    judge = Judge()
    for each in stored:
        judge.hear(told(each))
    assert set(judge.situations) == set(SITUATIONS)


def test_a_real_log_with_two_events_of_one_append_in_another_order_is_wrong(stored):
    events = [told(each) for each in stored]
    swapped = 0
    for place, (first, second) in enumerate(pairwise(events)):
        if first.fields["request_id"] != second.fields["request_id"]:
            continue
        if {first.topic, second.topic} == {"task.evicted"} and first.fields["by_task"] is None:
            continue
        swapped += 1
        judge = Judge()
        for each in [*events[:place], second, first, *events[place + 2 :]]:
            judge.hear(each)
        assert judge.wrongs
    assert swapped > 20


def test_a_real_log_that_lacks_one_event_is_wrong_unless_it_is_the_last_word_of_a_command(stored):
    events = [told(each) for each in stored]
    last = {event.stream: place for place, event in enumerate(events)}
    for place in set(range(len(events))) - set(last.values()):
        judge = Judge()
        for each in events[:place] + events[place + 1 :]:
            judge.hear(each)
        assert judge.wrongs


@pytest.mark.parametrize("line", GOLDEN.read_text().splitlines())
def test_every_event_that_can_be_stored_is_read(line):
    sample = json.loads(line)
    stored = SimpleNamespace(
        originator_id=UUID(int=1),
        originator_version=1,
        topic=sample["topic"],
        state=sample["state"].encode(),
    )
    event = told(stored)
    assert (event.topic, event.stream, event.version) == (sample["topic"], "0" * 31 + "1", 1)
    assert event.fields.keys() == json.loads(sample["state"]).keys()
    assert event.fields["timestamp"] == NOON
    judge = Judge()
    judge.hear(event)
    assert "no such event" not in "".join(judge.wrongs)
    stored.originator_id = str(UUID(int=1))
    assert told(stored) == event
