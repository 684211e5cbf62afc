"""Events: the stored log page by page, each event with what it is about, in three forms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import sleep
from typing import TYPE_CHECKING, Any, cast

from domain.log import LOG_STREAM, Log
from projections.facts import fact_of
from projections.position import in_words
from projections.subjects import SUBJECT, is_about, subjects
from scripts.talk import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Notification, StoredEvent

    from projections.log import Recorder

PAGE = 500
FOLLOW_SECONDS = 0.5

_PLACE = ("originator_id", "originator_version")
_WHO = {"by": "actor", "key": "accesskey", "address": "address", "request_id": "requestid"}
_POSITION_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stored event: its place in the log, its facts, and whom and what it is about.

    `incarnation` is the log's at that place; None where it never had one. Of an event that
    cannot be read the facts are the error and the stored text, and there is no time.
    """

    position: int
    stream: UUID
    version: int
    time: datetime | None
    topic: str
    incarnation: str | None
    about: dict[str, str]
    facts: dict[str, Any]

    def is_about(self, wanted: Mapping[str, str | None]) -> bool:
        """Is each name that is wanted what the event says of it?"""
        return is_about(self.about, wanted)

    def with_address(self, unseal: Callable[[str, str], str | None]) -> Recorded:
        """Another address, where there is one; `unseal` is told whose it is, and the one here."""
        sealed = self.facts.get("address")
        if sealed is None:
            return self
        return replace(self, facts=self.facts | {"address": unseal(self.facts["by"], sealed)})

    def document(self) -> dict[str, Any]:
        """All of it, for a program."""
        return {
            "position": self.position,
            "time": self.time,
            "event": self.topic,
            "stream": self.stream.hex,
            "version": self.version,
            **self.about,
            **self.facts,
        }

    def cloud_event(self) -> dict[str, Any]:
        """All of it as a CloudEvent 1.0.2, whose names of attributes are small letters and digits.

        `sequence` is the position, filled up with zeros so that it sorts as text. The source names
        the incarnation: after a restore an event's place, its id here, may be given again.
        """
        said = {name: fact for name, fact in self.facts.items() if name not in _WHO}
        known = {
            "time": self.time and stamp(self.time, "auto"),
            "subject": self._subject(),
            **{theirs: self.facts.get(ours) for ours, theirs in _WHO.items()},
        }
        return {
            "specversion": "1.0",
            "id": f"{self.stream}/{self.version}",
            "source": f"urn:export-tasks:log:{self.incarnation or 'none'}",
            "type": self.topic,
            "sequence": f"{self.position:0{_POSITION_DIGITS}}",
            **{name: fact for name, fact in known.items() if fact is not None},
            "datacontenttype": "application/json",
            "data": self.about | said,
        }

    def _subject(self) -> str | None:
        """The narrowest of what it is about."""
        named = next(filter(self.about.get, SUBJECT), None)
        return f"{named.removesuffix('_id')}/{self.about[named]}" if named else None


def pages(
    recorder: Recorder, start: int, to: int | None = None, *, follow: bool = False
) -> Iterator[list[Recorded]]:
    """The log between two positions, in bounded memory; with `follow`, whatever comes too."""
    reader = _Reader(recorder, start)
    while to is None or start <= to:
        page = recorder.select_notifications(start, PAGE)
        if page:
            yield [reader.read(event) for event in page if to is None or event.id <= to]
            start = page[-1].id + 1
        elif follow:
            sleep(FOLLOW_SECONDS)
        else:
            return


class _Reader:
    """Reads events one after the other; what an event leaves out, earlier ones said."""

    def __init__(self, recorder: Recorder, start: int) -> None:
        self._recorder = recorder
        self._about = subjects(self._first_facts)
        before = recorder.events_of(LOG_STREAM, until=start - 1, newest=1)
        begun = [*before, *recorder.select_events(LOG_STREAM, limit=1)]
        self._incarnation = _facts(begun[0]).get("incarnation") if begun else None

    def read(self, event: Notification) -> Recorded:
        said, stream = _facts(event), cast("UUID", event.originator_id)
        if event.topic == Log.Begun.TOPIC:
            self._incarnation = said.get("incarnation", self._incarnation)
        return Recorded(
            event.id,
            stream,
            event.originator_version,
            said.pop("timestamp", None),
            event.topic,
            self._incarnation,
            self._about(stream, said),
            said,
        )

    def _first_facts(self, stream: UUID) -> dict[str, Any]:
        (first,) = self._recorder.select_events(stream, limit=1)
        return _facts(first)


def _facts(event: StoredEvent) -> dict[str, Any]:
    """What an event says beside its place; an auditor gets to see what nobody can read, too."""
    try:
        said = dict(fact_of(event).__dict__)
    except Exception as error:  # noqa: BLE001 (whatever it is, the others can be read)
        return {"error": in_words(error), "state": event.state.decode(errors="replace")}
    return {name: fact for name, fact in said.items() if name not in _PLACE}
