"""Exports to a bucket that is slow, or away: the task waits for it, and nobody takes it over."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

from exporter.failures import FIRST_WAIT
from exporter.sender import RENEWALS
from tests.workshop import PATIENCE, Workshop, aside, until, until_it_goes_on

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


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that stands still is waited for as long as a test may take."""
    monkeypatch.setattr("exporter.s3.STALLED_SECONDS", 600.0)


def test_a_claim_is_renewed_while_a_slow_store_takes_the_file(
    patient: None, shop: Workshop, own_store: ObjectStore
) -> None:
    task, put = shop.create(), Event()

    def stall() -> None:
        own_store.pause()
        put.set()

    exporter = shop.exporter(results=shop.storing(stall), lease=LEASE)
    rival = shop.exporter("rival", lease=LEASE)
    work = aside(exporter.step)
    assert put.wait(PATIENCE)
    for renewals in range(1, RENEWALS + 2):
        assert not rival.step()
        shop.watch.pass_by(LEASE / RENEWALS)
        until(lambda told=renewals: len(shop.progressed(task)) > told, "the claim is renewed")
        until_it_goes_on(shop.watch)
    assert not rival.step()
    own_store.resume()
    work.join()
    now = shop.now(task)
    assert (now.status, now.attempt, now.faults) == ("Success", 1, 0)


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
