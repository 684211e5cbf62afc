"""Hot: an owner whose tasks four processes create, while two others create those of a thousand."""

from __future__ import annotations

from itertools import chain
from statistics import median
from typing import TYPE_CHECKING

from projections.log import open_log
from scripts.benchmarks.contest import CONTENDING
from scripts.benchmarks.figures import Figure, percentile
from scripts.benchmarks.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nodes.place import Place
    from tests.nodes.sizes import Sizes

HOT, MANY = 4, 2
"""Processes of the hot owner, and of all the others."""

OWNERS = 1000
OTHERS = "a create of the others"


def measure(place: Place, sizes: Sizes, runs: int) -> Iterator[Figure]:
    """What a create takes: the median, 99 of 100, the slowest."""
    rounds = [_round(place, sizes.seconds) for _ in range(runs)]
    what = f"a create of a hot owner beside {OWNERS:,} owners"
    for unit, of in (
        ("ms for half", median),
        ("ms for 99 of 100", lambda taken: percentile(taken, 0.99)),
        ("ms for the slowest", max),
    ):
        hot, others = ([of(each[who]) * 1e3 for each in rounds] for who in (0, 1))
        yield Figure(what, unit, OTHERS, tuple(hot), tuple(others))


def _round(place: Place, seconds: float) -> tuple[list[float], list[float]]:
    events = place.fresh()
    open_log(events).close()
    hot = [[CONTENDING, events, str(seconds)]] * HOT
    many = [[CONTENDING, events, str(seconds), str(OWNERS)]] * MANY
    _, taken = together(*hot, *many)
    return list(chain(*taken[:HOT])), list(chain(*taken[HOT:]))
