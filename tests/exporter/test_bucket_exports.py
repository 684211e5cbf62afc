"""Exports to a bucket that is slow, or away: the task waits for it, and nobody takes it over."""

from __future__ import annotations

from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from exporter.failures import FIRST_WAIT
from exporter.sender import RENEWALS
from tests.workshop import Workshop, aside, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.object_store import ObjectStore

LEASE = 2.0


@pytest.fixture
def shop(tmp_path: Path, own_url: str) -> Iterator[Workshop]:
    shop = Workshop(tmp_path, results_url=own_url)
    yield shop
    shop.close()


def test_a_claim_is_renewed_while_a_slow_store_takes_the_file(
    shop: Workshop, own_store: ObjectStore
) -> None:
    task = shop.create()
    before_put: list[int] = []

    def stall() -> None:
        before_put.append(len(shop.progressed(task)))
        own_store.pause()
        Timer(2 * LEASE, own_store.resume).start()

    exporter = shop.exporter(results=shop.storing(stall), watch=monotonic, lease=LEASE)
    rival = shop.exporter("rival", watch=monotonic, lease=LEASE)
    work = aside(exporter.step)
    until(lambda: before_put, "the file is put")
    while work.is_alive():
        assert not rival.step()
        work.join(0.1)
    now = shop.now(task)
    assert (now.status, now.attempt, now.faults) == ("Success", 1, 0)
    assert len(shop.progressed(task)) - before_put[0] > RENEWALS


def test_a_store_that_is_away_costs_no_attempt_and_the_file_is_stored_when_it_is_back(
    shop: Workshop, own_store: ObjectStore
) -> None:
    task = shop.create()
    own_store.kill()
    exporter = shop.exporter()
    exporter.step()
    handed = shop.progressed(task)[-1]
    reason = "The result could not be stored: the object store does not answer."
    assert (handed.released, handed.reason) == (True, reason)
    assert (shop.now(task).faults, shop.now(task).crashes) == (1, 0)
    assert list((shop.folder / "spool").iterdir()) == []
    own_store.start()
    assert not exporter.step()
    shop.watch.pass_by(FIRST_WAIT)
    assert exporter.step()
    assert shop.now(task).status == "Success"
    assert shop.book(task)
