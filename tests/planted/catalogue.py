"""Catalogue: the bugs that can be planted, each a few lines of the product made wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).with_name("catalogue")


class DoesNotApply(Exception):
    """The product is not any more what a bug was made for: the catalogue must follow it."""


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that stands exactly once in a file, and what is put in its place."""

    file: str
    find: str
    put: str

    def applied(self, text: str) -> str:
        """The file's text with the bug in it.

        Raises:
            DoesNotApply: what is to be replaced is not there, or not once.
        """
        times = text.count(self.find)
        if times != 1:
            line = self.find.strip().partition("\n")[0]
            raise DoesNotApply(f"{self.file} has it {times} times, not once: {line}")
        return text.replace(self.find, self.put)


class Bug(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake that could be made; `rule` is what it breaks.

    `blind` bugs were thought up by somebody who had not seen the simulator.
    """

    name: str
    rule: str
    blind: bool
    edit: list[Edit]

    def plant(self, root: Path) -> None:
        """Puts the bug into the tree under `root`.

        Raises:
            DoesNotApply: the tree is not what the bug was made for.
        """
        for edit in self.edit:
            path = root / edit.file
            if not path.is_file():
                raise DoesNotApply(f"{edit.file} is not there")
            path.write_text(edit.applied(path.read_text("utf-8")), "utf-8")


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bug: list[Bug]


def catalogue() -> list[Bug]:
    """Every bug, by the files' names and in their order."""
    paths = sorted(FOLDER.glob("*.toml"))
    subjects = (msgspec.toml.decode(path.read_bytes(), type=_Subject) for path in paths)
    return [bug for subject in subjects for bug in subject.bug]
