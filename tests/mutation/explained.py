"""Explained: the survivors that no test can notice, each with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.mutation.mutant import Change, one_line
from tests.mutation.scope import Outline

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).with_name("survivors.toml")


class Explained(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a line may as well be one of the others: with them, too, the module does the same.

    `within` is the function or class the line is in; empty outside of all.
    """

    module: str
    within: str
    was: str
    becomes: list[str]
    why: str

    def changes(self) -> Iterator[Change]:
        """The mutants that are explained."""
        for text in self.becomes:
            yield Change(self.module, self.within, self.was, text)

    def stands(self, root: Path) -> bool:
        """Is the line still there?"""
        path = root / self.module
        if not path.is_file():
            return False
        outline = Outline(path.read_text("utf-8"))
        places = (n for n, line in enumerate(outline.lines, 1) if one_line([line]) == self.was)
        return any(outline.within(number) == self.within for number in places)


class _Survivors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    survivor: list[Explained]


def explanations(file: Path = FILE) -> list[Explained]:
    """All of them, in their order."""
    return msgspec.toml.decode(file.read_bytes(), type=_Survivors).survivor
