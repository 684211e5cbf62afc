"""Load, decide, record, retry: how every change reaches the event store, once."""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from random import SystemRandom
from time import sleep
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from eventsourcing.persistence import IntegrityError, PersistenceError

from domain.refusals import Contended, Unavailable
from domain.stored import event_mapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from uuid import UUID

    from eventsourcing.persistence import ApplicationRecorder, StoredEvent

    from domain.conditions import OwnerId
    from domain.fact import Aggregate, Fact
    from domain.owner import Chance

    Turns = Callable[[OwnerId], AbstractContextManager[object]]
    Appending = Callable[[], AbstractContextManager[object]]

TRIES = 20
LONGEST_PAUSE = 0.05
LOOKS, LOOK_PAUSE = 3, 0.5
"""How often, and after how many seconds, a store that went away is asked what it had taken."""

_LATEST = {"desc": True, "limit": 1}

_LOGGER = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVar("A", bound="Aggregate")


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class Decision(NamedTuple):
    """What a try decided: facts to append in this order, and what to answer if they land."""

    stored: list[StoredEvent]
    answer: Any


class Journal:
    """The event store, with time, chance and waiting passed in; safe for threads.

    `turns(owner)` lets a hot owner's writers take turns: fairness only, the version check is what
    keeps the rules. `appending()` surrounds every append, and may count it.
    """

    appending: Appending = staticmethod(nullcontext)

    def __init__(
        self,
        recorder: ApplicationRecorder,
        *,
        clock: Callable[[], datetime] = utc_now,
        chance: Chance | None = None,
        turns: Turns = nullcontext,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self.recorder = recorder
        self.clock = clock
        self.chance = chance or SystemRandom()
        self._turns = turns
        self._pause = pause
        self._mapper = event_mapper()

    def history(self, stream: UUID) -> list[Fact]:
        """All facts of a stream, oldest first.

        Raises:
            Unavailable: the store does not answer.
        """
        return self._facts(stream)

    def part(self, stream: UUID, limit: int, *, newest: bool = False) -> list[Fact]:
        """The oldest facts of a stream, or the newest, at most so many; oldest first.

        Raises:
            Unavailable: the store does not answer.
        """
        found = self._facts(stream, desc=newest, limit=limit)
        return found[::-1] if newest else found

    def load(self, aggregate: type[A], stream: UUID) -> A:
        """The aggregate after its whole history; version 0 where there is none.

        Raises:
            Unavailable: the store does not answer.
        """
        return aggregate.of(stream, self._facts(stream))

    def salvage(self, aggregate: type[A], stream: UUID, *, latest: bool = False) -> A:
        """As `load` or `latest`; but where the facts cannot be read, a bare one that can be ended.

        Raises:
            Unavailable: the store does not answer.
        """
        stored = self._select(stream, **(_LATEST if latest else {}))
        try:
            facts = [self._read(each) for each in stored]
            if latest:
                return aggregate.after(stream, facts[0] if facts else None)
            return aggregate.of(stream, facts)
        except Exception:
            _LOGGER.exception("the stream %s cannot be read", stream)
            return aggregate.bare(stream, stored[-1].originator_version)

    def latest(self, aggregate: type[A], stream: UUID) -> A:
        """An aggregate whose facts carry its whole state, after the last of them.

        Raises:
            Unavailable: the store does not answer.
        """
        last = self._facts(stream, **_LATEST)
        return aggregate.after(stream, last[0] if last else None)

    def record(
        self,
        decide: Callable[[datetime], tuple[Iterable[Aggregate], T]],
        owner: OwnerId | None = None,
    ) -> T:
        """Decides on fresh state and appends what was decided, atomically, once.

        After a failed append it looks whether that very append is in the log all the same (an
        answer can be lost after the commit), and only then decides again.

        Raises:
            Unavailable: the store does not answer; or (Contended) every try met another's change.
            Refusal: whatever `decide` refuses.
        """
        tries: list[Decision] = []
        for number in range(TRIES):
            with self._turns(owner) if owner else nullcontext():
                for earlier in tries:
                    if self._landed(earlier):
                        return cast("T", earlier.answer)
                decision = self._decide(decide)
                if self._append(decision):
                    return cast("T", decision.answer)
            tries.append(decision)
            self._pause(LONGEST_PAUSE * self.chance.random() * min(number + 1, 4) / 4)
        for earlier in tries:
            if self._landed(earlier):
                return cast("T", earlier.answer)
        raise Contended

    def _decide(self, decide: Callable[[datetime], tuple[Iterable[Aggregate], T]]) -> Decision:
        aggregates, answer = decide(self.clock())
        facts = [fact for aggregate in aggregates for fact in aggregate.collect_events()]
        return Decision([self._mapper.to_stored_event(fact) for fact in facts], answer)

    def _append(self, decision: Decision) -> bool:
        if not decision.stored:
            return True
        try:
            with self.appending():
                self.recorder.insert_events(decision.stored)
        except IntegrityError:
            return self._landed(decision)
        except PersistenceError as error:
            if self._landed_after_all(decision):
                return True
            raise Unavailable from error
        return True

    def _landed_after_all(self, tried: Decision) -> bool:
        """Had a store that went away taken it before? It is waited for, for a moment."""
        for _ in range(LOOKS):
            with suppress(Unavailable):
                return self._landed(tried)
            self._pause(LOOK_PAUSE)
        return self._landed(tried)

    def _landed(self, decision: Decision) -> bool:
        last = decision.stored[-1]
        found = self._select(
            last.originator_id, gt=last.originator_version - 1, lte=last.originator_version
        )
        return any(bytes(event.state) == last.state for event in found)

    def _facts(self, stream: UUID, **selection: Any) -> list[Fact]:
        return [self._read(stored) for stored in self._select(stream, **selection)]

    def _read(self, stored: StoredEvent) -> Fact:
        return cast("Fact", self._mapper.to_domain_event(stored))

    def _select(self, stream: UUID | str, **selection: Any) -> list[StoredEvent]:
        try:
            return list(self.recorder.select_events(stream, **selection))
        except PersistenceError as error:
            raise Unavailable from error
