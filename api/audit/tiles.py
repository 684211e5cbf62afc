"""Tiles: the hashes of all events of one incarnation, laid down while walking along its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.leaves import TILE
from api.audit.place import tile
from api.audit.walk import Walk

if TYPE_CHECKING:
    from eventsourcing.persistence import ApplicationRecorder

    from api.audit.place import Place
    from projections.seal import Seal


class Tiles:
    """Full tiles, and of the newest checkpoint the partial one; narrower ones are removed.

    They are laid in order, so that where the last one is, all are. Goes on where `proven` is, or
    from the first event where tiles are missing: the place may be a new one.
    """

    def __init__(
        self, place: Place, incarnation: str, recorder: ApplicationRecorder, proven: Walk
    ) -> None:
        self._place = place
        self._incarnation = incarnation
        full = proven.seal.count // TILE
        self._walk = proven if not full or self._is_laid(full - 1) else Walk(recorder)

    @property
    def seal(self) -> Seal:
        """The tree over what was walked along."""
        return self._walk.seal

    @property
    def position(self) -> int:
        """Of the last event of it."""
        return self._walk.position

    def go_on(self, size: int, events: int) -> bool:
        """Goes on towards a size, by about so many events at most; true where that was reached.

        Raises:
            Altered: there are not so many events.
            Taken: a tile is there already, of other events.
            PlaceFailed, Unavailable: the place, or the store, cannot be used.
        """
        most = self.seal.count + events
        while self.seal.count < min(size, most):
            for number, hashes in self._walk.page(size):
                self._place.put(tile(self._incarnation, number), hashes)
        return self.seal.count >= size

    def lay_tail(self) -> None:
        """Lays the partial tile, if there is any. Raises as `go_on`."""
        number, width = divmod(self.seal.count, TILE)
        if width:
            self._place.put(tile(self._incarnation, number, width), self._walk.tail)

    def drop_partials(self, since: int, size: int) -> None:
        """Removes what checkpoints from one size to another needed, and a later one does not."""
        last, width = divmod(size, TILE)
        for number in range(since // TILE, last + 1):
            for name in self._place.list(self._partials(number)):
                if number < last or int(name) < width:
                    self._place.remove(f"{self._partials(number)}/{name}")

    def _partials(self, number: int) -> str:
        return tile(self._incarnation, number, 0).removesuffix("/0")

    def _is_laid(self, number: int) -> bool:
        folder, _, name = tile(self._incarnation, number).rpartition("/")
        return name in self._place.list(folder)
