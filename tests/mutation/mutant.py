"""Mutant: one small change to a module, as a place to make it and as what it says."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple
from warnings import catch_warnings, simplefilter

from tests.mutation.scope import Outline


class Mutant(NamedTuple):
    """The `occurrence`-th place in a module where an operator changes something; line from 1."""

    module: str
    line: int
    operator: str
    occurrence: int

    @property
    def room(self) -> str:
        """Whose module, and whose tests."""
        return self.module.partition("/")[0]


class Change(NamedTuple):
    """What a mutant is in words: module, function or class, the line that was, what it becomes."""

    module: str
    within: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.module}, {self.within}: {self.was}  ->  {self.becomes or '(nothing)'}"


def change(mutant: Mutant, source: str, instead: str) -> Change:
    """The change in words: the lines that differ, without what stands around them."""
    old, new = source.splitlines(), instead.splitlines()
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    _, *ends = next(block for block in blocks if block[0] != "equal")
    was, becomes = old[ends[0] : ends[1]], new[ends[2] : ends[3]]
    within = Outline(source).within(mutant.line)
    return Change(mutant.module, within, one_line(was), one_line(becomes))


def is_python(text: str) -> bool:
    """Does Python read this text, without a warning?"""
    with catch_warnings():
        simplefilter("error")
        try:
            compile(text, "mutant", "exec")
        except (SyntaxError, SyntaxWarning):
            return False
    return True


def one_line(lines: list[str]) -> str:
    """The lines' words in one line."""
    return " ".join(" ".join(lines).split())
