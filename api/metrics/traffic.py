"""Traffic: how many requests, how they ended, how long they took; counted by who answers."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from api.metrics.cells import Cells, totals
from api.metrics.layout import Layout, Sample, observe
from api.metrics.processes import cells_folder
from api.problems import METHOD, NO_API, NO_FILE, PROBLEMS, TOO_SOON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.routing import Route

    from api.requests import Call
    from api.settings import Settings

OTHER = "other"
"""Stands for every path, method, status and code that is in no table of ours."""

UNANSWERED, ODD = 0, -1
"""Instead of a status: the client went away before there was an answer; one in no table of ours."""

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DOWNLOAD = "ShowExportTask"
SENT, BROKEN_OFF, UNCHANGED, REFUSED, FAILED = (
    "sent",
    "broken_off",
    "unchanged",
    "refused",
    "failed",
)
REFUSALS = {TOO_SOON.code: "too_soon", NO_FILE.code: "no_file"}
OUTCOMES = (SENT, BROKEN_OFF, UNCHANGED, *REFUSALS.values(), REFUSED, FAILED)

_KIND = "traffic"
_CODES = {problem.code for problem in PROBLEMS if problem.status}
_WORDS = {UNANSWERED: "none", ODD: OTHER}


class Ended(NamedTuple):
    """How a request ended: the answer's status, the contract's code where that is an error,
    whether the answer was sent to its end, and the seconds until it began.
    """

    status: int
    code: str | None
    whole: bool
    seconds: float


class _Cells(NamedTuple):
    """Where a call's numbers are."""

    statuses: dict[int, int]
    codes: dict[str, int]
    seconds: int


class TrafficLayout(Layout):
    """Cells for every call of a route table, for other methods there, and for all other paths."""

    def __init__(self, calls: Iterable[Call]) -> None:
        super().__init__()
        calls = sorted(calls, key=lambda call: (call.path, call.method))
        self._statuses = sorted(
            {UNANSWERED, ODD, *(problem.status for problem in PROBLEMS if problem.status)}
            | {status for call in calls for status in call.statuses}
        )
        self.in_flight = self.cell("http_requests_in_flight")
        self.downloads = {each: self.counter("downloads_total", each) for each in OUTCOMES}
        self.download = next((call.path for call in calls if call.name == DOWNLOAD), None)
        self.elsewhere = self._call(OTHER, OTHER, (NO_API.status, METHOD.status))
        self.calls: dict[tuple[str, str], _Cells] = {}
        for path, some in groupby(calls, key=lambda call: call.path):
            for method, statuses in _methods(list(some)).items():
                self.calls[path, method] = self._call(path, method, statuses)
            wrong = self._answers(path, OTHER, (METHOD.status,))
            self.calls[path, OTHER] = _Cells(*wrong, self.elsewhere.seconds)

    def find(self, path: str, method: str) -> _Cells:
        """Where a request is counted."""
        found = self.calls.get((path, method)) or self.calls.get((path, OTHER))
        return found or self.elsewhere

    def _call(self, path: str, method: str, statuses: Iterable[int | None]) -> _Cells:
        seconds = self.histogram("http_request_duration_seconds", BOUNDS, path, method)
        return _Cells(*self._answers(path, method, statuses), seconds)

    def _answers(
        self, path: str, method: str, statuses: Iterable[int | None]
    ) -> tuple[dict[int, int], dict[str, int]]:
        """Those that are documented are told before there was one: a rate sees the first."""
        likely = set(statuses)
        codes = {problem.code for problem in PROBLEMS if problem.status in likely}
        return {
            status: self.counter(
                "http_requests_total",
                path,
                method,
                _WORDS.get(status, str(status)),
                expected=status in likely,
            )
            for status in self._statuses
        }, {
            code: self.counter("http_errors_total", path, method, code, expected=code in codes)
            for code in sorted(_CODES | {OTHER})
        }


class Traffic:
    """What this process was asked; called on the event loop alone."""

    def __init__(self, settings: Settings, calls: Iterable[Call], routes: Iterable[Route]) -> None:
        self.layout = TrafficLayout(calls)
        self._paths: dict[object, str] = {route.endpoint: route.path for route in routes}
        self._folder = cells_folder(settings)
        self._cells = Cells.claim(self._folder, _KIND, self.layout.keys)
        self._cells.numbers[self.layout.in_flight] = 0

    def begin(self) -> None:
        """A request came."""
        self._cells.numbers[self.layout.in_flight] += 1

    def end(self, endpoint: object, method: str, ended: Ended) -> None:
        """A request ended, which one of the routes led to an endpoint, or (None) none did."""
        path = self._paths.get(endpoint, OTHER)
        numbers, layout = self._cells.numbers, self.layout
        numbers[layout.in_flight] -= 1
        cells = layout.find(path, method)
        numbers[cells.statuses.get(ended.status, cells.statuses[ODD])] += 1
        if ended.status != UNANSWERED:
            observe(numbers, cells.seconds, BOUNDS, ended.seconds)
        if ended.code is not None:
            numbers[cells.codes.get(ended.code, cells.codes[OTHER])] += 1
        if path == layout.download and method == "GET":
            numbers[layout.downloads[_outcome(ended)]] += 1

    def samples(self) -> Iterator[Sample]:
        """What all processes of this node were asked."""
        yield from self.layout.told(totals(self._folder, _KIND, self.layout.keys))
        now = totals(self._folder, _KIND, self.layout.keys, live=True)
        yield Sample("http_requests_in_flight", (), now[self.layout.in_flight])

    def close(self) -> None:
        """This process counts no more."""
        self._cells.close()


def _methods(calls: list[Call]) -> dict[str, tuple[int, ...]]:
    """The methods of one path, with the statuses that are documented; as `routes` answers HEAD."""
    methods = {call.method: call.statuses for call in calls}
    for call in calls:
        if call.has_head:
            methods["HEAD"] = call.statuses
    return methods


def _outcome(ended: Ended) -> str:
    if ended.code is not None:
        # An answer that began well may fail too: its code then tells it.
        refused = 400 <= ended.status < 500
        return REFUSALS.get(ended.code, REFUSED if refused else FAILED)
    if ended.status == 304:
        return UNCHANGED
    return SENT if ended.whole and ended.status else BROKEN_OFF
