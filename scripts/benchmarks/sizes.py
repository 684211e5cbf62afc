"""Sizes: how much each measurement does."""

from __future__ import annotations

from typing import NamedTuple


class Sizes(NamedTuple):
    """How many of each, in one round: what is said of one round holds for every one."""

    creates: int
    owners: int
    http_creates: int
    events: int
    exports: tuple[int, ...]
    pair: int
    contest_seconds: float
    workbooks: tuple[int, ...]
    lists: int
    checks: int
    live: int
    reads: int
    sealed: int
    downloads: int
    file_bytes: int
    requests: int
    small_exports: int
    started: tuple[int, int]
    growth: tuple[tuple[int, int], ...]
    waiting: int
    queue_shows: int
    calm_rows: int
    calm_seconds: float


FULL = Sizes(
    creates=1_000,
    owners=1_000,
    http_creates=1_000,
    events=50_000,
    exports=(100_000, 1_000_000),
    pair=500_000,
    contest_seconds=5.0,
    workbooks=(10_000, 100_000, 1_000_000, 3_000_000),
    lists=2_000,
    checks=20_000,
    live=1_000_000,
    reads=10_000,
    sealed=100_000,
    downloads=100,
    file_bytes=10_000_000,
    requests=100_000,
    small_exports=1_000,
    started=(10_000, 100),
    growth=((10, 100), (1_000, 100), (100_000, 20), (100_000, 100)),
    waiting=1_000,
    queue_shows=100,
    calm_rows=1_000_000,
    calm_seconds=20.0,
)
QUICK = Sizes(
    creates=20,
    owners=10,
    http_creates=20,
    events=200,
    exports=(300,),
    pair=300,
    contest_seconds=0.2,
    workbooks=(300,),
    lists=20,
    checks=20,
    live=300,
    reads=20,
    sealed=200,
    downloads=8,
    file_bytes=100_000,
    requests=1_000,
    small_exports=110,
    started=(10, 20),
    growth=((10, 20), (20, 20)),
    waiting=20,
    queue_shows=20,
    calm_rows=20_000,
    calm_seconds=1.0,
)
