"""Trial: tampers with logs, leaves others alone, and compares what is found with what was done."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.tampering.kinds import KINDS
from tests.tampering.logs import tell

if TYPE_CHECKING:
    from api.audit.verify import Verdict
    from tests.tampering.kinds import Expected
    from tests.tampering.logs import Told

EACH_LOG = 25
"""Tamperings of one log, before the next one is told."""


def attack(told: Told, kind: str, seed: str) -> str | None:
    """Tampers once, and says what is wrong with the verdict; None where it names the damage."""
    chance = Random(seed)
    with closing(told.opened()) as database:
        expected = KINDS[kind](told, database, chance)
        verdict = told.judged(database)
    with closing(told.opened()) as database:
        KINDS[kind](told, database, Random(seed))
        coarse = told.judged(database, tiles=False)
    damage = verdict.damage
    if verdict.outcome == "cannot tell" and _is_the_last_word(told, expected):
        return None
    if verdict.outcome != "changed" or damage is None:
        return f"{kind} at rank {expected.rank}: {verdict.outcome}"
    wrong = damage.kind not in expected.kinds or damage.rank != expected.rank
    if wrong or (expected.position is not None and damage.position != expected.position):
        return f"{kind}: {expected} was called {damage}"
    return _wrongly_ranged(kind, expected, coarse, told.events[expected.rank].topic)


def _is_the_last_word(told: Told, expected: Expected) -> bool:
    """Whether a restore was the last event that was sealed, and is now another one.

    Nothing that was sealed follows; so it may be that the same backup was put back once more.
    """
    return expected.rank + 1 == told.size and told.events[expected.rank].topic == "log.begun"


def _wrongly_ranged(kind: str, expected: Expected, coarse: Verdict, topic: str) -> str | None:
    """Without tiles there must be damage too, and the range must hold its rank."""
    found = coarse.damage
    if coarse.outcome == "cannot tell" and topic == "log.begun":
        return None  # the log then says that it is another incarnation, and none vouches for that
    if coarse.outcome != "changed" or found is None or found.until is None:
        return f"{kind} at rank {expected.rank}, without tiles: {coarse.outcome}"
    if not found.rank <= expected.rank < found.until:
        return f"{kind}: {expected} was placed in {found}, without tiles"
    return None


@dataclass
class Tally:
    """How many of each, and what went wrong."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def count(self, kind: str, wrong: str | None, seed: str) -> None:
        """One more."""
        self.done[kind] += 1
        if wrong:
            self.wrong.append(f"seed {seed!r}: {wrong}")


def attacks(number: int, first: int = 0) -> Tally:
    """So many tamperings of each kind, on many logs."""
    tally = Tally()
    for at in range(number):
        if at % EACH_LOG == 0:
            told = tell(Random(f"log {first + at}"))
        for kind in KINDS:
            seed = f"{kind} {first + at}"
            tally.count(kind, attack(told, kind, seed), seed)
    return tally


def honest(number: int, first: int = 0) -> Tally:
    """So many honest logs, none of which may be called anything but sound."""
    tally = Tally()
    for at in range(first, first + number):
        seed = f"honest {at}"
        told = tell(Random(seed))
        with closing(told.opened()) as database:
            verdict = told.judged(database)
        sound = (verdict.outcome, verdict.proven) == ("sound", told.size)
        tally.count("honest", None if sound else f"{verdict}", seed)
    return tally
