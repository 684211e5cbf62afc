"""Facts: stored events read as the library's mapper reads them, the usual ones in half its time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from msgspec import DecodeError
from msgspec.json import Decoder

from domain.stored import EVENTS, event_mapper

if TYPE_CHECKING:
    from eventsourcing.persistence import StoredEvent

    from domain.fact import Fact

_MAPPER = event_mapper()
_DECODER = Decoder(dict[str, Any])
_PLAIN = {event.TOPIC: event for event in EVENTS if getattr(event, "class_version", 1) == 1}


def fact_of(event: StoredEvent) -> Fact:
    """The fact that was stored.

    Raises:
        Exception: it cannot be read, in whatever way the mapper says so.
    """
    return _usual(event) or cast("Fact", _MAPPER.to_domain_event(event))


def _usual(event: StoredEvent) -> Fact | None:
    """A fact of the stored form that the mapper writes today; None: let the mapper read it.

    One value in it is of a type of its own, the time. The mapper looks for such values in every
    object of the JSON text, however it is spelled; so what could hold another one is left to it.
    """
    kind, state = _PLAIN.get(event.topic), event.state
    if kind is None or type(state) is not bytes or type(event.originator_id) is not UUID:
        return None
    if state.count(b"_type_") != 1 or b"\\u" in state:
        return None
    try:
        values = _DECODER.decode(state)
        time = values["timestamp"]
        if len(time) != 2 or time["_type_"] != "datetime_iso" or "class_version" in values:
            return None
        values["timestamp"] = datetime.fromisoformat(time["_data_"])
    except (DecodeError, LookupError, RecursionError, TypeError, ValueError):
        return None
    values["originator_id"] = event.originator_id
    values["originator_version"] = event.originator_version
    fact: Fact = object.__new__(kind)
    object.__setattr__(fact, "__dict__", values)
    return fact
