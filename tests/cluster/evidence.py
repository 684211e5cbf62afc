"""Evidence: the events that a finding is about, for whoever reads it."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from tests.judge import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.judge import Told
    from tests.torture.stored import Stored

FINDINGS = 10
EVENTS = 25
AROUND = 3
"""Events before and after the one that a rule was broken by."""

_NUMBER = re.compile(r"\bevent (\d+)\b")
_ID = re.compile(r"\b[0-9a-f]{24,32}\b")


def evidence(wrongs: Sequence[str], stored: Iterable[Stored]) -> dict[str, list[str]]:
    """Of the first findings, the events that they name by number, task or request."""
    events = list(enumerate(map(told, stored), 1))
    return {wrong: list(islice(_about(wrong, events), EVENTS)) for wrong in wrongs[:FINDINGS]}


def _about(wrong: str, events: list[tuple[int, Told]]) -> Iterator[str]:
    numbers = [int(each) for each in _NUMBER.findall(wrong)]
    ids = set(_ID.findall(wrong))
    for number, event in events:
        near = any(abs(number - each) <= AROUND for each in numbers)
        if near or ids & {event.stream, *map(str, event.fields.values())}:
            yield _line(number, event)


def _line(number: int, event: Told) -> str:
    fields = {name: value for name, value in event.fields.items() if name != "timestamp"}
    when = event.fields["timestamp"].isoformat()
    return f"{number:>6}  {when}  {event.topic} {event.version}  {fields}"[:400]
