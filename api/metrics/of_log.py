"""Of the log: samples of tasks and read tables, the same from any process of any node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.metrics.layout import Sample, Spread
from api.problems import PROBLEMS
from domain.codes import INTERNAL
from projections.follower import BehindLog, reading
from projections.measured import Measured
from projections.measures import BUCKETS
from projections.moments import time_of
from projections.overview import Overview
from projections.position import news_since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from projections.follower import Follower

BEHIND_SECONDS = 1.0
"""How long is waited for tables that lag; where they still do, only that is told."""

OTHER = "other"
CODES = (*dict.fromkeys(each.code for each in PROBLEMS if each.status is None), INTERNAL)
REASONS = ("kept_limit", "deleted")


def samples_of_log(follower: Follower, now: Callable[[], datetime]) -> list[Sample]:
    """What the log tells; of tables that are behind it for long, only how far.

    Raises:
        Unavailable: the log or the tables do not answer, or (LogAltered) it is another log.
    """
    samples = list(_lag(follower, now))
    try:
        with follower.caught_up(BEHIND_SECONDS):
            pass
        measured = Measured.read(follower)
        oldest = Overview(follower).oldest()
    except BehindLog:
        return samples
    since = oldest.created if oldest else now()
    waited = max(0.0, (now() - since).total_seconds())
    return [*samples, *_now(measured, waited), *_since_ever(measured), *_took(measured)]


def _lag(follower: Follower, now: Callable[[], datetime]) -> Iterator[Sample]:
    at = follower.position()
    with reading():
        head = follower.recorder.max_notification_id() or 0
        news = news_since(follower.recorder, at, 1)
    yield Sample("log_position", (), head)
    yield Sample("projection_position", (), at.position)
    yield Sample("projection_lag_positions", (), max(0, head - at.position))
    behind = (now() - time_of(news[0])).total_seconds() if news else 0.0
    yield Sample("projection_lag_seconds", (), max(0.0, behind))


def _now(measured: Measured, waited: float) -> Iterator[Sample]:
    kept = measured.kept
    yield Sample("tasks", ("Processing",), kept.processing)
    yield Sample("tasks", ("Success",), kept.success)
    yield Sample("tasks", ("Failed",), kept.failure)
    yield Sample("queue_depth", (), kept.waiting)
    yield Sample("queue_oldest_age_seconds", (), waited)
    yield Sample("claims_held", (), kept.running)
    yield Sample("quarantined_streams", (), measured.frozen)
    yield Sample("quarantined_owners", (), measured.frozen_owners)


def _since_ever(measured: Measured) -> Iterator[Sample]:
    rows, size = measured.written
    yield Sample("tasks_created_total", (), measured.created)
    yield Sample("claims_total", (), measured.claims)
    yield Sample("rows_written_total", (), rows)
    yield Sample("written_bytes_total", (), size)
    yield Sample("downloads_granted_total", (), measured.count("granted", ""))
    yield from _by("tasks_failed_total", measured.counts("failed"), CODES)
    yield from _by("tasks_removed_total", measured.counts("removed"), REASONS)
    yield from (
        Sample("claims_ended_total", (how,), count) for how, count in measured.ended.items()
    )


def _by(metric: str, counts: dict[str, int], known: tuple[str, ...]) -> Iterator[Sample]:
    """What a log of ours holds is known; whatever else it holds is counted together."""
    for of in known:
        yield Sample(metric, (of,), counts.pop(of, 0))
    if counts:
        yield Sample(metric, (OTHER,), sum(counts.values()))


def _took(measured: Measured) -> Iterator[Sample]:
    for measure in ("wait", "run", "total"):
        counts = [measured.count(measure, bucket) for bucket in BUCKETS]
        seconds = measured.amount(measure) / 1000
        yield Sample(f"task_{measure}_seconds", (), Spread(counts, seconds))
