"""Troubles: a store that fails, told in the log, and why in words that name nobody and no place."""

from __future__ import annotations

import logging
import re
from http.client import MULTIPLE_CHOICES
from typing import TYPE_CHECKING, Literal

from domain.refusals import Contended, Unavailable
from exporter.outages import Outages
from exporter.results import ResultsFailed
from exporter.sources import SourceFailed
from projections.follower import BehindLog

if TYPE_CHECKING:
    from api.requests import Call

Reason = Literal[
    "connection_refused",
    "access_refused",
    "disk_full",
    "not_there",
    "connection_lost",
    "behind",
    "no_answer_in_time",
    "failing",
]
"""All that is told of why a store fails."""

_SIGNS: tuple[tuple[Reason, str], ...] = (
    ("connection_refused", r"connection ?refused"),
    ("access_refused", r"authentication|password|permission denied|refuses access|no keys|may not"),
    ("disk_full", r"no space left|is full|no room|quota"),
    ("not_there", r"does not exist|no such file|unable to open|not a folder|is a directory"),
    (
        "connection_lost",
        r"closed the connection|connection is lost|terminating connection|reset by",
    ),
    ("no_answer_in_time", r"time-?d? ?out|does not answer|is locked|are in use|statement timeout"),
)
_READ, _WRITE = "read the event store", "write to the event store"
_RESULTS, _SOURCE = "read the results", "read the source"


def reason(error: BaseException) -> Reason:
    """Why a store fails, as far as it says so itself."""
    if isinstance(error, TimeoutError):
        return "no_answer_in_time"
    if isinstance(error, BehindLog):
        return "behind"
    said = " ".join(map(str, _chain(error)))
    found = (word for word, sign in _SIGNS if re.search(sign, said, re.IGNORECASE))
    return next(found, "failing")


class Troubles:
    """What fails those who ask this process is logged when it begins, once a minute while it lasts,
    and when it is over. Safe for threads.
    """

    def __init__(self) -> None:
        self._outages = Outages(logging.getLogger(__name__))

    def fails(self, call: Call, error: Exception) -> None:
        """A request failed; where no store was to blame, nothing is said."""
        if isinstance(error, ResultsFailed):
            self._outages.fails(_RESULTS, error)
        elif isinstance(error, SourceFailed):
            self._outages.fails(_SOURCE, error)
        elif isinstance(error, Unavailable) and not isinstance(error, Contended):
            self._outages.fails(_WRITE if _writes(call) else _READ, _plain(error))

    def succeeds(self, call: Call, status: int) -> None:
        """A request was answered: where it got what it wanted, all that it needs is there."""
        if status >= MULTIPLE_CHOICES:
            return
        self._outages.succeeds(_READ)
        if _writes(call):
            self._outages.succeeds(_WRITE)
        if call.of_results:
            self._outages.succeeds(_RESULTS)
        if call.of_source:
            self._outages.succeeds(_SOURCE)


def _writes(call: Call) -> bool:
    return call.method in ("POST", "DELETE")


def _plain(error: Unavailable) -> Unavailable:
    """Of one kind, whatever it was: one outage."""
    plain = Unavailable()
    plain.__cause__ = error.__cause__ or (error if str(error) != str(plain) else None)
    return plain


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error, and what was behind it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
