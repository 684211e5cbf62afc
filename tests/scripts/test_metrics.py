"""Several processes answer at one port: a scrape tells of all of them, whichever is asked."""

from __future__ import annotations

import os
import signal
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service import Home, eventually

WORKERS, EXPORTERS, ASKED = 3, 2, 40
LIVEZ = {"route": "/livez", "method": "GET", "status": "200"}


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    home.close()


def scraped(service) -> dict[tuple, float]:
    """Every sample, by name and labels."""
    with urllib.request.urlopen(f"{service.endpoint}/metrics", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name.removeprefix("export_tasks_"), *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def ask(service, times: int) -> None:
    """Asks, on a new connection each time, so that all workers get some."""
    for _ in range(times):
        with urllib.request.urlopen(f"{service.endpoint}/livez", timeout=30) as answer:
            answer.read()


def livez(told: dict[tuple, float]) -> float:
    """How often that was asked for."""
    return told["http_requests_total", *sorted(LIVEZ.items())]


def processes(told: dict[tuple, float]) -> dict[str, float]:
    """How many there are of each role."""
    return {key[1][1]: value for key, value in told.items() if key[0] == "processes"}


def test_no_scrape_tells_of_one_workers_share_and_none_forgets_a_killed_one(home):
    service = home.serve("--workers", str(WORKERS), "--exporters", str(EXPORTERS))
    ask(service, ASKED)
    all_of_them = {"api": WORKERS, "exporter": EXPORTERS, "keeper": 1}
    for _ in range(3 * WORKERS):
        told = scraped(service)
        assert livez(told) == ASKED
        assert processes(told) == all_of_them
    worker = next(pid for pid, line in service.children().items() if "worker api" in line)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: worker not in service.children())
    eventually(lambda: processes(scraped(service)) == all_of_them)
    ask(service, ASKED)
    assert livez(scraped(service)) == 2 * ASKED
    assert service.stop() == 0
    service = home.serve()
    assert livez(scraped(service)) == 2 * ASKED
    assert processes(scraped(service)) == {"api": 1, "exporter": 1, "keeper": 1}
    assert service.stop() == 0
