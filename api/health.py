"""Health: is the process alive, and can it answer; nothing of any user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from api.probes import Hangs, Patience, Probe
from api.problems import UNAVAILABLE, Rejected
from api.requests import as_json
from api.troubles import reason
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
OK, UNKNOWN = "ok", "unknown"
AUDIT_CHECKS = {
    "log": "log_altered",
    "audit_place": "audit_place_failing",
    "audit_sinks": "audit_sink_failing",
    "checkpoint": "checkpoint_overdue",
}


class ReadyQuery(Struct):
    """How much is told; the parameter needs no value."""

    verbose: Annotated[str, Meta(description="tell of each check; no value needed")] | None = None


CHECKS = ("stores", "events", "results", "streams", *AUDIT_CHECKS)


class Fault(NamedTuple):
    """What keeps the service from answering: in a sentence, and as each check says it."""

    told: str
    checks: dict[str, str]


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

    def standing(self, verbose: bool) -> Standing:
        """How it stands; it is known within `ANSWER_SECONDS`.

        Raises:
            Rejected: a store does not answer, or the tables lag; all that is wrong is told.
        """
        patience = Patience(ANSWER_SECONDS)
        log, results = self.log.begin(), self.results.begin()
        wrong = [
            *_of_events(self.log, log, patience),
            *_of_results(self.results, results, patience),
        ]
        if wrong:
            told = " ".join(fault.told for fault in wrong)
            raise _not_ready(told, _checks(log, wrong) if verbose else None)
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
            "events": OK,
            "results": OK,
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
        raise _not_ready(LEAVING)
    verbose = "verbose" in asked.request.query_params
    position, frozen, checks = asked.house.health.standing(verbose)
    degraded = frozen or checks["log"] != OK
    status = "degraded" if degraded else "ready"
    told = {"status": status, "position": position, "quarantined": frozen}
    return as_json({**told, "checks": checks} if verbose else told)


def _not_ready(told: str, checks: dict[str, str] | None = None) -> Rejected:
    more = {"checks": checks} if checks else {}
    return Rejected(UNAVAILABLE, told, {"retry-after": RETRY_SECONDS}, more)


def _checks(log: Future[Standing], wrong: list[Fault]) -> dict[str, str]:
    """Of each check what is known of it."""
    known = log.done() and not log.exception()
    told = log.result().checks if known else dict.fromkeys(CHECKS, UNKNOWN) | {"results": OK}
    for fault in reversed(wrong):
        told = told | fault.checks
    return told


def _of_events(
    probe: Probe[Standing], answer: Future[Standing], patience: Patience
) -> Iterator[Fault]:
    try:
        patience.wait(answer)
    except LogAltered as error:
        yield Fault(str(error), {"stores": OK, "events": OK, "log": "log_altered"})
    except Unavailable as error:
        told = "The event store or the read tables do not answer."
        if isinstance(error, BehindLog):
            told = f"The read tables are more than {READY_SECONDS:g} s behind the event log."
        yield Fault(told, {"stores": "store_unreachable", "events": _why(error, probe)})


def _of_results(
    probe: Probe[object], answer: Future[object], patience: Patience
) -> Iterator[Fault]:
    try:
        patience.wait(answer)
    except (Hangs, ResultsFailed) as error:
        checks = {"stores": "results_unreachable", "results": _why(error, probe)}
        yield Fault("The result store does not answer.", checks)


def _why(error: Exception, probe: Probe[Any]) -> str:
    """Where there is no answer yet, what the one before was says more than that."""
    if isinstance(error, Hangs):
        return reason(probe.failure or TimeoutError())
    return reason(error)
