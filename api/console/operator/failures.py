"""Failures: what exports failed for, day by day, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from api.advice import advice
from api.console.operator.access import operators
from api.console.operator.rendering import render
from projections.overview import DAYS

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.advice import Advice
    from api.requests import Asked
    from projections.rows import Failures


class Cause(NamedTuple):
    """An error code, with all of its days, the newest first, and the last task of the newest."""

    code: str
    advice: Advice
    tasks: int
    days: list[Failures]
    latest: str


def failures(asked: Asked) -> Response:
    """The causes, the most frequent first."""
    found = asked.house.overview.failures(asked.house.ledger.journal.clock())
    codes = dict.fromkeys(each.code for each in found)
    causes = [_cause(code, [each for each in found if each.code == code]) for code in codes]
    causes.sort(key=lambda cause: -cause.tasks)
    return render(asked, "failures.html", causes=causes, days=DAYS)


def _cause(code: str, days: list[Failures]) -> Cause:
    return Cause(code, advice(code), sum(day.tasks for day in days), days, days[0].latest)


PAGES = (operators("GET", "/failures", "OperatorFailures", failures),)
