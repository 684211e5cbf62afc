"""Probes: questions to stores that may hang, asked in threads of their own, for all who ask."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from domain.refusals import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FRESH_SECONDS = 1.0


class Hangs(Unavailable):
    """There is no answer yet."""


class Probe(Generic[T]):
    """One question: at any time it is asked once at most, by one thread, for all who want to know.

    An answer, or a failure, is good for `fresh` seconds. `failure` is how the last question that
    ended did, if it did not get an answer. Safe for threads.
    """

    def __init__(
        self,
        ask: Callable[[], T],
        *,
        fresh: float = FRESH_SECONDS,
        watch: Callable[[], float] = monotonic,
    ) -> None:
        self._ask, self._watch = ask, watch
        self.fresh = fresh
        self.failure: BaseException | None = None
        self._asking = Lock()
        self._latest: Future[T] | None = None
        self._asked_at = 0.0

    def begin(self) -> Future[T]:
        """What is known, or will be: asks, unless somebody did a moment ago or still waits."""
        with self._asking:
            latest = self._latest
            if latest is None or (latest.done() and self._age() >= self.fresh):
                latest = self._latest = Future()
                self._asked_at = self._watch()
                Thread(target=self._run, args=(latest,), daemon=True).start()
            return latest

    def _age(self) -> float:
        return self._watch() - self._asked_at

    def _run(self, future: Future[T]) -> None:
        try:
            answer = self._ask()
        except BaseException as error:  # noqa: BLE001 (whoever asked is told)
            self.failure = error
            future.set_exception(error)
        else:
            self.failure = None
            future.set_result(answer)


class Patience:
    """So many seconds in all, for the answers of several probes."""

    def __init__(self, seconds: float, watch: Callable[[], float] = monotonic) -> None:
        self._until, self._watch = watch() + seconds, watch

    def wait(self, answer: Future[T]) -> T:
        """The answer.

        Raises:
            Hangs: it does not come in time; or whatever the probe's question raises.
        """
        try:
            return answer.result(max(0.0, self._until - self._watch()))
        except TimeoutError:
            if answer.done():
                raise
            raise Hangs from None
