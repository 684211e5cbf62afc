"""Page: the table of docs/performance.md, written from a run's JSON, never by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.benchmarks import picture
from scripts.benchmarks.homes import ROOT
from scripts.benchmarks.report import COLUMNS, figures_of, line, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "benchmarks"
BEGIN = "<!-- written by scripts/bench --page -->"
END = "<!-- until here -->"


def write_page(document: dict[str, Any], page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Puts a run between the page's marks, and its picture into the folder.

    Raises:
        ValueError: the page does not have the marks, each once.
    """
    before, rest = _split(page.read_text(), BEGIN)
    _, after = _split(rest, END)
    figures = figures_of(document)
    body = "\n".join(_body(document, figures))
    page.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}")
    draw(figures, pictures)


def draw(figures: list[Figure], folder: Path) -> None:
    """Writes the picture into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / picture.NAME).write_text(picture.picture(figures))


def _body(document: dict[str, Any], figures: list[Figure]) -> Iterator[str]:
    yield f"The machine: {_machine(document)}"
    yield ""
    yield f"**{verdict(figures)}.**"
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for figure in figures:
        yield f"| {' | '.join(line(figure).values())} |"


def _machine(document: dict[str, Any]) -> str:
    machine, rounds = document["machine"], document["runs"]
    sizes = "tiny sizes that say nothing of speed" if document["quick"] else "full sizes"
    return (
        f"{machine['processors']} processors, {machine['memory_gb']:g} GB of memory,"
        f" {machine['system']}, Python {machine['python']}, SQLite {machine['sqlite']};"
        f" {rounds} rounds, {sizes}, {document['seconds'] / 60:.0f} minutes."
    )


def _split(text: str, mark: str) -> tuple[str, str]:
    before, *after = text.split(mark)
    if len(after) != 1:
        raise ValueError(f"the page must have this mark once: {mark}")
    return before, after[0]
