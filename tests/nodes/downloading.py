"""Downloading: one file from S3 through an API process, beside `obstore` reading it alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import urandom
from time import perf_counter
from typing import TYPE_CHECKING, Any

from obstore.store import S3Store

from api.parts import Parts
from scripts.benchmarks import homes, tasks
from scripts.benchmarks.downloads import AT_ONCE
from scripts.benchmarks.figures import PER_SECOND, Figure, Sample, at_least, compare
from scripts.benchmarks.wire import Wire, signed
from tests.nodes.place import BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nodes.place import Place
    from tests.nodes.sizes import Sizes

ALONE = "obstore alone"


def measure(place: Place, sizes: Sizes, runs: int) -> Iterator[Figure]:
    """Signed downloads, every one granted; and the same object, read by as many threads."""
    (node,) = place.nodes(1)
    with Parts(node) as parts:
        (user,) = homes.settle(parts, 1)
        parts.claim_results()
        task = parts.ledger.create(tasks.creating(user.owner))
        content = urandom(sizes.file_bytes)
        tasks.complete(parts.ledger, task, tasks.claim(parts.ledger, task), content, parts.results)
        store: Any = S3Store(BUCKET, client_options={"allow_http": True})
        (key,) = (
            each["path"]
            for page in store.list(node.results.removeprefix(f"s3://{BUCKET}/"))
            for each in page
            if each["size"] == sizes.file_bytes
        )
        path = f"/v5/iot/{tasks.PROJECT}/export-tasks/{task.task_id}/file"
        requests = [signed(user, "GET", path)] * sizes.downloads
        with homes.api(node) as server, Wire(server, AT_ONCE) as wire:
            wire.exchange(requests[:AT_ONCE], 200)
            rounds = [
                {
                    "ours": wire.exchange(requests, 200)[0],
                    ALONE: _alone(store, key, sizes.downloads),
                }
                for _ in range(runs)
            ]
    what = f"downloads of {sizes.file_bytes / 1e6:g} MB from S3, {AT_ONCE} at a time"
    yield compare(what, PER_SECOND, rounds, ALONE, bar=at_least(0.8))


def _alone(store: Any, key: str, number: int) -> Sample:
    def read(_: int) -> int:
        return sum(len(chunk) for chunk in store.get(key).stream())

    began = perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as hands:
        read_bytes = set(hands.map(read, range(number)))
    if len(read_bytes) != 1:
        raise LookupError(f"the object {key} was read in several lengths: {read_bytes}")
    return Sample(number, perf_counter() - began)
