"""Campaign: many schedules over all cores, what they met together, and the report."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
from array import array
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.simulation.options import Options
from tests.simulation.schedule import play, staged
from tests.simulation.sqlite import fresh_log

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

    from tests.simulation.schedule import Outcome

REPORT_EVERY = 50
"""Schedules between two words of a process with its parent."""

GARBAGE_EVERY = 50
TOLD = 5
"""Broken schedules that are told with all their options; the first ones."""

ENOUGH = 100
"""How often each situation must be met in a full run."""

EXPECTED = (
    "slots full at a create",
    "kept limit evicts a finished task",
    "kept limit evicts a running task",
    "several evicted by one create",
    "deleted while running",
    "deleted while waiting",
    "deleted when finished",
    "a repeated delete is no refusal",
    "a delete of what is not there",
    "taken over after a lease",
    "taken up after a hand-back",
    "handed back at a stop",
    "handed back for a fault",
    "died too often",
    "failed with IOTDA.014705",
    "failed with IOTDA.014709",
    "an older task completes after a newer one",
    "a file replaced for the same conditions",
    "the last success removed",
    "a dead file is swept",
    "a superseded file is swept",
    "a dead spool is swept",
    "a download",
    "a broken download goes on",
    "a download too soon",
    "a download without a file",
    "a grant that took too long",
    "owner closed",
    "a removed user is refused",
    "limits changed",
    "an older backup is restored",
    "newer files lie beside a restored log",
    "a node is off while a backup is restored",
    "a timestamp held back",
    "a real conflict",
    "recovered: answer lost",
    "recovered: answer disguised as a conflict",
    "a completion's answer is lost",
    "an append lands late",
    "a woken zombie is refused",
    "a command met others' changes at every try",
    "read tables locked for too long",
    "BehindLog is answered",
    "an answer never came, as the server died",
    "all at rest",
)
"""The situations without which a full run has shown too little."""


@dataclass(slots=True)
class Total:
    """What many schedules came to."""

    schedules: int = 0
    events: int = 0
    calls: array[int] = field(default_factory=lambda: array("l"))
    faults: Counter[str] = field(default_factory=Counter)
    situations: Counter[str] = field(default_factory=Counter)
    combinations: set[int] = field(default_factory=set)
    wrongs: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """One more schedule."""
        self.schedules += 1
        self.events += outcome.events
        self.calls.append(outcome.calls)
        self.faults += outcome.faults
        self.situations += outcome.situations
        self.combinations.add(_combination(outcome.situations))
        if outcome.wrong:
            self.wrongs.append((outcome.seed, outcome.wrong))

    def join(self, other: Total) -> None:
        """What another process saw."""
        self.schedules += other.schedules
        self.events += other.events
        self.calls.extend(other.calls)
        self.faults += other.faults
        self.situations += other.situations
        self.combinations |= other.combinations
        self.wrongs += other.wrongs


def _combination(situations: Counter[str]) -> int:
    """Which of the expected situations were met, as bits."""
    return sum(1 << number for number, name in enumerate(EXPECTED) if situations[name])


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which schedules to play; until a moment of the monotonic clock, where there is one."""

    first_seed: int
    schedules: int | None
    until: float | None
    changes: dict[str, Any]
    sqlite: bool = False
    compare: bool = False
    go_on: bool = False

    def run(self, jobs: int | None = None) -> Total:
        """Plays them on so many processes, until the end or the first broken rule."""
        jobs = jobs or os.cpu_count() or 1
        began, total = monotonic(), Total()
        if jobs == 1:
            for part in self._part(0, 1):
                total.join(part)
                if total.wrongs and not self.go_on:
                    break
        else:
            self._spread(jobs, total)
        total.seconds = monotonic() - began
        return total

    def _spread(self, jobs: int, total: Total) -> None:
        context = multiprocessing.get_context("fork")
        queue: Queue[Total | None] = context.Queue()
        children = [
            context.Process(target=self._child, args=(number, jobs, queue), daemon=True)
            for number in range(jobs)
        ]
        for child in children:
            child.start()
        left = jobs
        while left:
            part = queue.get()
            if part is None:
                left -= 1
                continue
            total.join(part)
            if total.wrongs and not self.go_on:
                break
        for child in children:
            child.terminate()
            child.join()

    def _child(self, number: int, jobs: int, queue: Queue[Total | None]) -> None:
        for part in self._part(number, jobs):
            queue.put(part)
        queue.put(None)

    def _part(self, number: int, jobs: int) -> Any:
        """Every `jobs`-th seed, a few schedules at a time."""
        total, index = Total(), number
        gc.collect()
        gc.freeze()
        gc.disable()  # a schedule leaves cycles; collected now and then, all at once
        with staged():
            while not self._done(index):
                total.add(self._play(self.first_seed + index))
                if total.schedules % GARBAGE_EVERY == 0:
                    gc.collect()
                if total.schedules == REPORT_EVERY or total.wrongs:
                    yield total
                    total = Total()
                index += jobs
        yield total

    def _done(self, index: int) -> bool:
        if self.schedules is not None and index >= self.schedules:
            return True
        return self.until is not None and monotonic() >= self.until

    def _play(self, seed: int) -> Outcome:
        options = Options.draw(seed).changed(**self.changes)
        outcome = play(options, fresh_log if self.sqlite else None, digest=self.compare)
        if self.compare:
            other = play(options, fresh_log)
            if other.digest != outcome.digest:
                outcome.wrong = f"{outcome.wrong or ''} another log on SQLite: {other.wrong or ''}"
        return outcome


def report(total: Total, *, full: bool) -> int:
    """Prints what was found; 1 where a rule was broken, or too little was met."""
    minutes = total.seconds / 60
    print(
        f"{total.schedules:,} schedules in {total.seconds:.0f} s"
        f" ({total.schedules / max(minutes, 1e-9):,.0f} a minute),"
        f" {sum(total.calls):,} calls of stores"
        f" ({median(total.calls or [0]):.0f} in the median), {total.events:,} events"
    )
    deaths = sum(total.faults[name] for name in DEATHS)
    lost = total.faults["answer lost"] + total.faults["answer disguised as a conflict"]
    print(
        f"{total.faults.total():,} faults, among them {lost:,} lost answers and {deaths:,} deaths;"
        f" {len(total.combinations):,} combinations of situations"
    )
    for name, count in total.faults.most_common():
        print(f"  {count:>12,}  {name}")
    print("situations")
    for name in sorted(EXPECTED, key=lambda name: -total.situations[name]):
        print(f"  {total.situations[name]:>12,}  {name}")
    missing = [name for name in EXPECTED if total.situations[name] < ENOUGH]
    if full and missing:
        print(f"met fewer than {ENOUGH} times: {', '.join(missing)}")
    if len(total.wrongs) > TOLD:
        print(f"BROKEN by {len(total.wrongs):,} seeds; the first {TOLD} of them:")
    for seed, wrong in sorted(total.wrongs)[:TOLD]:
        print(f"BROKEN by seed {seed} at {_commit()}: {wrong}")
        print(f"  {Options.draw(seed).told()}")
    if not total.wrongs:
        print("no rule was broken")
    return 1 if total.wrongs or (full and missing) else 0


DEATHS = ("death before", "death after", "torn page", "kill", "power loss")


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "an unknown commit"
