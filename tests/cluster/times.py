"""Times: whether what a file says of its data's age was told by the log's clock, not a node's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.judge import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SLACK = timedelta(seconds=2)


def times_wrong(stored: Iterable[Any]) -> Iterator[str]:
    """Files whose data would be older than their task, or newer than its end."""
    begun: dict[str, datetime] = {}
    for event in map(told, stored):
        if event.topic == "task.created":
            begun[event.stream] = event.fields["timestamp"]
        elif event.topic == "task.completed":
            as_of = datetime.fromisoformat(event.fields["data_as_of"])
            ended = event.fields["timestamp"]
            if not begun[event.stream] - SLACK <= as_of <= ended + SLACK:
                yield f"{event.fields['file']}: data as of {as_of}, ended {ended}"
