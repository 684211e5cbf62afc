"""A rebuild of many events beside live tables that are read meanwhile, and what the seal costs."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, closing, contextmanager
from math import ceil
from threading import Event, Thread
from time import perf_counter, sleep
from typing import TYPE_CHECKING
from unittest.mock import patch

from projections import position
from projections.follower import Follower
from projections.log import open_log
from projections.seal import HASH_BYTES, Seal
from projections.stores.sqlite import event_file
from projections.tables import ReadTables
from scripts.benchmarks import history, homes, raw, tasks
from scripts.benchmarks.figures import (
    CPU_EACH,
    SECONDS,
    Figure,
    Sample,
    Stopwatch,
    at_most,
    compare,
    percentile,
)
from scripts.benchmarks.replay import PATIENCE_SECONDS, READ
from scripts.benchmarks.service import LISTED, PATH
from scripts.benchmarks.wire import Wire, signed
from scripts.group import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.parts import Parts
    from scripts.benchmarks.sizes import Sizes

READS_PER_SECOND = 100
WARM = 20
ALONE, READ_MEANWHILE = "alone", "while it is read"
IDLE = "no rebuild"
UNSEALED = "the same without the seal"
_SHARE = 0.99


class NotRebuilt(Exception):
    """The command failed; its own words are in the text."""


def live(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Rebuilt, compared and swapped by the command, while the API answers at a stated rate."""
    with homes.parts_of(folder) as parts, ExitStack() as stack:
        (user,) = homes.settle(parts, 1)
        for _ in range(LISTED):
            parts.ledger.create(tasks.creating(user.owner))
        history.fill(parts.log.recorder, sizes.live)
        with parts.follower.caught_up(PATIENCE_SECONDS):
            pass
        server = stack.enter_context(homes.api(parts.settings))
        request = signed(user, "GET", PATH)
        rounds = [_round(parts, server, request, sizes.reads // runs) for _ in range(runs)]
    samples = [each for each, _ in rounds]
    for ours in (ALONE, READ_MEANWHILE):
        bar = at_most(4) if ours == ALONE else None
        yield compare(f"rebuild {ours}", SECONDS, samples, READ, ours, bar)
    latencies = [each for _, each in rounds]
    yield Figure(
        f"a list of {LISTED}, {READS_PER_SECOND} a second",
        "ms for 99 of 100",
        IDLE,
        tuple(each[READ_MEANWHILE] for each in latencies),
        tuple(each[IDLE] for each in latencies),
    )


def seal(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """A catch-up from nothing, with the seal and without, in turns."""
    with closing(open_log(f"sqlite:///{folder}/events.sqlite")) as log:
        events = history.fill(log.recorder, sizes.sealed)
        rounds = []
        for number in range(runs):
            names = ("ours", UNSEALED) if number % 2 else (UNSEALED, "ours")
            watches = {name: Stopwatch() for name in names}
            for name in names:
                follower = Follower(log.recorder, ReadTables(folder / f"{number}-{name[:4]}"))
                with _sealed(name == "ours"), watches[name]:
                    follower.caught_up(PATIENCE_SECONDS).__enter__()
                follower.tables.close()
            rounds.append({name: watch.sample(events) for name, watch in watches.items()})
    yield compare("catch-up with the seal", CPU_EACH, rounds, UNSEALED)


def _round(
    parts: Parts, server: homes.Server, request: bytes, reads: int
) -> tuple[dict[str, Sample], dict[str, float]]:
    idle = _read(server, request, ceil(reads / 10))
    log = event_file(parts.settings.events)
    samples = {READ: raw.read_events_of(log), ALONE: _rebuild(parts)}
    over, rebuilt = Event(), []

    def go_on() -> None:
        while not over.is_set():
            rebuilt.append(_rebuild(parts))

    rebuilding = Thread(target=go_on)
    rebuilding.start()
    try:
        meanwhile = _read(server, request, reads)
    finally:
        over.set()
        rebuilding.join()
    samples[READ_MEANWHILE] = rebuilt[0]
    return samples, {IDLE: _most(idle), READ_MEANWHILE: _most(meanwhile)}


def _rebuild(parts: Parts) -> Sample:
    """The command as an operator runs it, its start included."""
    began = perf_counter()
    done = subprocess.run(  # noqa: S603 (our own)
        command_line("rebuild"),
        cwd=homes.ROOT,
        env=parts.settings.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotRebuilt(done.stderr)
    return Sample(parts.follower.position().count, perf_counter() - began)


def _read(server: homes.Server, request: bytes, reads: int) -> list[float]:
    """Sends one at a time at the stated rate; how many seconds each took. Raises Unexpected."""
    with Wire(server) as wire:
        wire.exchange([request] * WARM, 200)
        began, taken = perf_counter(), []
        for number in range(reads):
            sleep(max(0.0, began + number / READS_PER_SECOND - perf_counter()))
            taken.append(wire.exchange([request], 200)[0].seconds)
        return taken


def _most(seconds: list[float]) -> float:
    return percentile(seconds, _SHARE) * 1e3


@contextmanager
def _sealed(on: bool) -> Iterator[None]:
    def grown(before: Seal, leaves: list[bytes]) -> Seal:
        count = before.count + len(leaves)
        return Seal(count, (bytes(HASH_BYTES),) * count.bit_count())

    if on:
        yield
        return
    with patch.object(position, "leaf", lambda _: b""), patch.object(Seal, "grown", grown):
        yield
