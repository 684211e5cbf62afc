"""Recovery: how soon after each fault the first request succeeded, and that none hung meanwhile."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.cluster.plan import STORE, UPGRADE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.cluster.chaos import Struck
    from tests.torture.records import Exchange

SUCCESS = (200, 201, 204, 206)
OF_FILES = ("download", "resume", "head")
STANDING = ("stop node", "stop api", "stop exporter", "kill node", "restart node", UPGRADE)
"""After which requests may wait longer: a node that starts listens before it answers."""

LONGEST = 12.0
LONGEST_OF_FILES = 19.0
"""Seconds that a request may wait: for a database that stands still; for a result store that hangs
and then such a database.
"""


def recoveries(
    struck: Sequence[Struck], exchanges: Sequence[Exchange], ports: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Of each kind of fault: how often, and how many seconds from its end to the first success.

    After a fault of a node that is one that it answered; after one of the result store, a download.
    """
    answered = sorted((e for e in exchanges if e.status in SUCCESS), key=lambda each: each.sent)
    found = defaultdict(list)
    for each in struck:
        found[each.fault.kind].append(_seconds(each, answered, ports))
    return {
        kind: {"times": len(all_), **_told([each for each in all_ if each is not None])}
        for kind, all_ in sorted(found.items())
    }


def hung(
    struck: Sequence[Struck], exchanges: Sequence[Exchange], ports: Sequence[int]
) -> Iterator[str]:
    """Requests that waited for longer than time-outs last, though their node worked."""
    stops = [
        (ports[int(each.fault.target)], each.began, each.ended)
        for each in struck
        if each.fault.kind in STANDING
    ]
    for each in exchanges:
        waited = each.received - each.sent
        if waited > (LONGEST_OF_FILES if each.kind in OF_FILES else LONGEST):
            met = [port for port, began, ended in stops if _during(each, began, ended)]
            if each.port not in met:
                yield f"{each.kind}: waited for {waited:.1f} s; meanwhile {_met(each, struck)}"


def undisturbed(
    struck: Sequence[Struck], exchanges: Sequence[Exchange], grace: float
) -> list[Exchange]:
    """503s of times when nothing had been done to anybody for so many seconds."""
    return [
        each
        for each in exchanges
        if each.status == 503
        and not any(s.began <= each.received and each.sent <= s.ended + grace for s in struck)
    ]


def _during(exchange: Exchange, began: float, ended: float) -> bool:
    return began < exchange.received and ended > exchange.sent


def _met(exchange: Exchange, struck: Sequence[Struck]) -> str:
    met = (
        f"{each.fault.kind} ({each.fault.target}) from {each.began - exchange.sent:+.1f}"
        f" to {each.ended - exchange.sent:+.1f} s"
        for each in struck
        if _during(exchange, each.began, each.ended)
    )
    return ", ".join(met) or "nothing happened"


def _seconds(struck: Struck, answered: Sequence[Exchange], ports: Sequence[int]) -> float | None:
    target = struck.fault.target
    start = bisect_left(answered, struck.ended, key=lambda each: each.sent)
    for each in answered[start:]:
        if target == STORE and each.kind not in OF_FILES:
            continue
        if isinstance(target, str) or each.port == ports[target]:
            return each.received - struck.ended
    return None


def _told(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {"median_s": round(median(seconds), 2), "most_s": round(max(seconds), 2)}
