"""Report: what was done to the cluster, how soon it recovered, what was wrong."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from tests.cluster.evidence import evidence
from tests.cluster.recovery import recoveries, undisturbed
from tests.torture.report import (
    UNTOLD,
    WRONGS_SHOWN,
    commit,
    exceptions,
    messages,
    slowest,
    table,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.run import ClusterTorture
    from tests.torture.stored import Stored
    from tests.torture.story import Story

GRACE = 5.0


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """A run's outcome."""

    document: dict[str, Any]
    wrongs: list[str]
    evidence: dict[str, list[str]]

    @classmethod
    def of(cls, run: ClusterTorture, story: Story, stored: Sequence[Stored]) -> ClusterReport:
        """What a run, its log and its clients' records tell."""
        wrongs = list(dict.fromkeys(run.wrongs))
        exchanges, struck = run.records.exchanges, run.chaos.struck
        lines = list(chain.from_iterable(node.running.lines() for node in run.scene.nodes))
        return cls(
            {
                "commit": commit(),
                "options": run.options.document(),
                "kept_limit": run.household.kept,
                "requests": run.records.counts(),
                "answered": sum(each.status is not None for each in exchanges),
                "slowest_seconds": slowest(exchanges),
                "faults": recoveries(struck, exchanges, run.ports),
                "missed": dict(Counter(each.kind for each in run.chaos.missed)),
                "unavailable": sum(each.status == 503 for each in exchanges),
                "unavailable_undisturbed": len(undisturbed(struck, exchanges, GRACE)),
                "settled_seconds": round(run.settled, 1),
                "starts": [node.running.starts for node in run.scene.nodes],
                "events": dict(sorted(story.topics.items())),
                "situations": {k: v for k, v in story.judge.situations.items() if v},
                "downloads_verified": sum(1 for each in exchanges if each.sha256),
                "files": len(story.judge.current),
                "log": messages(line for line in lines if line.get("level") not in UNTOLD),
                "exceptions": exceptions(lines),
            },
            wrongs,
            evidence(wrongs, stored),
        )

    def whole(self) -> dict[str, Any]:
        """As one document."""
        found = {"wrongs": self.wrongs, "evidence": self.evidence}
        return {"holds": not self.wrongs, **found, **self.document}

    def text(self) -> str:
        """For people."""
        told = self.document
        lines = [f"{told['answered']} answers, {told['downloads_verified']} downloads verified"]
        lines += [f"slowest answers in seconds: {words(told['slowest_seconds'])}"]
        lines += table("requests", {k: words(v) for k, v in told["requests"].items()})
        faults = {kind: words(each) for kind, each in told["faults"].items()}
        lines += table("faults, and seconds from the end of each to the first success", faults)
        lines += [f"left out: {words(told['missed'])}; nodes were started {told['starts']} times"]
        lines += [
            f"503 was answered {told['unavailable']} times,"
            f" {told['unavailable_undisturbed']} of them more than {GRACE:g} s after any fault"
        ]
        lines += table("events", told["events"])
        lines += table("situations", told["situations"])
        lines += table("warnings and errors in the logs", told["log"])
        lines += table("exceptions in the logs", told["exceptions"])
        lines += [f"{told['files']} files compared; settled in {told['settled_seconds']} s"]
        return "\n".join([*lines, *self._verdict()])

    def _verdict(self) -> list[str]:
        if not self.wrongs:
            return ["nothing lost, nothing done twice, no rule broken, all nodes agree"]
        options = self.document["options"]
        told = {"nodes", "seed", "source", "workers", "exporters", "owners", "clients", "beside"}
        given = {k: v for k, v in options.items() if k in told and v != ""}
        flags = " ".join(f"--{k} {shlex.quote(str(v))}" for k, v in given.items())
        again = f"scripts/cluster --torture {options['seconds']:g} {flags}"
        shown = []
        for wrong in self.wrongs[:WRONGS_SHOWN]:
            events = (f"      {event}" for event in self.evidence.get(wrong, []))
            shown += [f"  {wrong}", *events]
        return [f"{len(self.wrongs)} WRONGS", *shown, f"commit {self.document['commit']}: {again}"]
