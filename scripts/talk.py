"""Talk: results on stdout for people or as JSON, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Advance = Callable[[int], None]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The option that every command which prints a result takes."""


def example(*lines: str) -> str:
    """The epilog of a command's help: how it is called."""
    return "\b\nExample:\n" + "\n".join(f"  export-tasks {line}" for line in lines)


def say(line: str) -> None:
    """One line for people, beside the result."""
    click.echo(line, err=True)


def done(line: str, document: Mapping[str, Any], as_json: bool) -> None:
    """What was done: a line for people, or one JSON document beside it."""
    say(line)
    if as_json:
        show(document, as_json)


def show(document: Mapping[str, Any], as_json: bool) -> None:
    """One thing: a line for each of its names, or one JSON document."""
    if as_json:
        return click.echo(_json(document, indent=2))
    width = max(map(len, document), default=0)
    for name, value in document.items():
        click.echo(f"{name:<{width}}  {plain(value)}".rstrip())
    return None


def show_all(names: tuple[str, ...], rows: Iterable[Mapping[str, Any]], as_json: bool) -> None:
    """Several things of a kind: a column for each of the names, or one JSON document of all."""
    if as_json:
        return click.echo(_json(list(rows), indent=2))
    table = [names, *(tuple(plain(row[name]) for name in names) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    return None


def json_line(document: Mapping[str, Any]) -> str:
    """A thing as one line of JSON Lines."""
    return _json(document, indent=None)


def is_live(stream: TextIO) -> bool:
    """May lines on it be written again and again? Not off a terminal, nor on a dumb one."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Advance]:
    """A bar for long work, told how much is done so far; none where stderr cannot show one."""
    if not is_live(sys.stderr):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def stamp(at: datetime, timespec: str = "milliseconds") -> str:
    """A time as the API writes it, whichever its zone is: UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def plain(value: Any) -> str:
    """A value on one line; what could steer a terminal is written as its escape."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {plain(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "-"
    text = value if isinstance(value, str) else _json(value, None).strip('"')
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _json(document: Any, indent: int | None) -> str:
    return json.dumps(document, ensure_ascii=False, indent=indent, default=_as_text)


def _as_text(value: object) -> str:
    return stamp(value) if isinstance(value, datetime) else str(value)
