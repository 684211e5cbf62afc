"""Read place: an audit place as whoever judges by it reads it, in a folder or in a bucket."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from api.audit.given import CHECKPOINTS, KEYS, TILES, read_given, tiles_of
from api.audit.place import LocalPlace, open_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.audit.given import Given
    from api.audit.leaves import Leaves
    from api.audit.place import Place


@dataclass(frozen=True, slots=True)
class ReadPlace:
    """A place whose keys and checkpoints lie in a folder: the place itself, or a copy of them."""

    url: str
    folder: Path
    place: Place | None = None
    """From which tiles are copied when they are asked for; None where the folder is the place."""

    def given(self, checkpoints: Sequence[Path] = (), keys: Sequence[str] = ()) -> Given:
        """What can be judged by: these checkpoints and keys, or else those of the place."""
        notes = [path for path in (self.folder / CHECKPOINTS,) if path.exists()]
        own = [str(path) for path in (self.folder / KEYS,) if path.exists()]
        given = read_given(checkpoints or notes, keys or own)
        given.sealed = [replace(each, where=self._called(each.where)) for each in given.sealed]
        given.refused = [self._called(each) for each in given.refused]
        return given

    def tiles(self, incarnation: str) -> Leaves:
        """The stored leaves of an incarnation. Raises PlaceFailed."""
        if self.place and not (self.folder / TILES / incarnation).exists():
            _copy(self.place, f"{TILES}/{incarnation}/tile/0", self.folder)
        return tiles_of(self.folder, incarnation)

    def _called(self, text: str) -> str:
        """What is in a copy is called as it is in the place."""
        return text.replace(str(self.folder), self.url) if self.place else text


@contextmanager
def read_place(url: str) -> Iterator[ReadPlace]:
    """The audit place at an address; what of it is copied is gone afterwards.

    Raises:
        PlaceFailed: it cannot be read.
    """
    place = open_place(url)
    if isinstance(place, LocalPlace):
        yield ReadPlace(url, place.folder)
        return
    with TemporaryDirectory() as made:
        for folder in (KEYS, CHECKPOINTS):
            _copy(place, folder, Path(made))
        yield ReadPlace(url, Path(made), place)


def _copy(place: Place, folder: str, to: Path) -> None:
    """Everything below a folder of a place. (A name that holds something holds nothing below.)"""
    for name in place.list(folder):
        content = place.get(f"{folder}/{name}")
        if content is None:
            _copy(place, f"{folder}/{name}", to)
            continue
        (to / folder).mkdir(parents=True, exist_ok=True)
        (to / folder / name).write_bytes(content)
