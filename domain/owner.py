"""Owner: whose tasks these are; the consistency boundary of five and fifty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from domain.fact import Aggregate, stream_id
from domain.refusals import OwnerClosed, UnfinishedLimitReached

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from domain.conditions import OwnerId
    from domain.fact import Caller, Fact
    from domain.limits import Limits

_CHANCE_BITS = 48
_STEP_BITS = 32


class Chance(Protocol):
    """A source of randomness, such as `random.SystemRandom`."""

    def getrandbits(self, k: int, /) -> int:
        """A number of `k` random bits."""

    def random(self) -> float:
        """A number from 0 up to, not including, 1."""


def owner_stream(owner: OwnerId) -> UUID:
    """The id of the stream of an owner's admissions."""
    return stream_id("owner", *owner)


class Owner(Aggregate):
    """Each event carries the whole state, so that loading one costs the same for ever."""

    class Event(Aggregate.Event):
        """A change to which tasks are kept, and which of them hold a slot.

        Fields:
            project_id: the owner's project.
            user_id: the owner.
            kept: the tasks that are kept from here on, earliest first.
            holders: those of them that were unfinished when it was last looked.
            last_id: the owner's largest task id so far.
        """

        project_id: str
        user_id: str
        kept: list[str]
        holders: list[str]
        last_id: str

    class Admitted(Event):
        """A new task was let in.

        Fields:
            task_id: the new task.
            evicted: those that had to go for it, earliest first.
            unfinished_limit: how many could be unfinished then.
            kept_limit: how many were kept then.
        """

        TOPIC: ClassVar[str] = "owner.admitted"
        task_id: str
        evicted: list[str]
        unfinished_limit: int
        kept_limit: int

    class Released(Event):
        """A task was deleted.

        Fields:
            task_id: that task.
        """

        TOPIC: ClassVar[str] = "owner.released"
        task_id: str

    class Closed(Event):
        """The user was removed, with all tasks."""

        TOPIC: ClassVar[str] = "owner.closed"

    def next_task_id(self, now: datetime, chance: Chance) -> str:
        """24 hexadecimal digits, 12 of milliseconds and 12 of chance, larger than any before."""
        drawn = (int(now.timestamp() * 1000) << _CHANCE_BITS) | chance.getrandbits(_CHANCE_BITS)
        beyond = int(self.last_id, 16) + 1 + chance.getrandbits(_STEP_BITS)
        return f"{drawn if drawn > int(self.last_id, 16) else beyond:024x}"

    def admit(
        self,
        owner: OwnerId,
        task_id: str,
        limits: Limits,
        is_unfinished: Callable[[str], bool],
        caller: Caller,
        now: datetime,
    ) -> list[str]:
        """Lets a task in and says which others must go for it, earliest first.

        Finished tasks need not tell their owner: only when the slots look full does it ask
        `is_unfinished` which of their holders still are.

        Raises:
            UnfinishedLimitReached: judged before any eviction (contract, section 2.2).
            OwnerClosed: the user was removed.
        """
        if self.closed:
            raise OwnerClosed
        holders = list(self.holders)
        if len(holders) >= limits.unfinished:
            holders = [holder for holder in holders if is_unfinished(holder)]
        if len(holders) >= limits.unfinished:
            raise UnfinishedLimitReached(limits.unfinished)
        excess = max(0, len(self.kept) + 1 - limits.kept)
        evicted, kept = self.kept[:excess], [*self.kept[excess:], task_id]
        self._record_state(
            self.Admitted,
            owner,
            caller,
            now,
            kept=kept,
            holders=[*(holder for holder in holders if holder not in evicted), task_id],
            last_id=task_id,
            task_id=task_id,
            evicted=evicted,
            unfinished_limit=limits.unfinished,
            kept_limit=limits.kept,
        )
        return evicted

    def release(self, owner: OwnerId, task_id: str, caller: Caller, now: datetime) -> None:
        """Forgets a task that is deleted."""
        kept = [kept for kept in self.kept if kept != task_id]
        holders = [holder for holder in self.holders if holder != task_id]
        self._record_state(
            self.Released, owner, caller, now, kept=kept, holders=holders, task_id=task_id
        )

    def close(self, owner: OwnerId, caller: Caller, now: datetime) -> None:
        """Forgets every task and admits no more."""
        self._record_state(self.Closed, owner, caller, now, kept=[], holders=[])

    def _record_state(
        self, event: type[Fact], owner: OwnerId, caller: Caller, now: datetime, **state: Any
    ) -> None:
        state = {"last_id": self.last_id, **owner._asdict(), **state}
        self.record(event, caller, now, **state)

    kept: list[str]
    holders: list[str]

    def __init__(self) -> None:
        self.kept = []
        self.holders = []
        self.last_id = "0" * 24
        self.closed = False

    def _admitted(self, event: Admitted) -> None:
        self._state(event)

    def _released(self, event: Released) -> None:
        self._state(event)

    def _closed(self, event: Closed) -> None:
        self._state(event)
        self.closed = True

    def _state(self, event: Event) -> None:
        self.kept, self.holders, self.last_id = event.kept, event.holders, event.last_id
