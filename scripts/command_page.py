"""Command page: the part of docs/command-line.md that is made from the commands there are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.account import VARIABLES
from scripts.command_tree import described
from scripts.exits import EXITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.command_tree import Described

MARK = "<!-- Below, made by scripts/reference -->"


def renewed(page: str) -> str:
    """The page with what is below its mark made anew."""
    above, mark, _ = page.partition(MARK)
    return above + mark + "\n\n" + "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield from _table(
        "exit code", "meaning", {f"{k}": v for k, v in EXITS.items()}, "## Exit codes"
    )
    told = {f"`{name}`": meaning for name, meaning in VARIABLES.items()}
    yield from _table("variable", "meaning", told, "## What the client reads")
    yield from ("## Commands", "")
    for each in described():
        yield from _command(each)


def _command(command: Described) -> Iterator[str]:
    yield f"{'##' if len(command.path) == 1 else '###'}# `{' '.join(command.path)}`"
    yield from ("", f"    {command.usage}", "")
    for paragraph in command.paragraphs:
        yield from (paragraph, "")
    if command.options:
        options = {f"`{name}`": meaning for name, meaning in command.options}
        yield from _table("option", "", options)
    yield from ("```", *command.examples, "```", "")


def _table(name: str, meaning: str, rows: dict[str, str], title: str = "") -> Iterator[str]:
    if title:
        yield from (title, "")
    yield from (f"| {name} | {meaning} |", "|---|---|")
    for key, text in rows.items():
        cells = (each.replace("|", "\\|") for each in (key, text))
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
