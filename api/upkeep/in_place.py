"""In place: a log that its database's own tools put back becomes a new incarnation of itself."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from api.audit.given import CHECKPOINTS, KEYS, read_given, tiles_of
from api.audit.place import LocalPlace, open_place
from api.audit.stored import open_events
from api.audit.verify import verify
from api.parts import Parts
from api.upkeep.event_places import event_place
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
    """The log is not an earlier state of what was signed."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """How many events the log has kept, and of which incarnation it is now.

    `lost` is how many events more are known to have been there; who was removed again (ids).
    """

    events: int
    lost: int
    previous: str | None
    incarnation: str
    erased: list[str]


def begin_anew(settings: Settings, erasures: list[Erasure], *, tell: Tell) -> PutBack:
    """Makes the log a new incarnation, after its database was put back to an earlier state.

    All that is in it is kept. Nodes that had read further see the new id and build their tables
    anew; without it they stop. Users on the list of erasures are removed again. No node may write
    meanwhile: stop them.

    Raises:
        NothingThere: there is no log.
        NotPutBack: its events are not those that were signed; the text says from where on.
        WrongSecretKey, CannotOpen, CannotRead, Unavailable: see there.
    """
    event_place(settings).must_be_there()
    tell("comparing the log with what was signed of it")
    verdict = _judged(settings)
    with Parts(settings) as parts:
        _ = parts.vault
        count, log = _begin(parts)
        erased = parts.removal.again(erasures, parts.operator()) if erasures else []
    lost = max(0, verdict.sealed - verdict.events)
    return PutBack(count, lost, verdict.incarnation, log.incarnation or "", erased)


def rehearse(settings: Settings) -> tuple[int, int]:
    """How many events the log has kept, and how many more there were; nothing is changed.

    Raises:
        NothingThere, NotPutBack, CannotOpen, CannotRead: as `begin_anew`.
    """
    event_place(settings).must_be_there()
    verdict = _judged(settings)
    return verdict.events, max(0, verdict.sealed - verdict.events)


def _judged(settings: Settings) -> Verdict:
    """What the signed checkpoints say of the log as it is."""
    place = open_place(settings.audit)
    folder = cast("LocalPlace", place).folder
    notes, keys = folder / CHECKPOINTS, folder / KEYS
    given = read_given([notes] if notes.exists() else [], [str(keys)] if keys.exists() else [])
    with open_events(settings.events) as events:
        verdict = verify(events, given.sealed, lambda name: tiles_of(folder, name))
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
