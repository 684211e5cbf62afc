"""The service over HTTP: creates beside raw inserts, lists beside a bare route."""

from __future__ import annotations

from itertools import cycle, islice
from json import dumps
from secrets import token_hex
from typing import TYPE_CHECKING

from projections.stores.sqlite import event_file
from scripts.benchmarks import homes, raw, tasks
from scripts.benchmarks.creates import RAW
from scripts.benchmarks.figures import CPU_EACH, PER_SECOND, Figure, Sample, at_least, compare
from scripts.benchmarks.wire import Wire, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.sizes import Sizes

LISTED = 10
HALF = at_least(0.5, "at least half")
BARE = "a bare Starlette JSON route"
UNGUARDED = "the same, whoever asks"
PATH = f"/v5/iot/{tasks.PROJECT}/export-tasks"
_WARM = 20


def creates(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Signed creates by as many users as the limits ask for."""
    number, rounds = sizes.http_creates, []
    with homes.parts_of(folder) as parts:
        users = homes.settle(parts, 1 + number * runs // homes.UNFINISHED)
        turns, log = cycle(users), event_file(parts.settings.events)
        with homes.api(parts.settings) as server, Wire(server) as wire:
            for each in range(runs):
                requests = [creating(user) for user in islice(turns, number)]
                before = raw.head(log)
                ours, _ = wire.exchange(requests, 201)
                to = folder / f"raw-{each}.sqlite"
                theirs = raw.insert_creates_of(log, to, before)
                rounds.append({"ours": ours, RAW: theirs})
    for quantity in (PER_SECOND, CPU_EACH):
        yield compare("creates over HTTP", quantity, rounds, RAW)


def lists(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Signed lists of ten tasks, and the same bytes from a route that does nothing for them."""
    with homes.parts_of(folder) as parts:
        (user,) = homes.settle(parts, 1)
        for _ in range(LISTED):
            parts.ledger.create(tasks.creating(user.owner))
        requests = [signed(user, "GET", PATH)] * sizes.lists
        with homes.api(parts.settings) as server, Wire(server) as ours:
            document = folder / "list.json"
            document.write_bytes(ours.exchange(requests[:_WARM], 200)[1][0])
            with (
                homes.bare(parts.settings, document) as other,
                Wire(other) as bare,
                homes.unguarded(parts.settings, user.owner.user_id) as third,
                Wire(third) as unguarded,
            ):
                peers = {"ours": ours, BARE: bare, UNGUARDED: unguarded}
                for each in peers.values():
                    each.exchange(requests[:_WARM], 200)
                rounds = [_lists(peers, requests) for _ in range(runs)]
    what = f"lists of {LISTED} over HTTP"
    yield from _beside_a_bare_route(what, rounds)
    for quantity in (PER_SECOND, CPU_EACH):
        yield compare(what, quantity, rounds, UNGUARDED)


def shows(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """One task, asked for signed, and the same bytes from a route that does nothing for them."""
    with homes.parts_of(folder) as parts:
        (user,) = homes.settle(parts, 1)
        task = parts.ledger.create(tasks.creating(user.owner))
        requests = [signed(user, "GET", f"{PATH}/{task.task_id}")] * sizes.lists
        with homes.api(parts.settings) as server, Wire(server) as ours:
            document = folder / "task.json"
            document.write_bytes(ours.exchange(requests[:_WARM], 200)[1][0])
            with homes.bare(parts.settings, document) as other, Wire(other) as bare:
                bare.exchange(requests[:_WARM], 200)
                rounds = [_lists({"ours": ours, BARE: bare}, requests) for _ in range(runs)]
    yield from _beside_a_bare_route("shows of one task over HTTP", rounds)


def _beside_a_bare_route(what: str, rounds: list[dict[str, Sample]]) -> Iterator[Figure]:
    yield compare(what, PER_SECOND, rounds, BARE, bar=HALF)
    yield compare(what, CPU_EACH, rounds, BARE)


def creating(user: homes.User) -> bytes:
    """A signed create of conditions that nobody else has."""
    body = {"resource_type": "BatchTask", "resource_condition": {"task_id": token_hex(12)}}
    return signed(user, "POST", PATH, dumps(body).encode())


def _lists(peers: dict[str, Wire], requests: list[bytes]) -> dict[str, Sample]:
    """The client's signatures cost the peers nothing; they are sent all the same."""
    return {name: wire.exchange(requests, 200)[0] for name, wire in peers.items()}
