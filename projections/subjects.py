"""Subjects: whom and what an event is about."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    Facts = Mapping[str, Any]

Stream = TypeVar("Stream", bound="Hashable")

SUBJECT = ("task_id", "project_id", "user_id")
"""The facts that say it, the narrowest first."""

STREAMS_REMEMBERED = 10_000


def subject_of(facts: Facts) -> dict[str, str]:
    """What these facts say of it."""
    return {name: facts[name] for name in SUBJECT if facts.get(name)}


def is_about(subject: Mapping[str, str], wanted: Mapping[str, str | None]) -> bool:
    """Is each name that is wanted what the subject says of it?"""
    return all(wish is None or subject.get(name) == wish for name, wish in wanted.items())


def subjects(first: Callable[[Stream], Facts]) -> Callable[[Stream, Facts], dict[str, str]]:
    """Tells the subject of an event by its stream and facts.

    Later events of a stream do not repeat whose it is; its first one, whose facts `first` tells,
    says so.
    """

    @lru_cache(STREAMS_REMEMBERED)
    def origin(stream: Stream) -> dict[str, str]:
        return subject_of(first(stream))

    return lambda stream, facts: origin(stream) | subject_of(facts)
