"""Report: what became of the mutants, by modules and altogether."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.mutation.session import TIME_UP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.mutation.explained import Explained
    from tests.mutation.mutant import Change
    from tests.mutation.trial import Verdict

GOAL = 95.0
"""Percent of the mutants that are not explained; the tests must notice so many."""


class Tally(NamedTuple):
    """Of some mutants: how many there are, how many were noticed, and how many are explained."""

    mutants: int
    killed: int
    by_time: int
    explained: int

    @property
    def survived(self) -> int:
        """Noticed by no test, and not explained."""
        return self.mutants - self.killed - self.explained

    @property
    def percent(self) -> float:
        """Of those that could be noticed, how many were; 100 where there are none."""
        noticeable = self.mutants - self.explained
        return 100 * self.killed / noticeable if noticeable else 100.0


class Report:
    """What was seen, judged by the explanations."""

    def __init__(
        self, verdicts: Sequence[Verdict], explained: Iterable[Explained], seconds: float
    ) -> None:
        self.verdicts, self.seconds = verdicts, seconds
        modules = {verdict.mutant.module for verdict in verdicts}
        reasons = [each for each in explained if each.module in modules]
        survivors = [verdict.change for verdict in verdicts if verdict.survived]
        self._reasons = {change for each in reasons for change in each.changes()}
        self.unexplained = [change for change in survivors if change not in self._reasons]
        self.idle = sorted(self._reasons - set(survivors))
        self.modules = {module: self.tally(module) for module in sorted(modules)}

    @property
    def good(self) -> bool:
        """Is every survivor explained, every explanation needed, and the goal reached?"""
        return not self.unexplained and not self.idle and self.tally().percent >= GOAL

    def tally(self, module: str = "") -> Tally:
        """Of one module, or of all."""
        verdicts = [each for each in self.verdicts if module in ("", each.mutant.module)]
        survivors = [each.change for each in verdicts if each.survived]
        by_time = sum(each.killed_by == TIME_UP for each in verdicts)
        explained = sum(each in self._reasons for each in survivors)
        return Tally(len(verdicts), len(verdicts) - len(survivors), by_time, explained)

    def document(self) -> dict[str, Any]:
        """All that was seen, for other programs."""
        return {
            "seconds": round(self.seconds, 1),
            "good": self.good,
            "modules": {module: tally._asdict() for module, tally in self.modules.items()},
            "unexplained": [change._asdict() for change in self.unexplained],
            "idle": [change._asdict() for change in self.idle],
        }

    def table(self) -> str:
        """A Markdown table of the modules, and what it comes to."""
        head = (
            "module",
            "mutants",
            "killed",
            "of them by time",
            "explained",
            "survived",
            "percent",
        )
        every = [*self.modules.items(), ("**all**", self.tally())]
        rows = [head, tuple("---" for _ in head), *(_row(*each) for each in every)]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join((*lines, "", self.summary()))

    def summary(self) -> str:
        """For people, in a few lines."""
        amiss = [f"SURVIVED  {each}" for each in self.unexplained]
        amiss += [f"EXPLAINED FOR NOTHING  {each}" for each in self.idle]
        tally = self.tally()
        text = (
            f"{tally.killed} of {tally.mutants} mutants killed, {tally.explained} explained,"
            f" {tally.survived} survived: {tally.percent:.1f} percent of those that can be noticed,"
            f" in {self.seconds / 60:.0f} minutes."
        )
        return "\n".join((*amiss, text))


def line(verdict: Verdict) -> str:
    """One line for people."""
    fate = f"killed by {verdict.killed_by}" if verdict.killed_by else "SURVIVED"
    return f"{verdict.change}: {fate}"


def toml(changes: Iterable[Change]) -> str:
    """Survivors as entries of the file of explanations, the reason left open."""
    becomes: dict[tuple[str, str, str], Counter[str]] = {}
    for module, within, was, text in changes:
        becomes.setdefault((module, within, was), Counter())[text] += 1
    return "\n".join(_entry(*place, list(texts)) for place, texts in becomes.items())


def _entry(module: str, within: str, was: str, becomes: list[str]) -> str:
    texts = "".join(f"    '''{text}''',\n" for text in becomes)
    return (
        f"[[survivor]]\nmodule = '{module}'\nwithin = '{within}'\nwas = '''{was}'''\n"
        f'becomes = [\n{texts}]\nwhy = ""\n'
    )


def _row(module: str, tally: Tally) -> tuple[str, ...]:
    numbers = (tally.mutants, tally.killed, tally.by_time, tally.explained, tally.survived)
    return (module, *map(str, numbers), f"{tally.percent:.1f}")
