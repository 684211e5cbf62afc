"""Waiting: what needs a database that is away is opened as soon as it is back."""

from __future__ import annotations

import logging
from random import random
from typing import TYPE_CHECKING, TypeVar

from domain.refusals import Unavailable
from exporter.outages import Outages
from projections.log import CannotOpen

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two tries, doubled each time, and up to half of it more or less by chance."""

log = logging.getLogger(__name__)


def when_there(opener: Callable[[], T], stop: Event) -> T | None:
    """What `opener` gives, as soon as its event store answers; None where `stop` is set before.

    Raises whatever it raises but CannotOpen and Unavailable.
    """
    outages, pause = Outages(log), FIRST_PAUSE
    while not stop.is_set():
        try:
            opened = opener()
        except (CannotOpen, Unavailable) as error:
            outages.fails("open the event store", error)
        else:
            outages.succeeds("open the event store")
            return opened
        stop.wait(pause * (0.5 + random()))  # noqa: S311 (no secret)
        pause = min(2 * pause, LONGEST_PAUSE)
    return None
