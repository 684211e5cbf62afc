"""Chaos: strikes the cluster as planned, each target by a hand of its own: faults overlap."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from tests.cluster.plan import UPGRADE
from tests.torture import started
from tests.torture.running import send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from tests.cluster.node import Node
    from tests.cluster.plan import Fault
    from tests.cluster.scene import Scene

LATE = 3.0
"""Seconds by which a fault may come late; where its target had not recovered, it is left out."""

AHEAD = 600.0
SLOWEST = 0.3
"""Seconds by which a slow store holds up each 64 KiB, at most."""

FREE_BYTES = (0, 0, 200_000, 2_000_000)
"""What a full disk may still have."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that fell: from when to when, on this process's monotonic clock."""

    fault: Fault
    began: float
    ended: float


class Chaos:
    """Every target has a thread of its own, which lives until the end."""

    def __init__(self, scene: Scene, say: Callable[[str], object]) -> None:
        self._scene, self._say = scene, say
        self._over = Event()
        self.struck: list[Struck] = []
        self.missed: list[Fault] = []
        targets = range(len(scene.nodes))
        self._hands = {str(each): ThreadPoolExecutor(1, f"node {each}") for each in targets}
        self._hands |= {"database": scene.servers.hand, "store": ThreadPoolExecutor(1, "store")}

    def strike(self, faults: Iterable[Fault]) -> list[Future[None]]:
        """Strikes each when its time comes; returns when the last has begun, or when it is over."""
        began, under_way = monotonic(), []
        for fault in faults:
            if self._over.wait(max(0.0, began + fault.at - monotonic())):
                break
            hand = self._hands[str(fault.target)]
            under_way.append(hand.submit(self._strike, fault, began + fault.at))
        return under_way

    def end(self) -> None:
        """What is under way ends at once, and everything runs again."""
        self._over.set()
        for name, hand in self._hands.items():
            if name != "database":
                hand.shutdown()

    def _strike(self, fault: Fault, due: float) -> None:
        late = monotonic() - due > LATE and fault.kind != UPGRADE
        if self._over.is_set() or late:
            self.missed.append(fault)
            return
        what, _, whom = fault.kind.partition(" ")
        began, struck = monotonic(), self._struck(fault, what, whom)
        if next(struck, None) is None:
            self.missed.append(fault)
            return
        self._say(f"{fault.kind} ({fault.target})")
        self._over.wait(fault.seconds)
        for _ in struck:  # undone
            pass
        self.struck.append(Struck(fault, began, monotonic()))

    def _struck(self, fault: Fault, what: str, whom: str) -> Iterator[bool]:
        """Does it, yields where there was somebody to do it to, and undoes it."""
        if isinstance(fault.target, str):
            return self._server(fault.kind, fault.draw)
        node = self._scene.nodes[fault.target]
        if whom == "node":
            do = {"kill": _kill, "restart": _restart, "stop": _stop, "upgrade": _upgrade}
            return do[what](node)
        if whom == "disk":
            return _fill(node, FREE_BYTES[int(fault.draw * len(FREE_BYTES))])
        if whom == "clock":
            return _step(node, AHEAD if fault.draw < 0.7 else -AHEAD)
        return _process(node, whom, fault.draw, what == "stop")

    def _server(self, kind: str, draw: float) -> Iterator[bool]:
        servers = self._scene.servers
        database, store, wire = servers.database, servers.store, servers.wire
        do, undo = {
            "slow store": (lambda: wire.slow(draw * SLOWEST), lambda: wire.slow(0)),
            "restart database": (database.stop, database.start),
            "kill database": (database.kill, database.start),
            "freeze database": (database.freeze, database.thaw),
            "kill store": (store.kill, store.start),
            "pause store": (store.pause, store.resume),
        }[kind]
        return _done(do, undo)


def _done(do: Callable[[], object], undo: Callable[[], object]) -> Iterator[bool]:
    do()
    yield True
    undo()


def _kill(node: Node) -> Iterator[bool]:
    """A power cut: all of its processes at once; then it starts again."""
    if not node.running.runs:
        return
    node.running.kill(everything=True)
    yield True
    node.running.up()


def _restart(node: Node) -> Iterator[bool]:
    """In order, as for an upgrade."""
    if not node.running.runs:
        return
    node.running.stop()
    yield True
    node.running.up()


def _upgrade(node: Node) -> Iterator[bool]:
    """From an earlier program to this one, in order."""
    node.running.command_line = started.command_line
    return _restart(node)


def _stop(node: Node) -> Iterator[bool]:
    """All of its processes stand still, longer than a lease, and go on."""
    pids = node.pids() if node.running.runs else []
    yield from _halted(pids)


def _fill(node: Node, leave: int) -> Iterator[bool]:
    """Its disk has so many bytes left, or so; nothing happens where it has none of its own."""
    if node.disk:
        node.disk.fill(leave)
        yield True
        node.disk.free()


def _process(node: Node, kind: str, draw: float, halt: bool) -> Iterator[bool]:
    found = node.running.processes(kind) if node.running.runs else []
    pid = found[int(draw * len(found))] if found else None
    if halt:
        yield from _halted([pid] if pid else [])
    elif pid and send(pid, signal.SIGKILL):
        yield True


def _halted(pids: list[int]) -> Iterator[bool]:
    met = [pid for pid in pids if send(pid, signal.SIGSTOP)]
    if met:
        yield True
    for pid in met:
        send(pid, signal.SIGCONT)


def _step(node: Node, off: float) -> Iterator[bool]:
    node.clock.set(off)
    yield True
    node.clock.set(0.0)
