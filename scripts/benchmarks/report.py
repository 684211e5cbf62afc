"""Report: the figures as one table for people, and as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.figures import Bar, Figure
from scripts.talk import show_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS = ("what", "unit", "ours", "peer or limit", "its", "ratio", "from", "to", "bar", "met")
VERDICTS = {True: "met", False: "missed", None: ""}


def print_table(figures: Sequence[Figure]) -> None:
    """A line for each figure: medians, the ratio's smallest and largest round, and the verdict."""
    show_all(COLUMNS, [line(figure) for figure in figures], as_json=False)


def verdict(figures: Sequence[Figure]) -> str:
    """How many of the bars are met, and which are not."""
    barred = [figure for figure in figures if figure.bar]
    missed = [f"{each.what} ({each.unit}, {each.peer})" for each in barred if not each.met]
    count = f"{len(barred) - len(missed)} of {len(barred)} bars met"
    return f"{count}; missed: {'; '.join(missed)}" if missed else count


def document(figures: Sequence[Figure], runs: int, quick: bool, seconds: float) -> dict[str, Any]:
    """All that was measured, round by round, on what, and how long it took."""
    return {
        "machine": {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "system": f"{platform.system()} {platform.machine()}",
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        },
        "seconds": round(seconds),
        "runs": runs,
        "quick": quick,
        "figures": [
            {
                **asdict(figure),
                "ratios": figure.ratios,
                "ratio": figure.ratio,
                "margin": figure.margin,
                "met": figure.met,
            }
            for figure in figures
        ],
    }


def figures_of(document: Mapping[str, Any]) -> list[Figure]:
    """The figures of such a document again."""
    return [
        Figure(
            each["what"],
            each["unit"],
            each["peer"],
            tuple(each["ours"]),
            tuple(each["theirs"]),
            Bar(**each["bar"]) if each["bar"] else None,
        )
        for each in document["figures"]
    ]


def line(figure: Figure) -> dict[str, str]:
    """A figure's cells, by column."""
    cells = (
        figure.what,
        figure.unit,
        number(median(figure.ours)),
        figure.peer,
        number(median(figure.theirs)),
        f"{figure.ratio:.3g}",
        f"{min(figure.ratios):.3g}",
        f"{max(figure.ratios):.3g}",
        figure.bar.text if figure.bar else "",
        VERDICTS[figure.met],
    )
    return dict(zip(COLUMNS, cells, strict=True))


def number(value: float) -> str:
    """Three digits that count, or whole thousands."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
