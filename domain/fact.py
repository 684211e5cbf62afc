"""What every stored fact carries, and how an aggregate is made of its facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import AggregateEvent, BaseAggregate
from eventsourcing.utils import register_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

# Part of the stored format: a stream's id follows from what it is about.
_STREAMS = UUID("5b8e2d2e-7f0c-5c55-9d3a-1f6a0c9e4b71")
_BEGUN = sha1(_STREAMS.bytes)  # noqa: S324 (of names, no secrets)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@lru_cache(maxsize=1024)
def stream_id(kind: str, *names: str) -> UUID:
    """The id of the stream about `names`; none of them may hold a slash."""
    digest = _BEGUN.copy()  # `uuid5` begins each time anew, and takes twice as long
    digest.update("/".join((kind, *names)).encode())
    return UUID(bytes=digest.digest()[:16], version=5)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a change, and in which request.

    `by` is an opaque user id, `system` for an operator's command, `exporter` or `keeper` for what
    the service does by itself. `request_id` is unique to one command: by it a writer finds its own
    event after a lost answer. `key` is the access key used (never its secret), `address` the
    peer's, sealed under the person's key. `traceparent` is of the trace, where there is one.
    """

    by: str
    request_id: str
    key: str | None = None
    address: str | None = None
    traceparent: str | None = None


def values_of(record: Any) -> dict[str, Any]:
    """A frozen dataclass's fields; `asdict` would copy each of them, deeply."""
    return {name: getattr(record, name) for name in record.__slots__}


class Fact(AggregateEvent):
    """Something that happened, by whom and in which request. Stored; names are for ever.

    Fields:
        by: a user's id; `system` for an operator's command, `exporter` or `keeper` for the service.
        request_id: the id of the request or command, the same in every event that came of it.
        key: the access key that signed the request; null for a token, a command or the service.
        address: whence it was asked, sealed under the person's key; null where that is not kept.
        traceparent: the trace that the request belongs to (W3C); only there if it does to one.
    """

    TOPIC: ClassVar[str]

    class_version: ClassVar[int] = 1
    """The library's name for it; it asks each fact, and to be told of none takes long."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("traceparent",)
    """Fields that are stored only where there is something to say, so that the others stay as they
    were before there was such a field."""

    by: str
    request_id: str
    key: str | None
    address: str | None
    traceparent: str | None = field(default=None, kw_only=True)

    def __init_subclass__(cls) -> None:
        """Makes a stored topic readable in every process that imports the event."""
        super().__init_subclass__()
        if "TOPIC" in cls.__dict__:
            register_topic(cls.TOPIC, cls)

    def __post_init__(self) -> None:
        """Leaves out what is optional and says nothing: its class knows that it is None."""
        super().__post_init__()
        for name in self.OPTIONAL:
            if getattr(self, name) is None:
                del self.__dict__[name]

    def apply(self, aggregate: Any) -> None:
        """Hands the fact to the evolution its topic names (`task.completed`: `_completed`)."""
        getattr(aggregate, "_" + self.TOPIC.partition(".")[2])(self)


class Aggregate(BaseAggregate[UUID]):
    """A consistency boundary: decisions may refuse, evolutions never do."""

    class Event(Fact):
        """A fact of this aggregate."""

    @classmethod
    def of(cls, id: UUID, facts: Iterable[Fact]) -> Self:
        """The aggregate after all of `facts`, its whole history; version 0 where there are none."""
        aggregate = cls.bare(id, 0)
        for fact in facts:
            fact.mutate(aggregate)
        return aggregate

    @classmethod
    def after(cls, id: UUID, last: Fact | None) -> Self:
        """The aggregate after `last`, whose facts each carry the whole state."""
        aggregate = cls.bare(id, last.originator_version - 1 if last else 0)
        if last:
            last.mutate(aggregate)
        return aggregate

    @classmethod
    def bare(cls, id: UUID, version: int) -> Self:
        """An aggregate of which no more is known than its version."""
        aggregate = cls.__new__(cls)
        aggregate.__base_init__(id, version, _BEFORE_ALL)
        aggregate.__init__()  # type: ignore[misc]
        return aggregate

    def record(self, event: type[Fact], caller: Caller, now: datetime, **facts: Any) -> None:
        """Adds a fact, timed as `timed` says."""
        fact = event(
            originator_id=self.id,
            originator_version=self.version + 1,
            timestamp=self.timed(now),
            **values_of(caller),
            **facts,
        )
        fact.mutate(self)
        self.pending_events.append(fact)

    def timed(self, now: datetime) -> datetime:
        """The time that a fact gets: never before the one before it in this stream."""
        return max(now, self.modified_on)
