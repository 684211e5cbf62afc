"""Page: what `/metrics` answers: all samples that can be had now, in Prometheus's text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from api.metrics.layout import Sample, Spread
from api.metrics.of_log import samples_of_log
from api.metrics.of_node import build, samples_of_audit, samples_of_disks, samples_of_processes
from api.metrics.processes import appends, cells_folder
from api.metrics.registry import METRICS, PREFIX
from api.probes import Patience, Probe
from domain.refusals import Unavailable
from exporter.results import ResultsFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric as Family

    from api.metrics.pools import Pools
    from api.metrics.registry import Metric
    from api.metrics.traffic import Traffic
    from api.requests import Asked
    from api.settings import Settings
    from domain.journal import Journal
    from projections.follower import Follower

SCRAPE_SECONDS = 3.0
"""How long stores are waited for: Prometheus gives up after ten seconds."""

TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(asked: Asked) -> Response:
    """For Prometheus. Any process of any node tells the same of tasks; of requests, processes and
    checkpoints each tells of its own node, for all of its processes. What stores that are away
    would have told is missing then, and `store_up` is 0.
    """
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(asked.house.numbers.samples()))
    return Response(generate_latest(registry), media_type=TYPE)


class Numbers:
    """Whence the page's samples come; stores are asked beside each other, for all who scrape."""

    def __init__(
        self,
        settings: Settings,
        follower: Follower,
        journal: Journal,
        counted: Iterable[Traffic | Pools],
        results: Probe[object],
    ) -> None:
        self._settings, self._follower, self._counted = settings, follower, counted
        self._log = Probe(lambda: samples_of_log(follower, lambda: journal.clock()), fresh=0)
        self._disks = Probe(lambda: list(samples_of_disks(settings)), fresh=0)
        self._results = results

    def samples(self) -> Iterator[Sample]:
        """All that can be had within `SCRAPE_SECONDS`."""
        log, disks, results = self._log.begin(), self._disks.begin(), self._results.begin()
        patience = Patience(SCRAPE_SECONDS)
        yield build(self._settings)
        for each in self._counted:
            yield from each.samples()
        yield from appends(cells_folder(self._settings))
        yield from samples_of_processes(self._settings)
        yield from samples_of_audit(self._settings, self._events())
        try:
            yield from patience.wait(log)
            yield Sample("store_up", ("events",), 1)
        except Unavailable:
            yield Sample("store_up", ("events",), 0)
        try:
            patience.wait(results)
            yield Sample("store_up", ("results",), 1)
        except (Unavailable, ResultsFailed):
            yield Sample("store_up", ("results",), 0)
        try:
            yield from patience.wait(disks)
        except Unavailable:
            return

    def _events(self) -> int | None:
        """How many events this node has read."""
        try:
            return self._follower.position().count
        except Unavailable:
            return None


class Collector:
    """Samples as families, in the registry's order; one of no metric there is a fault of ours."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples: dict[str, list[Sample]] = {metric.name: [] for metric in METRICS}
        for sample in samples:
            self._samples[sample.metric].append(sample)

    def collect(self) -> Iterator[Family]:
        """What `prometheus-client` writes down."""
        for metric in METRICS:
            if some := self._samples[metric.name]:
                yield _family(metric, some)


def _family(metric: Metric, samples: list[Sample]) -> Family:
    from prometheus_client import Metric as Family

    kind = "gauge" if metric.kind == "info" else metric.kind
    family = Family(PREFIX + metric.name.removesuffix("_total"), metric.meaning, kind)
    for sample in samples:
        labels = dict(zip(metric.labels, sample.labels, strict=True))
        if isinstance(sample.value, Spread):
            _add_spread(family, metric, labels, sample.value)
        else:
            family.add_sample(PREFIX + metric.name, labels, sample.value)
    return family


def _add_spread(family: Family, metric: Metric, labels: dict[str, str], spread: Spread) -> None:
    bounds = [*(f"{bound:g}" for bound in metric.bounds), "+Inf"]
    for bound, count in zip(bounds, spread.running, strict=True):
        family.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, count)
    family.add_sample(f"{family.name}_count", labels, spread.running[-1])
    family.add_sample(f"{family.name}_sum", labels, spread.sum)
