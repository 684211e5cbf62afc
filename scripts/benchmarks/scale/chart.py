"""Chart: how long a transaction waits in the worst hour of the year, by the number of stores."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log2, log10
from typing import TYPE_CHECKING

from scripts.benchmarks.picture import STYLE, text_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts.benchmarks.scale.stores import Outcome

WIDTH, HEIGHT = 1000, 520
LEFT, RIGHT, TOP, BOTTOM = 110, 250, 90, 70
LINE_HEIGHT = 16.0
BOUND = 0.25
"""Seconds that a request may wait for its turn; past it the service says 503."""

OWN_STYLE = """
.owner { stroke: #0969da; fill: none; stroke-width: 3 } .owner-dot { fill: #0969da }
.project { stroke: #bc4c00; fill: none; stroke-width: 3; stroke-dasharray: 8 5 }
.project-dot { fill: #bc4c00 } .thin { stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  .owner { stroke: #4493f8 } .owner-dot { fill: #4493f8 }
  .project { stroke: #f0883e } .project-dot { fill: #f0883e }
}
"""

LINES: tuple[tuple[str, str, Callable[[Outcome], float]], ...] = (
    ("owner", "in a storm, by owner", lambda found: found.storm_p99),
    ("project", "in a storm, by project", lambda found: found.storm_p99),
    ("project thin", "busiest hour, by project", lambda found: found.hour_p99),
    ("owner thin", "busiest hour, by owner", lambda found: found.hour_p99),
)


def chart(outcomes: Sequence[Outcome], title: str) -> str:
    """An SVG: seconds on a logarithmic scale, a line where a request is given up."""
    counts = sorted({each.stores for each in outcomes})
    values = [of(each) for each in outcomes for _, _, of in LINES]
    axes = _Axes(counts, values)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}{OWN_STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
        text_at(16, 32, title, "title"),
        *axes.drawn(),
        *_lines(outcomes, axes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Axes:
    def __init__(self, counts: Sequence[int], values: Sequence[float]) -> None:
        self._counts = counts
        self._least = floor(log10(max(1e-4, min(values))))
        self._most = ceil(log10(max(*values, BOUND)))

    def x(self, stores: int) -> float:
        width = WIDTH - LEFT - RIGHT
        return LEFT + width * log2(stores) / max(1.0, log2(self._counts[-1]))

    def y(self, seconds: float) -> float:
        share = (log10(max(seconds, 10.0**self._least)) - self._least) / (self._most - self._least)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def drawn(self) -> Iterator[str]:
        for power in range(self._least, self._most + 1):
            y = self.y(10.0**power)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield text_at(LEFT - 10, y + 4, f"{10.0**power:g} s", "small", "end")
        for count in self._counts:
            yield text_at(self.x(count), HEIGHT - BOTTOM + 22, str(count), "", "middle")
        middle = (LEFT + WIDTH - RIGHT) / 2
        yield text_at(middle, HEIGHT - 20, "event stores", "", "middle")
        yield text_at(16, 62, "99 of 100 transactions on the busiest store wait less than", "small")
        y = self.y(BOUND)
        yield f'<line class="line" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield text_at(LEFT + 6, y - 6, f"{BOUND:g} s: a request's turn is over", "small")


def _lines(outcomes: Sequence[Outcome], axes: _Axes) -> Iterator[str]:
    ends: list[float] = []
    for kind, words, of in LINES:
        by = kind.split()[0]
        places = [(axes.x(e.stores), axes.y(of(e))) for e in outcomes if e.by == by]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline class="{kind}" points="{points}"/>'
        for x, y in places:
            yield f'<circle class="{by}-dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        y = _free(places[-1][1], ends)
        yield text_at(places[-1][0] + 12, y + 4, words)


def _free(y: float, taken: list[float]) -> float:
    """The nearest height at which a word does not stand on another."""
    while any(abs(y - other) < LINE_HEIGHT for other in taken):
        y += 2
    taken.append(y)
    return y
