"""Pacing: requests sent when they are due, whatever the server does, and how late the answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import perf_counter, sleep
from typing import TYPE_CHECKING, NamedTuple

from scripts.benchmarks.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts.benchmarks.homes import Server

CONNECTIONS = 8
"""So many requests may be late at a time before one that is due must wait to be sent."""


class Due(NamedTuple):
    """A request, how many seconds after the beginning it is sent, and what is expected of it."""

    at: float
    kind: str
    request: bytes
    status: int


def paced(server: Server, requests: Iterable[Due]) -> dict[str, list[float]]:
    """Sends each when it is due; of each kind, the seconds from then until each was answered.

    Raises:
        Unexpected: an answer of another status.
    """
    waiting, taken = iter(sorted(requests)), dict[str, list[float]]()

    def send(wire: Wire) -> None:
        while due := next(waiting, None):
            sleep(max(0.0, began + due.at - perf_counter()))
            wire.exchange([due.request], due.status)
            taken.setdefault(due.kind, []).append(perf_counter() - began - due.at)

    with ExitStack() as open_ones, ThreadPoolExecutor(CONNECTIONS) as senders:
        wires = [open_ones.enter_context(Wire(server, 1)) for _ in range(CONNECTIONS)]
        began = perf_counter()
        list(senders.map(send, wires))
    return taken
