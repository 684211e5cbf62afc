"""In place: a log that its database's own tools put back becomes a new incarnation of itself."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from api.parts import Parts
from api.upkeep.event_places import event_place
from api.upkeep.lost import BY_TABLES, Lost, by_log, by_tables
from api.upkeep.signed import judged
from domain.journal import Journal
from domain.ledger import Ledger
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eventsourcing.persistence import ApplicationRecorder, StoredEvent

    from api.access.erasures import Erasure
    from api.audit.verify import Verdict
    from api.settings import Settings
    from domain.log import Log
    from projections.log import Cursor, OpenLog
    from projections.stores.postgres import QuestionMarks

    Tell = Callable[[str], object]

_INSERT = (
    "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
    " VALUES (?, ?, ?, ?)"
)


class NotPutBack(Refusal):
    """The log is not an earlier state of what was signed, or no earlier state at all."""


@dataclass(frozen=True, slots=True)
class Found:
    """A log that was put back: how many events it has kept, and of which incarnation they are.

    `signed` is how many events more were signed than it holds; `lost` names what is gone, as far
    as anybody knows it.
    """

    events: int
    previous: str | None
    signed: int
    lost: Lost

    @property
    def gone(self) -> int:
        """How many events, at least, are known to have been there and are not."""
        return max(self.signed, self.lost.events)

    @property
    def is_whole(self) -> bool:
        """Does nobody know of anything that is not in it?"""
        return not self.gone and self.lost.known_by != BY_TABLES


@dataclass(frozen=True, slots=True)
class PutBack:
    """Of which incarnation the log is now, how many events it kept; who was removed again (ids)."""

    events: int
    incarnation: str
    erased: list[str]


def look(settings: Settings, replaced: str | None, *, tell: Tell) -> Found:
    """What a log holds that its database's own tools put back, and what is gone; changes nothing.

    That is told by the log at the address `replaced`, if one is given, or else by this machine's
    read tables. Look before `begin_anew`: after it both are of another log.

    Raises:
        NothingThere: there is no log.
        NotPutBack: its events are not those that were signed; the text says from where on.
        NotTheReplaced, CannotOpen, CannotRead: see there.
    """
    event_place(settings).must_be_there()
    tell("comparing the log with what was signed of it")
    verdict = _judged(settings)
    tell("looking for what is gone")
    url = settings.events
    lost = by_log(replaced, url) if replaced else by_tables(settings.read_dir, url)
    signed = max(0, verdict.sealed - verdict.events)
    return Found(verdict.events, verdict.incarnation, signed, lost)


def must_be_put_back(found: Found) -> None:
    """Raises NotPutBack where nothing is gone, as far as this node knows."""
    if found.is_whole:
        raise NotPutBack(
            "Nothing was put back here, as far as this node knows: all that was signed of the log "
            "is in it, and this node has read no further. Nothing was changed. Give this on a node "
            "that has stopped serving; or, if the log was put back all the same: --insist"
        )


def begin_anew(settings: Settings, erasures: list[Erasure]) -> PutBack:
    """Makes the log a new incarnation, after its database was put back to an earlier state.

    All that is in it is kept. Nodes that had read further see the new id and build their tables
    anew; without it they stop. Users on the list of erasures are removed again. No node may write
    meanwhile: stop them.

    Raises:
        WrongSecretKey, CannotOpen, Unavailable: see there.
    """
    with Parts(settings) as parts:
        _ = parts.vault
        count, log = _begin(parts)
        erased = parts.removal.again(erasures, parts.operator()) if erasures else []
    return PutBack(count, log.incarnation or "", erased)


def _judged(settings: Settings) -> Verdict:
    """What the signed checkpoints say of the log as it is."""
    verdict = judged(settings)
    damage = verdict.damage
    if damage and damage.kind != "cut":
        raise NotPutBack(
            "The log is not an earlier state of what was signed of it. At rank "
            f"{damage.rank}: {damage.text}. See export-tasks audit verify."
        )
    return verdict


def _begin(parts: Parts) -> tuple[int, Log]:
    """Counts the events and writes the next one: nobody comes in between."""
    with parts.log.writing() as cursor, _without_writers(parts.log, cursor):
        cursor.execute("SELECT count(*) AS number FROM stored_events")
        count = int(cursor.fetchone()["number"])
        journal = Journal(_within(parts.log, cursor), clock=parts.log.clock)
        return count, Ledger(journal).begin_anew(count, parts.operator())


@contextmanager
def _without_writers(log: OpenLog, cursor: Cursor) -> Iterator[None]:
    if log.kind != "postgresql":
        yield
        return
    from projections.stores.postgres_recorder import LOCK

    with cast("QuestionMarks", cursor).taking_time():
        cursor.execute(LOCK)
        yield


def _within(log: OpenLog, cursor: Cursor) -> ApplicationRecorder:
    """A recorder that reads what is committed, and writes in a transaction that is open."""
    return cast("ApplicationRecorder", _Within(log, cursor))


class _Within:
    def __init__(self, log: OpenLog, cursor: Cursor) -> None:
        self.select_events = log.recorder.select_events
        self._cursor = cursor

    def insert_events(self, stored: Sequence[StoredEvent], **_: Any) -> None:
        for each in stored:
            stream = cast("Any", each.originator_id).hex
            self._cursor.execute(_INSERT, (stream, each.originator_version, each.topic, each.state))
