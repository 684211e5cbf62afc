"""Pace: how far long work over the event log is, as one line that never hides a log line."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from scripts.logs import log_to_stderr
from scripts.talk import is_live, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Advance = Callable[[int, float], None]

LINE_SECONDS = 5.0
"""How often a line is written where stderr is no terminal."""


class Pace:
    """Told how many events are done and what share of all they are, it says what that means."""

    def __init__(self, label: str, watch: Callable[[], float] = monotonic) -> None:
        self._label = label
        self._watch = watch
        self._first: tuple[float, int, float] | None = None
        self.line = label

    @property
    def began(self) -> bool:
        """Was it told anything?"""
        return self._first is not None

    def __call__(self, events: int, share: float) -> None:
        """Goes on; `line` says how far it is, how fast, and how long it will take."""
        now = self._watch()
        began, first, before = self._first = self._first or (now, events, share)
        self.line = f"{self._label}: {events:,} events, {share:.0%}"
        if now > began:
            self.line += f", {(events - first) / (now - began):,.0f} a second"
        if share > before:
            self.line += f", {(1 - share) * (now - began) / (share - before):,.0f} s left"


@contextmanager
def pace(label: str, tell: Callable[[str], None] = say) -> Iterator[Advance]:
    """One line that changes, where stderr can show one; else a line now and then, and a last one.

    Log records go to stderr meanwhile, above that line.
    """
    told = Pace(label)
    if is_live(sys.stderr):
        with _on_a_terminal(told) as advance:
            yield advance
        return
    log_to_stderr("warning")
    with _in_lines(told, tell) as advance:
        yield advance


@contextmanager
def _in_lines(told: Pace, tell: Callable[[str], None]) -> Iterator[Advance]:
    last = monotonic()

    def advance(events: int, share: float) -> None:
        nonlocal last
        told(events, share)
        if monotonic() - last >= LINE_SECONDS:
            last = monotonic()
            tell(told.line)

    yield advance
    if told.began:
        tell(told.line)


@contextmanager
def _on_a_terminal(told: Pace) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        log_to_stderr("warning")  # by now it is the bar that passes on what goes to stderr
        task = bar.add_task(told.line, total=1.0)

        def advance(events: int, share: float) -> None:
            told(events, share)
            bar.update(task, description=told.line, completed=share)

        yield advance
