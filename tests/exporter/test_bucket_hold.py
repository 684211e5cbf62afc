"""A hold in a bucket: heeded by every machine, kept up while it lasts, dead after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.bucket import Bucket
from exporter.disk import ResultsFailed
from exporter.results import HOLD, ResultsHeld, open_results
from exporter.results.bucket_hold import BucketHold, Renewal
from tests.workshop import Watch, until

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0" * 24 + "/1-00.xls"
SECONDS = 600.0


@pytest.fixture
def bucket(bucket_url: str) -> Bucket:
    return Bucket(bucket_url)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def names(bucket: Bucket) -> list[str]:
    return [each.name for each in bucket.objects()]


def test_what_one_machine_holds_no_other_deletes(bucket: Bucket, tmp_path: Path) -> None:
    one, other = (open_results(bucket.url, tmp_path / name) for name in ("one", "other"))
    bucket.replace(KEY, b"book")
    with one.hold():
        for results in (one, other):
            with pytest.raises(ResultsHeld):
                results.delete(KEY)
        assert [each.key for each in other.list()] == [KEY]
    other.delete(KEY)
    assert names(bucket) == []


def test_spools_are_no_part_of_a_hold(bucket: Bucket, tmp_path: Path) -> None:
    results = open_results(bucket.url, tmp_path)
    results.spool(KEY).touch()
    with results.hold():
        results.delete(KEY, spool=True)
    assert list(results.list()) == []


def test_of_two_holds_the_longer_one_counts(bucket: Bucket) -> None:
    hold = BucketHold(bucket, HOLD)
    with hold.held():
        with BucketHold(bucket, HOLD).held():
            assert hold.is_held()
        assert hold.is_held()
    assert not hold.is_held()


def test_a_dead_hold_is_heeded_for_its_time_by_each_who_sees_it_and_then_removed(
    bucket: Bucket, watch: Watch
) -> None:
    bucket.replace(f"{HOLD}/dead", b"1")
    hold = BucketHold(bucket, HOLD, seconds=SECONDS, clock=watch)
    assert hold.is_held()
    watch.pass_by(SECONDS - 1)
    assert hold.is_held()
    late = BucketHold(bucket, HOLD, seconds=SECONDS, clock=watch)
    assert late.is_held()
    watch.pass_by(1)
    assert late.is_held()
    assert not hold.is_held()
    assert names(bucket) == []
    assert not late.is_held()


def test_a_hold_that_changes_is_alive(bucket: Bucket, watch: Watch) -> None:
    hold = BucketHold(bucket, HOLD, seconds=SECONDS, clock=watch)
    for change in (b"1", b"2", b"3"):
        bucket.replace(f"{HOLD}/alive", change)
        assert hold.is_held()
        watch.pass_by(SECONDS)
    assert not hold.is_held()


def test_a_hold_is_renewed_while_it_lasts(bucket: Bucket) -> None:
    with BucketHold(bucket, HOLD, seconds=1.0).held():
        [name] = names(bucket)
        seen = {bucket.read(name)}
        until(lambda: seen.add(bucket.read(name)) or len(seen) >= 3, "it has changed twice")
    assert names(bucket) == []


def test_a_renewal_that_fails_for_a_while_is_no_loss(watch: Watch) -> None:
    renewal = Renewal(_away, SECONDS, watch)
    watch.pass_by(SECONDS - 1)
    renewal.step()
    assert not renewal.lost


@pytest.mark.parametrize("away", [True, False])
def test_a_renewal_that_comes_too_late_is_a_loss(watch: Watch, away: bool) -> None:
    renewal = Renewal(_away if away else (lambda: None), SECONDS, watch)
    watch.pass_by(SECONDS)
    renewal.step()
    watch.pass_by(1)
    renewal.step()
    assert renewal.lost


def test_each_renewal_lasts_for_the_whole_time(watch: Watch) -> None:
    renewal = Renewal(lambda: None, SECONDS, watch)
    for _ in range(3):
        watch.pass_by(SECONDS - 1)
        renewal.step()
    assert not renewal.lost


def test_who_could_not_hold_on_is_told(bucket: Bucket, watch: Watch) -> None:
    hold = BucketHold(bucket, HOLD, seconds=SECONDS, clock=watch)
    with pytest.raises(ResultsFailed, match="could not be held"), hold.held():
        watch.pass_by(SECONDS)


def _away() -> None:
    raise ResultsFailed("away", passing=True)
