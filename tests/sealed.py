"""An audit place as a node leaves one, made with a key of the tests' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.given import tile_name
from api.audit.leaves import TILE
from api.audit.log import Log
from api.audit.note import Checkpoint, NodeKey, origin_of
from api.audit.place import CheckpointName, key_name, tile
from api.audit.stored import open_events

if TYPE_CHECKING:
    from pathlib import Path

KEY = NodeKey(bytes(range(32)))
OTHER = NodeKey(bytes(range(1, 33)))


def seal(url: str, place: Path, *, key: NodeKey = KEY, tiles: bool = True) -> Path:
    """Signs what a log is now, and lays down its tiles; the note's file."""
    with open_events(url) as opened:
        log = Log(opened)
    incarnation, count = log.lineage.current or "", log.count
    if tiles:
        _lay(log, place, incarnation)
    _write(place / key_name(key.name), f"{key.verifier.text}\n".encode())
    note = key.sign(Checkpoint(origin_of(incarnation), count, log.leaves.root()))
    return _write(place / CheckpointName(incarnation, count, key.name).name, note.encode())


def _lay(log: Log, place: Path, incarnation: str) -> None:
    for number in range(-(-log.count // TILE)):
        hashes = log.leaves.tile(number)
        assert tile_name(number) in tile(incarnation, number)
        _write(place / tile(incarnation, number, len(hashes) // 32), hashes)


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
