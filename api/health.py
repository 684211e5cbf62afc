"""Health: is the process alive, and can it answer; nothing of any user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from msgspec import Meta, Struct

from api.probes import Hangs, Patience, Probe
from api.problems import UNAVAILABLE, Rejected
from api.requests import as_json
from api.upkeep.audit_checks import check_audit
from api.upkeep.findings import Report
from domain.journal import utc_now
from domain.refusals import Unavailable
from exporter.results import ResultsFailed
from projections.follower import BehindLog, LogAltered, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from starlette.responses import Response

    from api.requests import Asked
    from api.settings import Settings
    from exporter.results import Results
    from projections.queries import Queries

READY_SECONDS = 1.0
"""How far the read tables may lag: they must be at the log's head within this time."""

ANSWER_SECONDS = 1.5
"""How long stores are waited for in all: one that hangs is one that does not answer."""

RETRY_SECONDS = "5"
LEAVING = "The process stops before long; it still answers."
OK = "ok"
AUDIT_CHECKS = {
    "log": "log_altered",
    "audit_place": "audit_place_failing",
    "audit_sinks": "audit_sink_failing",
    "checkpoint": "checkpoint_overdue",
}


class ReadyQuery(Struct):
    """How much is told; the parameter needs no value."""

    verbose: Annotated[str, Meta(description="tell of each check; no value needed")] | None = None


class Standing(NamedTuple):
    """How the log and the read tables stand: the tables' position, streams that are frozen, and
    of each check `ok`, or what `doctor` calls it.
    """

    position: int
    frozen: int
    checks: dict[str, str]


class Health:
    """Asks the stores how they are, however often it is asked itself, once a second."""

    def __init__(self, settings: Settings, queries: Queries, results: Results) -> None:
        self._settings, self._queries = settings, queries
        self.log = Probe(self._stand)
        self.results: Probe[object] = Probe(results.marker)

    def standing(self) -> Standing:
        """How it stands; it is known within `ANSWER_SECONDS`.

        Raises:
            Rejected: a store does not answer, or the tables lag; all that is wrong is told.
        """
        log, results = self.log.begin(), self.results.begin()
        wrong = list(_wrong(log, results))
        if wrong:
            raise Rejected(UNAVAILABLE, " ".join(wrong), {"retry-after": RETRY_SECONDS})
        return log.result()

    def _stand(self) -> Standing:
        queries = self._queries
        with queries.follower.caught_up(READY_SECONDS):
            pass
        frozen = len(queries.quarantined())
        position = queries.follower.position().position
        return Standing(position, frozen, self._checks(frozen))

    def _checks(self, frozen: int) -> dict[str, str]:
        report = Report()
        with reading():
            check_audit(self._settings, self._queries.follower.recorder, utc_now(), report)
        found = {each.code for each in report.findings}
        return {
            "stores": OK,
            "streams": "quarantined_stream" if frozen else OK,
            **{name: code if code in found else OK for name, code in AUDIT_CHECKS.items()},
        }


def livez(_: Asked) -> Response:
    """The process answers."""
    return as_json({"status": "ok"})


def readyz(asked: Asked) -> Response:
    """The stores are reached and the read tables are up to date; an event that could not be applied
    makes it `degraded`, no more: the others go on. So does a log that was altered.

    With `?verbose` each check is told.
    """
    if asked.house.draining.is_set():
        raise Rejected(UNAVAILABLE, LEAVING, {"retry-after": RETRY_SECONDS})
    position, frozen, checks = asked.house.health.standing()
    degraded = frozen or checks["log"] != OK
    status = "degraded" if degraded else "ready"
    told = {"status": status, "position": position, "quarantined": frozen}
    verbose = "verbose" in asked.request.query_params
    return as_json({**told, "checks": checks} if verbose else told)


def _wrong(log: Future[Standing], results: Future[object]) -> Iterator[str]:
    """What keeps the service from answering, in sentences."""
    patience = Patience(ANSWER_SECONDS)
    try:
        patience.wait(log)
    except LogAltered as error:
        yield str(error)
    except BehindLog:
        yield f"The read tables are more than {READY_SECONDS:g} s behind the event log."
    except Unavailable:
        yield "The event store or the read tables do not answer."
    try:
        patience.wait(results)
    except (Hangs, ResultsFailed):
        yield "The result store does not answer."
