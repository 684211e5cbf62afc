"""Fairness: what share of a hot owner's creates each API process gets done, nobody disturbing.

What is measured is the contest of writers for one owner in the event store: so every process gets
the same number of connections, each of which creates a task, deletes it as soon as it is answered,
and creates the next; nothing is refused for want of a slot.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.service import eventually
from tests.torture.clients import Client, quota

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.torture.clients import Load
    from tests.torture.running import Running

A_PROCESS = 3
"""Connections to each process."""

MOST_TRIED = 400
FEWEST = 100
"""Creates of the busiest process, below which nothing can be told."""

LONGEST = 90.0
"""Seconds that a slow machine may take for as many."""

LEAST_SHARE = 0.5


@dataclass(slots=True)
class Shares:
    """Creates done by each process, and where connections went that nobody placed."""

    creates: dict[int, int] = field(default_factory=dict)
    unplaced: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def share(self) -> float:
        """The slowest process's part of the busiest one's creates."""
        return min(self.creates.values()) / max(1, max(self.creates.values()))

    def wrongs(self) -> list[str]:
        """What is wrong with them."""
        if max(self.creates.values()) < FEWEST:
            return [f"fairness: too few creates to tell anything: {self.creates}"]
        if self.share < LEAST_SHARE:
            return [f"fairness: one process got {self.share:.2f} of another's: {self.creates}"]
        return []

    def document(self) -> dict[str, Any]:
        """For the report; processes are told by number, not by pid."""
        creates, unplaced = sorted(self.creates.values()), sorted(self.unplaced.values())
        return {
            "creates": creates,
            "share": round(self.share, 3),
            "connections_as_they_fell": unplaced,
            "seconds": round(self.seconds, 1),
        }


def measured(load: Load, running: Running, seconds: float, workers: int) -> Shares:
    """Lets the hot owner's clients loose on all processes."""
    eventually(lambda: len(running.ready("api")) == workers)
    shares = Shares()
    placed = _placed(load, running, shares)
    done: Counter[int] = Counter(dict.fromkeys(placed, 0))
    began = monotonic()

    def over() -> bool:
        passed = monotonic() - began
        return passed >= seconds and (max(done.values()) >= FEWEST or passed >= LONGEST)

    threads = [
        Thread(target=_create, args=(load, client, over, pid, done), daemon=True)
        for pid, clients in placed.items()
        for client in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shares.creates, shares.seconds = dict(done), monotonic() - began
    return shares


def _placed(load: Load, running: Running, shares: Shares) -> dict[int, list[Client]]:
    """Connections, as many to each process: which one holds one, its log tells."""
    pids = running.processes("api")
    placed: dict[int, list[Client]] = {pid: [] for pid in pids}
    spare: list[Client] = []
    fell: Counter[int] = Counter(dict.fromkeys(pids, 0))
    known: dict[str, int] = {}
    begun = running.log.stat().st_size
    for number in range(MOST_TRIED):
        client = Client(load, 1000 + number)
        pid = _process_of(client, running, known, begun)
        fell[pid] += 1
        if len(placed.get(pid, spare)) < A_PROCESS and pid in placed:
            placed[pid].append(client)
        else:
            spare.append(client)  # stays open, so that the next falls elsewhere
        if all(len(each) == A_PROCESS for each in placed.values()):
            break
    for client in spare:
        client.hang_up()
    shares.unplaced = dict(fell)
    return placed


def _process_of(client: Client, running: Running, known: dict[str, int], begun: int) -> int:
    def answered() -> int | None:
        exchange = quota(client, hot)
        if exchange.request_id:
            eventually(lambda: _look(running, known, begun, exchange.request_id))
        return known.get(exchange.request_id)

    hot = client.load.household.hot
    return int(eventually(answered))


def _look(running: Running, known: dict[str, int], begun: int, request_id: str) -> bool:
    known.update(running.served_by(begun))
    return request_id in known


def _create(
    load: Load, client: Client, over: Callable[[], bool], pid: int, done: Counter[int]
) -> None:
    hot = load.household.hot
    batch = load.household.small
    while not over():
        exchange, answer = client.ask("create", hot, "POST", hot.tasks, body=batch.body())
        client.expect(exchange, {201: ("",), 403: ("IOTDA.014701",)})
        if answer is not None and answer.status == 201:
            exchange.task_id = task_id = answer.document["export_task_id"]
            done[pid] += 1
            path = f"{hot.tasks}/{task_id}"
            exchange, _ = client.ask("delete", hot, "DELETE", path, task_id=task_id)
            client.expect(exchange, {204: ("",), 404: ("IOTDA.014702",)})
    client.hang_up()
