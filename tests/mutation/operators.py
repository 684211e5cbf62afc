"""Operators: cosmic-ray's, which find the places for mutants and make them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.exceptions import CosmicRayTestingException
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.exception_replacer import ExceptionReplacer
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Name

from tests.mutation.mutant import Mutant
from tests.mutation.scope import Outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cosmic_ray.operators.operator import Operator


class DottedExceptionReplacer(ExceptionReplacer):  # type: ignore[misc]
    """Cosmic-ray's own stumbles over `except sqlite3.Error`."""

    def mutate(self, node: Any, index: int) -> Any:
        """Catches what nobody raises, instead of one exception."""
        name = self._name_nodes(node)[index]
        among, other = name.parent.children, CosmicRayTestingException.__name__
        among[among.index(name)] = Name(other, name.start_pos, prefix=name.get_first_leaf().prefix)
        return node

    @staticmethod
    def _name_nodes(node: Any) -> Sequence[Any]:
        caught = node.children[1]
        if caught.type != "atom":
            return (caught,)
        inside = caught.children[1]
        return inside.children[::2] if inside.type == "testlist_comp" else (inside,)


def mutants(root: Path, module: str) -> Iterator[Mutant]:
    """Every mutant of a module, but those of what says nothing of what it does."""
    source = (root / module).read_text("utf-8")
    outline, tree = Outline(source), get_ast(source)
    for name, operator in operators():
        numbers = count()
        for node in ast_nodes(tree):
            for (place, _), number in zip(operator.mutation_positions(node), numbers, strict=False):
                if not outline.is_idle(place):
                    yield Mutant(module, place[0], name, number)


def operators() -> Iterator[tuple[str, Operator]]:
    """All that need not be told what to put in."""
    for name in operator_names():
        if not get_operator(name).arguments():
            yield name, _operator(name)


def mutated(mutant: Mutant, source: str) -> str:
    """The module's text with the change in it.

    Raises:
        LookupError: the mutant is not of this text.
    """
    text = mutate_code(source, _operator(mutant.operator), mutant.occurrence)
    if text is None:
        raise LookupError(f"{mutant} is not there")
    return str(text)


def _operator(name: str) -> Operator:
    kind = get_operator(name)
    return DottedExceptionReplacer() if kind is ExceptionReplacer else kind()
