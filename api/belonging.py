"""Belonging: an event log and the place of its result files know each other by an id.

The place bears the id in a marker, the log in the event by which it began. Whoever begins the log
marks the place first; from then on a place without the mark is another one, and nothing is put
there: a node whose files the others cannot reach would complete tasks for nobody.
"""

from __future__ import annotations

from contextlib import suppress
from secrets import token_hex
from time import monotonic, sleep
from typing import TYPE_CHECKING

from domain.refusals import Refusal
from exporter.disk import create_once
from exporter.results import ResultsClaimed

if TYPE_CHECKING:
    from pathlib import Path

    from domain.fact import Caller
    from domain.ledger import Ledger
    from exporter.results import Results

INTENDED = "results.id"
"""In the home, from before the place is marked until the log has begun: a first start that is cut
off between them knows its own mark again."""

BEGINNING_SECONDS = 10.0
"""How long another node, which has marked the place, may take to begin the log."""

LOOK_SECONDS = 0.1


class NotOurs(Refusal):
    """The result store belongs to another event log."""


class Elsewhere(NotOurs):
    """The log's result files are in another place."""


def claim(ledger: Ledger, results: Results, place: str, home: Path, caller: Caller) -> None:
    """Sees to it that the results, at `place`, are this log's; begins the log where it has not.

    Raises:
        NotOurs: they are another log's; Elsewhere: this log's are in another place.
        ResultsFailed: their place cannot be reached or written to.
    """
    log_id = ledger.log().results
    if log_id is None:
        intended = home / INTENDED
        log_id = _begun_by(ledger, results, place, intended, caller)
        intended.unlink(missing_ok=True)
    must_be(results.marker(), log_id, place)


def mark(ledger: Ledger, results: Results, place: str) -> None:
    """Marks a place, at an operator's word, for a log that has begun.

    Raises:
        NotOurs: the place is another log's, or the log has not begun.
        ResultsFailed: it cannot be reached or written to.
    """
    log_id = ledger.log().results
    if log_id is None:
        raise NotOurs("This log has not begun: the first start of the service marks its place.")
    with suppress(ResultsClaimed):
        results.claim(log_id)
    must_be(results.marker(), log_id, place)


def must_be(marker: str | None, log_id: str, place: str) -> None:
    """Raises NotOurs, or Elsewhere, where the place's marker is not the log's."""
    if marker is None:
        raise Elsewhere(
            f"EXPORT_TASKS_RESULTS ({place}) is not where this log's result files are: it does not "
            "bear the log's mark. Name the place that other nodes, or earlier starts, have; where "
            "its files were copied by hand, or are lost for good: export-tasks results claim"
        )
    if marker != log_id:
        raise _filled(place)


def must_be_free(marker: str | None, home: Path, place: str) -> None:
    """Raises NotOurs where a log that has not begun finds another's mark at its place."""
    if marker is not None and not (home / INTENDED).exists():
        raise _filled(place)


def _filled(place: str) -> NotOurs:
    return NotOurs(f"EXPORT_TASKS_RESULTS ({place}) is filled by another event log.")


def _begun_by(ledger: Ledger, results: Results, place: str, intended: Path, caller: Caller) -> str:
    """The mark of a log that had not begun: this node's, or that of another, which was faster."""
    create_once(intended, token_hex(16).encode())
    mine = intended.read_text("ascii")
    try:
        results.claim(mine)
    except ResultsClaimed:
        return _others(ledger, place)
    return ledger.begin(caller, mine).results or mine


def _others(ledger: Ledger, place: str) -> str:
    until = monotonic() + BEGINNING_SECONDS
    while (found := ledger.log().results) is None:
        if monotonic() > until:
            raise _filled(place)
        sleep(LOOK_SECONDS)
    return found
