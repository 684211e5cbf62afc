"""`audit verify` of a sealed log, beside a bare read of the same rows."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from api.audit.given import Signed
from api.audit.leaves import Leaves
from api.audit.log import Log
from api.audit.note import Checkpoint, NodeKey, origin_of, read_note
from api.audit.stored import open_events
from api.audit.verify import verify
from projections.log import open_log
from scripts.benchmarks import history, raw
from scripts.benchmarks.figures import CPU_EACH, PER_SECOND, Sample, Stopwatch, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

READ = "raw SELECT"
EVENTS_OF_A_CHECKPOINT = 1000
_KEY = NodeKey(bytes(32))
_INCARNATION = "0" * 32
_NO_TILES = Leaves.joined(bytearray())


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Events a second, from the file to the verdict, against a checkpoint for each thousand."""
    path = folder / "events.sqlite"
    with closing(open_log(f"sqlite:///{path}")) as log:
        history.fill(log.recorder, sizes.events)
    notes = _notes(path)
    rounds = [_round(path, notes) for _ in range(runs)]
    for quantity in (PER_SECOND, CPU_EACH):
        yield compare("verify, events", quantity, rounds, READ, "verify")


def _notes(path: Path) -> list[str]:
    with open_events(f"sqlite:///{path}") as events:
        leaves = Log(events).leaves
    sizes = {*range(EVENTS_OF_A_CHECKPOINT, leaves.count, EVENTS_OF_A_CHECKPOINT), leaves.count}
    origin = origin_of(_INCARNATION)
    return [_KEY.sign(Checkpoint(origin, *each)) for each in leaves.roots(sizes).items()]


def _round(path: Path, notes: list[str]) -> dict[str, Sample]:
    watch = Stopwatch()
    with watch:
        checkpoints = [read_note(note, [_KEY.verifier]) for note in notes]
        sealed = [Signed(each, _INCARNATION, _KEY.name, "here") for each in checkpoints]
        with open_events(f"sqlite:///{path}") as events:
            verdict = verify(events, sealed, lambda _: _NO_TILES)
    assert verdict.outcome == "sound", verdict
    return {"verify": watch.sample(verdict.proven), READ: raw.select_events_of(path)}
