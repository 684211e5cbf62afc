"""Failures: what an error means for the task, and how it is told to the task's owner."""

from __future__ import annotations

from typing import NamedTuple

from domain import codes
from exporter.biff8.records import TooLarge
from exporter.results import ResultsFailed
from exporter.sources import NotAsked, SourceFailed

PASSING_FAULTS = 8
"""Hand-backs for a passing fault with which a task fails, the last included."""

FIRST_WAIT = 5.0
LONGEST_WAIT = 300.0
"""Seconds before a task with a passing fault is tried again; each wait is twice the one before."""


class CannotExport(Exception):
    """There can be no result; the text is for the task's owner."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Failure(NamedTuple):
    """A code of the contract's table, words for the task's owner, and whether a retry may help.

    Not before `wait` seconds. `counts` is false where nothing was tried: that fails no task.
    """

    code: str
    message: str
    passing: bool
    wait: float = 0.0
    counts: bool = True


FORESEEN = (CannotExport, SourceFailed, TooLarge, ResultsFailed)


def failure(error: Exception) -> Failure:
    """What an error of an attempt means; one that nobody foresaw may pass, and its text is ours."""
    match error:
        case CannotExport():
            return Failure(error.code, str(error), False)
        case SourceFailed():
            asked = not isinstance(error, NotAsked)
            return Failure(codes.SOURCE_UNREADABLE, str(error), error.passing, error.wait, asked)
        case TooLarge():
            message = f"The result exceeds the limits of the format: {error}."
            return Failure(codes.RESULT_TOO_LARGE, message, False)
        case ResultsFailed():
            return Failure(
                codes.NOT_STORED, f"The result could not be stored: {error}.", error.passing
            )
        case _:
            return Failure(codes.INTERNAL, "The export met an internal error.", True)


def wait_after(faults: int) -> float:
    """Seconds to the next attempt, after so many passing faults before this one."""
    return float(min(FIRST_WAIT * 2**faults, LONGEST_WAIT))
