"""Of the log: samples of tasks and read tables, the same from any process of any node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.metrics.layout import Sample, Spread
from api.problems import PROBLEMS
from exporter.failures import INTERNAL
from projections.follower import BehindLog, reading
from projections.measured import Measured
from projections.measures import BUCKETS, ENDED
from projections.moments import time_of
from projections.overview import Overview
from projections.position import news_since
from projections.queries import Queries

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
        with follower.once(), follower.caught_up() as database:
            measured = Measured.read(database)
            samples += [*_now(follower, measured, now), *_since_ever(measured), *_took(measured)]
    except BehindLog:
        pass
    return samples


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


def _now(follower: Follower, measured: Measured, now: Callable[[], datetime]) -> Iterator[Sample]:
    activity, oldest = Queries(follower).activity(), Overview(follower).oldest()
    yield Sample("tasks", ("Processing",), activity.processing)
    yield Sample("tasks", ("Success",), activity.success)
    yield Sample("tasks", ("Failed",), activity.failure)
    age = (now() - oldest.created_at).total_seconds() if oldest else 0.0
    yield Sample("queue_depth", (), activity.waiting)
    yield Sample("queue_oldest_age_seconds", (), max(0.0, age))
    yield Sample("claims_held", (), activity.running)
    yield Sample("quarantined_streams", (), measured.frozen)
    yield Sample("quarantined_owners", (), measured.frozen_owners)


def _since_ever(measured: Measured) -> Iterator[Sample]:
    yield Sample("tasks_created_total", (), measured.count("created"))
    yield Sample("claims_total", (), measured.count("claims"))
    yield Sample("rows_written_total", (), measured.amount("rows"))
    yield Sample("written_bytes_total", (), measured.amount("bytes"))
    yield Sample("downloads_granted_total", (), measured.count("granted"))
    yield from _by(measured, "tasks_failed_total", "failed", CODES)
    yield from _by(measured, "tasks_removed_total", "removed", REASONS)
    yield from _by(measured, "claims_ended_total", "ended", ENDED)


def _by(measured: Measured, metric: str, measure: str, known: tuple[str, ...]) -> Iterator[Sample]:
    """What a log of ours holds is known; whatever else it holds is counted together."""
    for of in known:
        yield Sample(metric, (of,), measured.count(measure, of))
    others = [of for what, of in measured.measures if what == measure and of not in known]
    if others:
        yield Sample(metric, (OTHER,), sum(measured.count(measure, of) for of in others))


def _took(measured: Measured) -> Iterator[Sample]:
    for measure in ("wait", "run", "total"):
        counts = [measured.count(measure, bucket) for bucket in BUCKETS]
        seconds = sum(measured.amount(measure, bucket) for bucket in BUCKETS) / 1000
        yield Sample(f"task_{measure}_seconds", (), Spread(counts, seconds))
