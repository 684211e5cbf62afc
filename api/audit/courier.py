"""Courier: hands checkpoints to one sink in a thread of its own, so that nobody waits for it."""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

from api.audit.place import PlaceFailed
from api.audit.sinks import News
from api.audit.state import trouble

if TYPE_CHECKING:
    from datetime import datetime

    from api.audit.note import Verifier
    from api.audit.place import CheckpointName, Place
    from api.audit.sinks import Sink
    from api.audit.state import SinkState

RETRY = timedelta(seconds=30)
"""How long a sink that failed is left alone."""

ANSWER = timedelta(seconds=30)
"""A delivery that takes longer is a failure, until it ends."""

_LOGGER = logging.getLogger(__name__)


class Courier:
    """What a sink missed is handed on when it answers again; of a new process, it may have missed
    anything.
    """

    def __init__(self, url: str, sink: Sink, source: Place, key: Verifier) -> None:
        self.url = url
        self._sink, self._source, self._key = sink, source, key
        self._waiting: list[CheckpointName] = []
        self._under_way: list[CheckpointName] = []
        self._behind = True
        self._tried: datetime | None = None
        self._thread: Thread | None = None
        self._error: str | None = None

    def take(self, name: CheckpointName) -> None:
        """Another checkpoint to hand on; the newest."""
        self._waiting.append(name)

    def step(self, state: SinkState, now: datetime, *, closing: bool = False) -> None:
        """Begins a delivery where there is something to deliver, or notes what became of one."""
        if self._thread and not self._thread.is_alive():
            self._end(state, now)
        elif self._thread and self._tried and not timedelta() <= now - self._tried < ANSWER:
            self._failed(state, "it does not answer", now)
        if self._waiting and not self._thread and (closing or not self._resting(state, now)):
            self._begin(now)

    def wait(self, state: SinkState, now: datetime, seconds: float) -> None:
        """Waits so long for what is under way, and for what then remains."""
        until = monotonic() + seconds
        while self._thread and monotonic() < until:
            self._thread.join(max(0.0, until - monotonic()))
            self.step(state, now)

    def _resting(self, state: SinkState, now: datetime) -> bool:
        tried = self._tried if state.trouble else None
        return tried is not None and timedelta() <= now - tried < RETRY

    def _begin(self, now: datetime) -> None:
        self._tried, self._under_way, self._waiting = now, self._waiting, []
        news = News(self._source, self._key, self._under_way, self._behind)
        self._thread = Thread(target=self._deliver, args=[news], daemon=True)
        self._thread.start()

    def _deliver(self, news: News) -> None:
        self._error = "the delivery broke off"
        try:
            self._sink.deliver(news)
            self._error = None
        except (OSError, PlaceFailed) as error:
            self._error = str(error)
        except Exception as error:
            _LOGGER.exception("the audit sink %s cannot be given anything", self.url)
            self._error = repr(error)

    def _end(self, state: SinkState, now: datetime) -> None:
        self._thread = None
        newest = self._under_way[-1]
        if self._error is None:
            if state.trouble:
                _LOGGER.info("the audit sink %s takes checkpoints again", self.url)
            state.delivered, state.trouble, self._behind = newest.name, None, False
            return
        self._failed(state, self._error, now)
        # The newest speaks for all before it; whoever wants every one looks what is lacking.
        self._behind = True
        self._waiting = self._waiting or [newest]

    def _failed(self, state: SinkState, why: str, now: datetime) -> None:
        if state.trouble is None or state.trouble.why != why:
            _LOGGER.warning("the audit sink %s fails: %s", self.url, why)
        state.trouble = trouble(why, state.trouble, now)
