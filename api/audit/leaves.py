"""Leaves: the hashes of a log's events by rank, 256 to a tile; in memory, or in files."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from projections.seal import HASH_BYTES, Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TILE = 256
"""Leaves of a full tile, as C2SP's tlog-tiles has them."""


class Leaves:
    """So many leaves, read tile by tile: `tile(n)` gives the n-th 256 of them, joined."""

    def __init__(self, count: int, tile: Callable[[int], bytes]) -> None:
        self.count = count
        self.tile = tile

    @classmethod
    def joined(cls, hashes: bytearray) -> Leaves:
        """All of them in memory, 32 bytes each."""
        view, size = memoryview(hashes), TILE * HASH_BYTES
        return cls(len(hashes) // HASH_BYTES, lambda n: bytes(view[n * size : (n + 1) * size]))

    def first(self, count: int) -> Leaves:
        """The first ones alone."""
        return Leaves(min(count, self.count), self.tile)

    def __getitem__(self, rank: int) -> bytes:
        start = rank % TILE * HASH_BYTES
        return self.tile(rank // TILE)[start : start + HASH_BYTES]

    def get(self, rank: int) -> bytes | None:
        """The leaf of a rank; None behind the last one."""
        return self[rank] if rank < self.count else None

    def between(self, start: int, end: int) -> Iterator[list[bytes]]:
        """The leaves of some ranks, at most a tile of them at once."""
        for number in range(start // TILE, -(-end // TILE)):
            tile, base = self.tile(number), number * TILE
            ranks = range(max(start, base) - base, min(end, base + TILE) - base)
            yield [tile[each * HASH_BYTES : (each + 1) * HASH_BYTES] for each in ranks]

    def rank_of(self, leaf: bytes) -> int | None:
        """Where a leaf stands; None where it does not."""
        for number in range(-(-self.count // TILE)):
            tile = self.tile(number)
            at = tile.find(leaf)
            while at >= 0 and at % HASH_BYTES:
                at = tile.find(leaf, at + 1)
            rank = number * TILE + at // HASH_BYTES
            if at >= 0 and rank < self.count:
                return rank
        return None

    def differs_at(self, other: Leaves) -> int | None:
        """The first rank at which two logs differ, also by one's end; None: they are the same."""
        shared = min(self.count, other.count)
        for number in range(-(-shared // TILE)):
            if self.tile(number) == other.tile(number):
                continue
            for rank in range(number * TILE, min((number + 1) * TILE, shared)):
                if self[rank] != other[rank]:
                    return rank
        return None if self.count == other.count else shared

    def root(self, start: int = 0, end: int | None = None) -> bytes:
        """The root of the tree over the leaves of some ranks."""
        seal = Seal()
        for some in self.between(start, self.count if end is None else end):
            seal = seal.grown(some)
        return seal.root

    def roots(self, sizes: Iterable[int]) -> dict[int, bytes]:
        """The roots of the trees over the first so many leaves, for each size that there is."""
        seal, found = Seal(), {}
        wanted = sorted({size for size in sizes if size <= self.count})
        for start, end in pairwise([0, *wanted]):
            for some in self.between(start, end):
                seal = seal.grown(some)
            found[end] = seal.root
        return found

    def path(self, rank: int, size: int) -> list[bytes]:
        """What proves that a leaf is in the tree over the first `size` (RFC 6962, section 2.1.1).

        The hashes of its neighbours, the nearest first.
        """
        start, end, found = 0, size, []
        while end - start > 1:
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            if rank < middle:
                found.append(self.root(middle, end))
                end = middle
            else:
                found.append(self.root(start, middle))
                start = middle
        return found[::-1]


def path_length(rank: int, size: int) -> int:
    """How many hashes the path of a rank in a tree has."""
    start, end, length = 0, size, 0
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        start, end = (start, middle) if rank < middle else (middle, end)
        length += 1
    return length
