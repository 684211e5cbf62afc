"""Bounds: how much of the log an answer must, and how much it may, have been given from.

What was acknowledged before a request was sent is in what it read; what was asked for only after
its answer came is not. Between the two the answer must be true of one prefix of the log.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.torture.records import Exchange
    from tests.torture.story import Story


class Window(NamedTuple):
    """From the prefix of `first` events to that of `last`."""

    first: int
    last: int


class Bounds:
    """The windows of all exchanges of a run."""

    def __init__(self, exchanges: list[Exchange], story: Story) -> None:
        self._all = story.judge.heard
        appends = story.appends
        wrote = [each for each in exchanges if each.request_id in appends]
        # A 503 acknowledges nothing: a database that stood still may do later what it was sent.
        told = [each for each in wrote if each.status != 503]
        known = [(each.received, appends[each.request_id].last) for each in told]
        known += [(each.received, seen) for each in exchanges for seen in _seen(each, story)]
        asked = sorted(((each.sent, appends[each.request_id].first) for each in wrote), key=_when)
        known.sort(key=_when)
        self._known_at = [when for when, _ in known]
        self._known = list(accumulate((number for _, number in known), max))
        self._asked_at = [when for when, _ in asked]
        latest_first = accumulate((number for _, number in reversed(asked)), min)
        self._asked = list(latest_first)[::-1]

    def window(self, exchange: Exchange) -> Window:
        """Of one that was answered."""
        known = bisect_left(self._known_at, exchange.sent)
        asked = bisect_right(self._asked_at, exchange.received)
        first = self._known[known - 1] if known else 0
        last = self._asked[asked] - 1 if asked < len(self._asked) else self._all
        return Window(first, last)


def _when(pair: tuple[float, int]) -> float:
    return pair[0]


def _seen(exchange: Exchange, story: Story) -> list[int]:
    """Ends of tasks that the answer told of: whoever asks later must be told of them too."""
    found = []
    for task_id, status in exchange.shown:
        task = story.judge.tasks.get(task_id)
        if task and status != "Processing" and task.statuses[-1][1] == status:
            found.append(task.statuses[-1][0])
    return found
