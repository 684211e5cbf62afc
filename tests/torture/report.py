"""Report: what was done to the service, what it did, what was wrong; for people and programs."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.torture.fairness import Shares
    from tests.torture.records import Exchange
    from tests.torture.run import Torture
    from tests.torture.story import Story

ROOT = Path(__file__).parents[2]
WRONGS_SHOWN = 50
MESSAGES_SHOWN = 25
UNTOLD = ("info", "debug")
_NAMES = re.compile(r"[0-9a-f]{12,}|\d+")


@dataclass(frozen=True, slots=True)
class Report:
    """A run's outcome."""

    document: dict[str, Any]
    wrongs: list[str]

    @classmethod
    def of(cls, run: Torture, story: Story, shares: Shares) -> Report:
        """What a run, its log and its clients' records tell."""
        exchanges = run.records.exchanges
        verified = sum(1 for each in exchanges if each.sha256)
        lines = list(run.running.lines())
        return cls(
            {
                "commit": commit(),
                **run.document(),
                "requests": run.records.counts(),
                "answered": sum(each.status is not None for each in exchanges),
                "slowest_seconds": slowest(exchanges),
                "blows": dict(sorted(run.chaos.blows.items())),
                "killed": dict(sorted(run.chaos.killed.items())),
                "stop_codes": dict(Counter(map(str, run.running.stops))),
                "events": dict(sorted(story.topics.items())),
                "situations": {k: v for k, v in story.judge.situations.items() if v},
                "downloads_verified": verified,
                "workbooks_opened": len(run.load.samples),
                "fairness": shares.document(),
                "backup": run.backup.document(),
                "log": messages(line for line in lines if line.get("level") not in UNTOLD),
                "exceptions": exceptions(lines),
            },
            list(dict.fromkeys(run.wrongs)),
        )

    def whole(self) -> dict[str, Any]:
        """As one document."""
        return {"holds": not self.wrongs, "wrongs": self.wrongs, **self.document}

    def text(self) -> str:
        """For people."""
        told = self.document
        lines = [f"{told['answered']} answers, {told['downloads_verified']} downloads verified"]
        lines += [f"slowest answers in seconds: {words(told['slowest_seconds'])}"]
        lines += table("requests", {k: words(v) for k, v in told["requests"].items()})
        lines += table("blows", told["blows"])
        killed = f"{sum(told['killed'].values())} processes killed: {words(told['killed'])}"
        lines += [f"{killed}; the service was started {told['starts']} times"]
        lines += table("events", told["events"])
        lines += table("situations", told["situations"])
        lines += table("warnings and errors in the log", told["log"])
        lines += table("exceptions in the log", told["exceptions"])
        lines += [f"the disk: {told['disk']}; settled in {told['settled_seconds']} s"]
        lines += [f"fairness: {words(told['fairness'])}"]
        lines += [f"backup: {words(told['backup']) if told['backup'] else 'no such command'}"]
        return "\n".join([*lines, *self._verdict()])

    def _verdict(self) -> list[str]:
        if not self.wrongs:
            return ["nothing lost, no rule broken"]
        options = " ".join(
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
            for name, value in self.document["options"].items()
        )
        again = f"commit {self.document['commit']}: scripts/torture {options}"
        shown = [f"  {wrong}" for wrong in self.wrongs[:WRONGS_SHOWN]]
        return [f"{len(self.wrongs)} WRONGS", *shown, again]


def table(name: str, rows: dict[str, Any]) -> list[str]:
    return [f"{name}:", *(f"  {key:<44} {value}" for key, value in rows.items())]


def words(numbers: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {number}" for name, number in numbers.items())


def messages(lines: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How often what was said, ids and numbers aside."""
    said = Counter(f"{line['level']}: {_NAMES.sub('#', line['message'])[:160]}" for line in lines)
    return dict(said.most_common(MESSAGES_SHOWN))


def exceptions(lines: Iterable[dict[str, Any]]) -> dict[str, int]:
    told = (line["exception"] for line in lines if "exception" in line)
    last = (text.strip().splitlines()[-1] for text in told)
    return dict(Counter(_NAMES.sub("#", line)[:160] for line in last).most_common(MESSAGES_SHOWN))


def slowest(exchanges: Iterable[Exchange]) -> dict[str, float]:
    """Of the answers with each status the slowest."""
    found: dict[str, float] = {}
    for each in exchanges:
        status = "lost" if each.status is None else str(each.status)
        found[status] = max(found.get(status, 0.0), round(each.received - each.sent, 2))
    return dict(sorted(found.items()))


def commit() -> str:
    command = ("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12")
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
