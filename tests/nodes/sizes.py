"""Sizes: how much each measurement of several nodes does in one round."""

from __future__ import annotations

from typing import NamedTuple


class Sizes(NamedTuple):
    """How many of each; `history` is how many owners, and how many events of each."""

    seconds: float
    http_creates: int
    looks: int
    exports: int
    rows: int
    downloads: int
    file_bytes: int
    history: tuple[int, int]


FULL = Sizes(
    seconds=5.0,
    http_creates=2_000,
    looks=500,
    exports=100,
    rows=2_000,
    downloads=60,
    file_bytes=10_000_000,
    history=(10_000, 100),
)
QUICK = Sizes(
    seconds=0.2,
    http_creates=30,
    looks=10,
    exports=6,
    rows=20,
    downloads=8,
    file_bytes=100_000,
    history=(10, 20),
)
