"""Picture: how each figure stands to its bar, as a chart in SVG, drawn by plain Python."""

from __future__ import annotations

from html import escape
from itertools import chain
from math import ceil, floor, log10
from statistics import median
from typing import TYPE_CHECKING

from scripts.benchmarks.figures import LIMIT
from scripts.benchmarks.report import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.benchmarks.figures import Figure

NAME = "bars.svg"

WIDTH, LABELS, PLOT = 1000, 450, 380
"""Of the picture, of what stands left of the chart, and of the chart, in pixels."""

ROW, THICK, TOP, BOTTOM = 36, 14, 92, 44
"""Heights of a row and of its bar, and of what stands above and below all rows."""

DECADES = 2
"""As far as the chart goes to either side, at most; a bar that goes farther is cut there."""

THINNEST = 2.0
STEPS = (1, 2, 5)

STYLE = """
svg { font: 13px system-ui, sans-serif }
text { fill: #1f2328 } .back { fill: #ffffff } .grid { stroke: #d1d9e0 }
.line { stroke: #1f2328; stroke-width: 2 } .small { font-size: 11px; fill: #59636e }
.title { font-size: 17px; font-weight: 600 } .word { font-weight: 600 }
.met { fill: #0969da } .missed { fill: url(#stripes); stroke: #bc4c00; stroke-width: 1.5 }
.stripe { stroke: #bc4c00; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .back { fill: #0d1117 } .grid { stroke: #3d444d }
  .line { stroke: #f0f6fc } .small { fill: #9198a1 } .met { fill: #4493f8 }
  .missed, .stripe { stroke: #f0883e }
}
"""
STRIPES = (
    '<pattern id="stripes" width="7" height="7" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><line class="stripe" y2="7"/></pattern>'
)


def picture(figures: Sequence[Figure]) -> str:
    """An SVG of the figures that have a bar, in their order.

    Each starts at the line where its bar stands and goes to the right where the bar is met, solid,
    and to the left where it is missed, striped; twice as good is as far as half as good.
    """
    barred = [(figure, margin) for figure in figures if (margin := figure.margin) is not None]
    scale = _Scale([margin for _, margin in barred])
    height = TOP + ROW * len(barred) + BOTTOM
    met = sum(margin >= 1 for _, margin in barred)
    title = f"{met} of {len(barred)} bars met"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{title}</title><style>{STYLE}</style><defs>{STRIPES}</defs>",
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        text_at(16, 30, f"How each figure stands to its bar: {title}", "title"),
        *_grid(scale, height),
        *chain.from_iterable(
            _row(TOP + ROW * row, figure, margin, scale)
            for row, (figure, margin) in enumerate(barred)
        ),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


class _Scale:
    """Where margins stand on the chart, by their logarithm; 1, the bar itself, is always on it."""

    def __init__(self, margins: Sequence[float]) -> None:
        logs = [0.0, *map(log10, margins)]
        self.least = max(-DECADES, floor(min(logs) * 3) / 3)
        self.most = min(DECADES, max(ceil(max(logs) * 3) / 3, self.least + 1))

    def at(self, margin: float) -> float:
        """Pixels from the picture's left side."""
        log = min(max(log10(margin), self.least), self.most)
        return LABELS + PLOT * (log - self.least) / (self.most - self.least)

    def ticks(self) -> list[float]:
        """Round numbers within."""
        ticks = [step * 10.0**power for power in range(-DECADES, DECADES + 1) for step in STEPS]
        return [tick for tick in ticks if 10**self.least <= tick <= 10**self.most * 1.001]


def _grid(scale: _Scale, height: int) -> Iterator[str]:
    bottom, middle = height - BOTTOM + 4, scale.at(1)
    for tick in scale.ticks():
        x = scale.at(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}"/>'
        yield text_at(x, bottom + 16, f"{tick:g} ×", "small", "middle")
    yield f'<line class="line" x1="{middle:.1f}" x2="{middle:.1f}" y1="{TOP - 14}" y2="{bottom}"/>'
    yield text_at(middle, TOP - 34, "the bar", "word", "middle")
    yield text_at(middle - 8, TOP - 18, "← missed", "small", "end")
    yield text_at(middle + 8, TOP - 18, "met →", "small")


def _row(top: int, figure: Figure, margin: float, scale: _Scale) -> Iterator[str]:
    kind = "met" if margin >= 1 else "missed"
    length = max(abs(scale.at(margin) - scale.at(1)), THINNEST)
    start = scale.at(1) if kind == "met" else scale.at(1) - length
    y, text = top + (ROW - THICK) / 2, figure.bar.text if figure.bar else ""
    yield text_at(LABELS - 14, top + 15, figure.what, "", "end")
    yield text_at(LABELS - 14, top + 29, f"{figure.unit}, beside {figure.peer}", "small", "end")
    yield (f'<rect class="{kind}" x="{start:.1f}" y="{y}" width="{length:.1f}" height="{THICK}"/>')
    x = LABELS + PLOT + 14
    shown = number(median(figure.ours)) if figure.peer == LIMIT else f"{figure.ratio:.3g}"
    yield text_at(x, top + 15, f"{kind}: {shown}", "word")
    yield text_at(x, top + 29, text, "small")


def text_at(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words in a picture, at pixels from its left and upper sides."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'
