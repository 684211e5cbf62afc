"""Given: the checkpoints, keys and tiles that a log is judged by, read from wherever they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from api.audit.leaves import TILE, Leaves
from api.audit.note import NotANote, NotSigned, Verifier, incarnation_of, read_note
from projections.seal import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api.audit.note import Checkpoint

CHECKPOINTS, KEYS, TILES = "checkpoints", "keys", "tiles"
LONGEST_FILE = 1_000_000
_TILE_BYTES = TILE * HASH_BYTES


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that a known key signed, where it was found, and the whole note."""

    checkpoint: Checkpoint
    incarnation: str
    key: str
    where: str
    note: str = ""

    @property
    def size(self) -> int:
        """How many events it seals."""
        return self.checkpoint.size


@dataclass(slots=True)
class Given:
    """What can be judged by; `refused` says of each file why it is not used."""

    sealed: list[Signed] = field(default_factory=list)
    keys: list[Verifier] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def read_given(checkpoints: Iterable[Path], keys: Sequence[str]) -> Given:
    """Reads notes (files, or folders of them) and keys (files, folders, or a key's own text).

    Whatever cannot be read, or no given key has signed, is refused by name and judges nothing.
    """
    given = Given()
    for key in keys:
        _add_key(given, key)
    for path in checkpoints:
        for each in _files(path):
            _add_checkpoint(given, each)
    given.sealed.sort(key=lambda each: (each.size, each.where))
    return given


def tiles_of(place: Path, incarnation: str) -> Leaves:
    """As many leaves as the stored level-0 tiles of an incarnation give; nobody vouches for them.

    The last tile may be partial: the widest one is taken.
    """
    folder = place / TILES / incarnation / "tile" / "0"
    full = 0
    while _size(folder / tile_name(full)) == _TILE_BYTES:
        full += 1
    width = _widest(folder / f"{tile_name(full)}.p")

    def tile(number: int) -> bytes:
        partial = f".p/{width}" if number == full else ""
        return (folder / f"{tile_name(number)}{partial}").read_bytes()

    return Leaves(full * TILE + width, tile)


def tile_name(number: int) -> str:
    """A tile's place below its level, as tlog-tiles has it: 1234067 is x001/x234/067."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return "/".join(reversed(groups))


def _add_key(given: Given, key: str) -> None:
    """A key's text holds plus signs and more; a file's name that does is read as a file first."""
    try:
        if not Path(key).exists():
            given.keys.append(Verifier.read(key))
            return
        for path in _files(Path(key)):
            given.keys.append(Verifier.read(_text(path)))
    except (NotANote, OSError, ValueError) as error:
        given.refused.append(f"the key {key}: {error}")


def _add_checkpoint(given: Given, path: Path) -> None:
    try:
        text = _text(path)
        checkpoint = read_note(text, given.keys)
        incarnation = incarnation_of(checkpoint.origin)
        signed = {line.split(" ")[1] for line in text.splitlines() if line.startswith("— ")}
        key = next(each.name for each in given.keys if each.name in signed)
        given.sealed.append(Signed(checkpoint, incarnation, key, str(path), text))
    except (NotANote, NotSigned, OSError, ValueError) as error:
        given.refused.append(f"{path}: {error}")


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or all files below a folder; hidden ones are drafts."""
    if not path.is_dir():
        yield path
        return
    for each in sorted(path.rglob("*")):
        if each.is_file() and not each.name.startswith("."):
            yield each


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LONGEST_FILE).decode()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _widest(folder: Path) -> int:
    names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    widths = [int(name) for name in names if name.isdecimal() and 0 < int(name) < TILE]
    whole = [width for width in widths if _size(folder / str(width)) == width * HASH_BYTES]
    return max(whole, default=0)
