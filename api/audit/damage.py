"""Damage: what happened to a log that is not what was sealed, and to which event first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from api.audit.stored import facts_of

if TYPE_CHECKING:
    from api.audit.leaves import Leaves
    from api.audit.stored import Events

Kind = Literal[
    "edited", "missing", "inserted", "swapped", "reordered", "cut", "cut and grown again",
    "replaced", "unreadable", "changed", "contradiction",
]  # fmt: skip

_WORDS: dict[str, str] = {
    "edited": "this event is not what was sealed; those after it are: it was edited in place",
    "missing": "the event that was sealed here is gone; those after it moved up",
    "inserted": "this event was not sealed; it stands before events that were",
    "swapped": "this event and another were sealed in each other's place",
    "reordered": "events stand in another order than they were sealed in",
    "cut": "the log ends here, and more was sealed",
    "cut and grown again": "from here on, what was sealed is gone, and other events stand there",
    "replaced": "this is not the last event that was sealed: it was edited, or removed",
    "unreadable": "the event store is damaged from here on",
    "changed": "one of these events, at least, is not what was sealed (no tiles: no closer)",
    "contradiction": "this checkpoint was signed for another history than those around it",
}
GAPS_MOST = 5


@dataclass(frozen=True, slots=True)
class Damage:
    """The first bad event: its rank, counted from 0, and what is known of it.

    Where the tiles do not help, it is one of the ranks before `until`. `position` is that of the
    event that stands at the rank now; None where there is none. `checkpoint` is the first that does
    not hold; `hints` name streams that lack a version.
    """

    kind: Kind
    rank: int
    until: int | None = None
    position: int | None = None
    stream: str | None = None
    version: object = None
    topic: object = None
    task: str | None = None
    checkpoint: str | None = None
    hints: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What it means, in a sentence."""
        return _WORDS[self.kind]


def first_damage(log: Leaves, sealed: Leaves, events: Events) -> Damage | None:
    """The first rank at which the log is not what was sealed; None where all of that is there."""
    rank = log.first(sealed.count).differs_at(sealed)
    return None if rank is None else damage_at(_kind(rank, log, sealed), rank, events)


def damage_at(kind: Kind, rank: int, events: Events, until: int | None = None) -> Damage:
    """Damage at a rank, with what the store says of the event that is there."""
    hints = tuple(_hint(events)) if kind not in ("edited", "swapped", "inserted") else ()
    row = events.at(rank) if until is None else None
    if row is None:
        return Damage(kind, rank, until, hints=hints)
    position, stream, version, topic, _ = row
    task = _task_of(stream, events)
    told = (position, str(stream), version, topic, task)
    return Damage(kind, rank, until, *told, hints=hints)


def _kind(rank: int, log: Leaves, sealed: Leaves) -> Kind:
    """What happened at the first difference, told from where both leaves are found again."""
    if rank >= log.count:
        return "cut"
    moved_to, came_from = log.rank_of(sealed[rank]), sealed.rank_of(log[rank])
    follows = log.get(rank + 1), sealed.get(rank + 1)
    if moved_to is not None and came_from is not None:
        return "swapped" if moved_to == came_from else "reordered"
    if moved_to is not None:
        return "reordered" if follows[1] and follows[0] == follows[1] else "inserted"
    if came_from is not None:
        return "missing"
    return _kind_of_strangers(rank, log, sealed)


def _kind_of_strangers(rank: int, log: Leaves, sealed: Leaves) -> Kind:
    """Neither leaf is anywhere else: do those that were sealed after it still stand?"""
    if rank + 1 == sealed.count:
        return "replaced"
    later = (sealed[rank + 1], sealed[sealed.count - 1])
    stand = any(log.rank_of(each) is not None for each in later)
    return "edited" if stand else "cut and grown again"


def _hint(events: Events) -> list[str]:
    """Streams that lack a version before their last one: from these, events are missing."""
    found = []
    for stream, last in events.gaps(GAPS_MOST):
        task = _task_of(stream, events)
        about = f" (task {task})" if task else ""
        found.append(f"the stream {stream}{about} lacks a version before {last}")
    return found


def _task_of(stream: object, events: Events) -> str | None:
    task = facts_of(events.first(stream)).get("task_id")
    return task if isinstance(task, str) else None
