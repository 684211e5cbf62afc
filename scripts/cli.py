"""The `export-tasks` command: its subcommands, and how a failure is told."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from scripts.exits import INTERRUPTED, REFUSED

ROOMS = ("domain", "projections", "exporter", "api", "scripts")
PRIVATE = 0o077
"""The permissions that no file or folder made here gives: whatever holds users' data is theirs."""

# Where each command's home is; imported when help or a call asks for it, and light to import.
_COMMANDS = {
    "init": "init",
    "demo": "demo",
    "serve": "serve",
    "export": "export",
    "quota": "export",
    "exporter": "serve",
    "project": "projects",
    "app": "projects",
    "user": "people",
    "key": "keys",
    "secret": "secret",
    "refusal": "refusal",
    "limits": "limits",
    "batch": "batch",
    "task": "task",
    "event": "event",
    "replay": "replay",
    "diff": "replay",
    "audit": "audit",
    "rebuild": "rebuild",
    "backup": "backup",
    "restore": "backup",
    "migrate": "migrate",
    "results": "results",
    "doctor": "doctor",
    "config": "config",
    "completion": "shell",
    "man": "shell",
    "worker": "serve",
}


class Refused(click.ClickException):
    """What was asked is not done: one line on stderr, exit 1."""

    def show(self, file: Any = None) -> None:
        """Prints the line."""
        click.echo(f"export-tasks: {self.message}", file=file, err=file is None)


class Commands(click.Group):
    """All commands, each imported from its own file; refusals become one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of a first day with the service."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        home = import_module(f"scripts.commands.{_COMMANDS[cmd_name]}")
        return getattr(home, cmd_name)  # type: ignore[no-any-return]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; of one that there is not, the nearest is told."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            from difflib import get_close_matches

            nearest = get_close_matches(error.command_name, _COMMANDS, 1)
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=nearest, ctx=ctx
            ) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; refusals, faults of settings and of stores are told, not traced."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort) as stopped:
            click.echo(err=True)
            for word in stopped.args:
                click.echo(word, err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, told()):
                raise Refused(one_line(error)) from error
            raise


def told() -> tuple[type[Exception], ...]:
    """The faults that people can do something about: what they need to know is in the text."""
    from eventsourcing.persistence import PersistenceError

    from api.settings import SettingsError
    from domain.refusals import Refusal
    from exporter.results import ResultsClaimed, ResultsFailed
    from exporter.sources import BatchRefused, SourceFailed
    from projections.log import CannotOpen

    stores = (CannotOpen, PersistenceError, ResultsFailed, ResultsClaimed, SourceFailed, OSError)
    return (Refusal, SettingsError, BatchRefused, *stores)


def one_line(error: Exception) -> str:
    """Its text, however it was laid out."""
    return " ".join(str(error).split()) or type(error).__name__


@click.command(cls=Commands, epilog="Each command has a --help of its own, with an example.")
@click.version_option(package_name="export-tasks", message="%(version)s")
def cli() -> None:
    """Export batch-task results as spreadsheets: IoTDA's export-task API, self-hosted."""


def main() -> None:
    """Runs the command, unless another package's `api` or `domain` would be run with it."""
    if stray := _stray_room():
        click.echo(
            f"export-tasks: the package '{stray}' here is not export-tasks' own; this program "
            "needs an environment of its own: install with pipx.",
            err=True,
        )
        sys.exit(REFUSED)
    os.umask(PRIVATE)
    cli(prog_name="export-tasks")


def _stray_room() -> str | None:
    """A room that does not share the one parent folder."""
    ours = Path(__file__).resolve().parent.parent
    for room in ROOMS:
        spec = find_spec(room)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parents[1] != ours:
            return room
    return None


if __name__ == "__main__":
    main()
