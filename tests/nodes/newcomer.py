"""Newcomer: how soon a machine that has nothing yet is ready beside a long history."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from api.parts import Parts
from api.settings import KEY_FILE, Settings
from api.upkeep.migrate import migrate
from scripts.benchmarks import homes
from scripts.benchmarks.crowd import among
from scripts.benchmarks.figures import SECONDS, Figure, Sample, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nodes.place import Place
    from tests.nodes.sizes import Sizes

READY = 200
LOOK_SECONDS, PATIENCE_SECONDS = 0.05, 600.0
AGAIN = "the same machine started again"


def measure(place: Place, sizes: Sizes, runs: int) -> Iterator[Figure]:
    """From the start of `serve` until `/readyz` says 200: with empty read tables, and with them."""
    folder = place.folder / "newcomers"
    shared, stored = _history(folder / "embedded", place.fresh(), *sizes.history)
    rounds = []
    for number in range(runs):
        home = folder / str(number)
        home.mkdir()
        node = Settings.read(shared, home=home)
        rounds.append({"ours": _ready(node), AGAIN: _ready(node)})
    what = f"a new node's readiness, {stored:,} events"
    yield compare(what, SECONDS, rounds, AGAIN)


def _history(home: Path, to: str, owners: int, events: int) -> tuple[dict[str, str], int]:
    """Moves an installation of many owners into a database; what all its machines set then."""
    home.mkdir(parents=True)
    crowd = among(home, owners, events)
    settings = Settings.read({}, home=home)
    with Parts(settings) as parts:
        parts.claim_results()
    migrate(settings, to, None, tell=lambda _: None, advance=lambda *_: None)
    return {
        "EXPORT_TASKS_EVENTS": to,
        "EXPORT_TASKS_RESULTS": settings.results,
        "EXPORT_TASKS_SOURCE": settings.source,
        "EXPORT_TASKS_SECRET_KEY": (home / KEY_FILE).read_text().strip(),
    }, crowd.events


def _ready(node: Settings) -> Sample:
    """Whoever asks before the service has begun to answer is kept waiting by the listener."""
    began = perf_counter()
    with homes.serving(node, exporters=1) as server:
        while _status(server.port) != READY:
            if perf_counter() - began > PATIENCE_SECONDS:
                raise TimeoutError(f"not ready in {PATIENCE_SECONDS:g} s")
            sleep(LOOK_SECONDS)
        return Sample(1, perf_counter() - began)


def _status(port: int) -> int:
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
