"""Manual: the manual page, in the language of `man`, from the command tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.settings import SETTINGS
from api.version import VERSION
from scripts.account import VARIABLES
from scripts.cli import cli
from scripts.command_tree import PROGRAM, described
from scripts.exits import EXITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.command_tree import Described


def manual() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH EXPORT\\-TASKS 1 "" "export\\-tasks {_text(VERSION)}" "User Commands"'
    yield ".SH NAME"
    yield f"{_text(PROGRAM)} \\- {_text((cli.help or '').rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield f".B {_text(PROGRAM)}"
    yield "[OPTIONS] COMMAND [ARGS]..."
    yield ".SH COMMANDS"
    for each in described():
        yield from _command(each)
    yield ".SH EXIT STATUS"
    yield from _list({str(code): meaning for code, meaning in EXITS.items()})
    yield ".SH ENVIRONMENT"
    yield "Of the client:"
    yield from _list(VARIABLES)
    yield ".PP"
    yield "Of the service:"
    yield from _list({each.variable: each.meaning for each in SETTINGS})


def _command(command: Described) -> Iterator[str]:
    yield f".SS {_text(' '.join(command.path))}"
    yield f".B {_text(command.usage)}"
    for paragraph in command.paragraphs:
        yield ".PP"
        yield _text(paragraph)
    yield from _list(dict(command.options))
    yield ".PP"
    yield ".EX"
    yield from map(_text, command.examples)
    yield ".EE"


def _list(entries: Mapping[str, str]) -> Iterator[str]:
    for name, meaning in entries.items():
        yield ".TP"
        yield f".B {_text(name)}"
        yield _text(meaning) or "\\&"


def _text(text: str) -> str:
    """Text as it stands: nothing in it is a request or an escape, and all of it is ASCII."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    plain = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in escaped)
    return f"\\&{plain}" if plain[:1] in (".", "'") else plain
