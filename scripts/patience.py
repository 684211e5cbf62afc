"""Patience: a service that is away for a moment is asked again."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from scripts.answers import PASSING, Declined, FileLost, NoAnswer
from scripts.talk import say

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds between two questions, unless the service says to wait for longer."""

GROWTH = 1.5


def ask(call: Callable[[], Answer], seconds: float) -> Answer:
    """The first answer; that there is none yet is told once.

    Raises:
        NoAnswer, Declined: there was none within so many seconds, or there will not be, as the
            service itself says when to try again; or it is a no that stays one.
    """
    until, pause, told = monotonic() + seconds, SHORTEST_PAUSE, False
    while True:
        try:
            return call()
        except (NoAnswer, Declined) as error:
            left = until - monotonic()
            if not _passes(error) or left <= (error.retry_after or 0):
                raise
            if not told:
                say(f"{error.message} Trying again for up to {seconds:g} s.")
            told = True
            sleep(max(error.retry_after or 0, min(pause, left)))
        pause = longer(pause)


def longer(pause: float) -> float:
    """The pause after this one."""
    return min(pause * GROWTH, LONGEST_PAUSE)


def _passes(error: NoAnswer | Declined) -> bool:
    if isinstance(error, FileLost):
        return False
    return isinstance(error, NoAnswer) or error.status in PASSING
