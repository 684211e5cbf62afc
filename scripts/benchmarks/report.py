"""Report: the figures as one table for people, and as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from scripts.talk import show_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.benchmarks.figures import Figure

COLUMNS = ("what", "unit", "ours", "peer", "its", "ratio", "from", "to")


def print_table(figures: Sequence[Figure]) -> None:
    """A line for each figure: medians, and the ratio's smallest and largest round."""
    show_all(COLUMNS, [_line(figure) for figure in figures], as_json=False)


def document(figures: Sequence[Figure], runs: int, quick: bool) -> dict[str, Any]:
    """All that was measured, round by round, and on what."""
    return {
        "machine": {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "system": f"{platform.system()} {platform.machine()}",
        },
        "runs": runs,
        "quick": quick,
        "figures": [
            {**asdict(figure), "ratios": figure.ratios, "ratio": median(figure.ratios)}
            for figure in figures
        ],
    }


def _line(figure: Figure) -> dict[str, str]:
    numbers = (
        _number(median(figure.ours)),
        figure.peer,
        _number(median(figure.theirs)),
        f"{median(figure.ratios):.3g}",
        f"{min(figure.ratios):.3g}",
        f"{max(figure.ratios):.3g}",
    )
    return dict(zip(COLUMNS, (figure.what, figure.unit, *numbers), strict=True))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
