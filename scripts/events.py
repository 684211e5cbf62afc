"""Events: the stored log page by page, each event with what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import sleep
from typing import TYPE_CHECKING, Any

from domain.stored import event_mapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import ApplicationRecorder, StoredEvent

PAGE = 500
STREAMS_REMEMBERED = 10_000
FOLLOW_SECONDS = 0.5

_MAPPER = event_mapper()
_SUBJECT = ("task_id", "project_id", "user_id")
_ENVELOPE = ("originator_id", "originator_version", "timestamp")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stored event: its place in the log, its facts, and whom and what it is about."""

    position: int
    stream: UUID
    version: int
    time: datetime
    topic: str
    about: dict[str, str]
    facts: dict[str, Any]

    def is_about(self, wanted: Mapping[str, str | None]) -> bool:
        """Is each name that is wanted what the event says of it?"""
        return all(wish is None or self.about.get(name) == wish for name, wish in wanted.items())

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


def pages(
    recorder: ApplicationRecorder, start: int, *, follow: bool = False
) -> Iterator[list[Recorded]]:
    """The log from a position on, in bounded memory; with `follow`, without an end."""
    origin = lru_cache(STREAMS_REMEMBERED)(lambda stream: _first_subject(recorder, stream))
    while True:
        page = recorder.select_notifications(start, PAGE)
        if page:
            yield [_recorded(event.id, event, origin) for event in page]
            start = page[-1].id + 1
        elif follow:
            sleep(FOLLOW_SECONDS)
        else:
            return


def _recorded(
    position: int, event: StoredEvent, origin: Callable[[UUID], dict[str, str]]
) -> Recorded:
    said = dict(_facts(event))
    stream, version, time = (said.pop(name) for name in _ENVELOPE)
    about = origin(stream) | _subject(said)
    return Recorded(position, stream, version, time, event.topic, about, said)


def _first_subject(recorder: ApplicationRecorder, stream: UUID) -> dict[str, str]:
    """Later events of a task do not repeat whose it is; its first one says so."""
    (first,) = recorder.select_events(stream, limit=1)
    return _subject(_facts(first))


def _facts(event: StoredEvent) -> dict[str, Any]:
    return _MAPPER.to_domain_event(event).__dict__


def _subject(facts: Mapping[str, Any]) -> dict[str, str]:
    return {name: facts[name] for name in _SUBJECT if facts.get(name)}
