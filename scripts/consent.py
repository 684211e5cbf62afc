"""Consent: what would be destroyed is told, and on a terminal it is asked for first."""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scripts.cli import Refused
from scripts.talk import as_json, done, plain, say, show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

no_input = click.option("--no-input", is_flag=True, help="Ask nothing, also on a terminal.")
"""The option of every command that may ask something."""


class Consent(NamedTuple):
    """How the one who gave a command that destroys something wants to be asked."""

    dry_run: bool
    no_input: bool
    as_json: bool

    @property
    def needed(self) -> bool:
        """Is there anybody who is told what would be lost?"""
        return self.dry_run or self._asks()

    def to(
        self,
        question: str,
        lost: Mapping[str, Any],
        typed: str | None = None,
        warning: str | None = None,
    ) -> bool:
        """May it be done? Never in a dry run, which only shows what would be lost.

        On a terminal that is shown, and asked for: by y or n, or, where it is severe, by typing a
        name. Elsewhere, and with `--no-input`, the command itself is the consent; but where there
        is a warning, only with `--no-input`.

        Raises:
            Refused: the answer was no, or nobody could be warned.
        """
        if self.dry_run:
            show(lost, self.as_json)
            return False
        if self._asks():
            _ask(question, lost, typed)
        elif warning and not self.no_input:
            raise Refused(f"{warning} Give --no-input where that is meant.")
        return True

    def done(self, line: str, **gone: Any) -> None:
        """Tells that it was done, and of what."""
        done(line, gone | {"removed": True}, self.as_json)

    def _asks(self) -> bool:
        return not self.no_input and sys.stdin.isatty() and sys.stderr.isatty()


def destroys(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options, and passes them as its `consent`."""

    @click.option("--dry-run", is_flag=True, help="Only show what would be lost.")
    @no_input
    @as_json
    @wraps(command)
    def asking(*args: Any, dry_run: bool, no_input: bool, as_json: bool, **given: Any) -> Any:
        return command(*args, consent=Consent(dry_run, no_input, as_json), **given)

    return asking


def _ask(question: str, lost: Mapping[str, Any], typed: str | None) -> None:
    for name, value in lost.items():
        say(f"{name}: {plain(value)}")
    if typed is None:
        agreed = click.confirm(question, err=True)
    else:
        told = f"{question} Type {typed} to go on"
        agreed = click.prompt(told, default="", show_default=False, err=True) == typed
    if not agreed:
        raise Refused("Nothing was done.")
