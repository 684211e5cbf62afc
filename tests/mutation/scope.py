"""Scope: which modules are mutated, which tests must notice, and what is no rule of theirs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

MODULES = {
    "domain": ("domain/*.py", "domain/access/*.py"),
    "projections": (
        "projections/follower.py",
        "projections/position.py",
        "projections/changes.py",
        "projections/seal.py",
    ),
    "exporter": (
        "exporter/watch.py",
        "exporter/sender.py",
        "exporter/exporter.py",
        "exporter/attempt.py",
    ),
}
"""By room: the rules, the follower, the claim protocol."""

TESTS = {
    "domain": ("tests/domain", "--ignore=tests/domain/test_processes.py", "-k", "not sqlite"),
    "projections": ("tests/projections",),
    "exporter": (
        "tests/exporter/test_watch.py",
        "tests/exporter/test_sender.py",
        "tests/exporter/test_exporter.py",
        "tests/exporter/test_attempt.py",
        "tests/exporter/test_takeover.py",
    ),
}
"""What must notice a mutant: the tests of its own room.

Of the domain's without the one that draws schedules of processes, and over one store alone.
"""

LOGS = ("log", "_LOGGER")


class Span(NamedTuple):
    """From one place to another, each a line (from 1) and a column (from 0)."""

    start: tuple[int, int]
    end: tuple[int, int]

    def holds(self, place: tuple[int, int]) -> bool:
        """Is this place within?"""
        return self.start <= place < self.end


def modules(root: Path) -> list[str]:
    """All modules that are mutated, by their paths in the project."""
    patterns = [pattern for room in MODULES.values() for pattern in room]
    return [path.relative_to(root).as_posix() for each in patterns for path in paths(root, each)]


def paths(root: Path, pattern: str) -> list[Path]:
    """The files of a pattern, in order."""
    return sorted(root.glob(pattern))


class Outline:
    """A module's text as the mutants need it: what is no rule, whose line it is, its statement."""

    def __init__(self, source: str) -> None:
        self.lines = source.splitlines()
        self._tree = ast.parse(source)
        self._idle = list(_idle(self._tree))

    def is_idle(self, place: tuple[int, int]) -> bool:
        """Does what stands there say nothing of what the module does?

        A bare star in a signature says how to call it.
        """
        line, column = place
        star = self.lines[line - 1].startswith("*,", column)
        return star or any(span.holds(place) for span in self._idle)

    def within(self, line: int) -> str:
        """The function or class that the line is in, or decorates; empty outside of all."""
        named = ast.FunctionDef | ast.ClassDef
        return ".".join(node.name for node in self._around(line) if isinstance(node, named))

    def statement(self, line: int) -> range:
        """The lines of the innermost statement there; of a compound one, of its head."""
        node = self._around(line)[-1]
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno
        return range(_first(node), max(line, last or line) + 1)

    def _around(self, line: int) -> list[ast.stmt]:
        nodes = (node for node in ast.walk(self._tree) if isinstance(node, ast.stmt))
        around = [node for node in nodes if _first(node) <= line <= (node.end_lineno or 0)]
        return sorted(around, key=_first)


def _idle(tree: ast.Module) -> Iterator[Span]:
    """Annotations (they are not run), imports for them, and what is told to the log."""
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(annotation=annotation):
                yield _span(annotation)
            case ast.arg(annotation=ast.expr() as annotation):
                yield _span(annotation)
            case ast.FunctionDef(returns=ast.expr() as annotation):
                yield _span(annotation)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield _span(node)
            case ast.Expr(ast.Call(func=ast.Attribute(value=ast.Name(id=name)))) if name in LOGS:
                yield _span(node)


def _span(node: ast.expr | ast.stmt) -> Span:
    return Span((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", ())
    return min((each.lineno for each in decorators), default=node.lineno)
