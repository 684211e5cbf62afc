"""Report: what became of each planted bug, as lines, as JSON and as a table for the docs."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from tests.planted.hunt import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.planted.hunt import Found, Outcome

_HEAD = ("planted bug", "what it breaks", "blind", "found by", "seed", "seconds")


def line(outcome: Outcome) -> str:
    """One line for people."""
    name, found = outcome.bug.name, outcome.found
    verdict = "good" if outcome.good else "AMISS"
    return f"{verdict:5}  {name}: {outcome.amiss or (_told(found) if found else 'not found')}"


def document(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """All that was seen, for other programs."""
    return [
        {
            "bug": outcome.bug.name,
            "rule": outcome.bug.rule,
            "blind": outcome.bug.blind,
            "good": outcome.good,
            "amiss": outcome.amiss,
            "found": outcome.found and outcome.found._asdict(),
        }
        for outcome in outcomes
    ]


def table(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table of the bugs, and what it comes to."""
    bugs = [outcome for outcome in outcomes if outcome.bug != NOTHING]
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_row, bugs)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join((*lines, "", summary(outcomes)))


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many were found, by whom, and how fast."""
    bugs = [outcome for outcome in outcomes if outcome.bug != NOTHING]
    found = [outcome.found for outcome in bugs if outcome.found and outcome.good]
    simulated = [each.seconds for each in found if each.seed is not None]
    blind = sum(outcome.bug.blind for outcome in bugs)
    text = f"{len(found)} of {len(bugs)} bugs found ({blind} thought up blind)"
    if simulated:
        text += (
            f", {len(simulated)} by the simulator: in {median(simulated):.1f} s in the median,"
            f" {max(simulated):.1f} s at worst"
        )
    return f"{text}."


def _row(outcome: Outcome) -> tuple[str, ...]:
    bug, found = outcome.bug, outcome.found
    blind = "yes" if bug.blind else "no"
    if outcome.amiss or found is None:
        return (bug.name, bug.rule, blind, outcome.amiss or "**not found**", "", "")
    seed = "" if found.seed is None else str(found.seed)
    first, _, _ = found.what.partition("; ")
    words = f"{found.by}: {first}".replace("|", "\\|")
    return (bug.name, bug.rule, blind, words, seed, f"{found.seconds:.1f}")


def _told(found: Found) -> str:
    seed = "" if found.seed is None else f" seed {found.seed},"
    return f"{found.by},{seed} {found.seconds:.1f} s: {found.what}"
