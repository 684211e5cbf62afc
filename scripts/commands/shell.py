"""`completion` and `man`: what a shell and `man` are given, from the command tree itself."""

from __future__ import annotations

import click

from scripts.talk import example

COMPLETE_VARIABLE = "_EXPORT_TASKS_COMPLETE"
SHELLS = click.Choice(["bash", "zsh", "fish"])


@click.command(epilog=example("completion bash > export-tasks.bash"))
@click.argument("shell", type=SHELLS)
def completion(shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    bash: put it into ~/.local/share/bash-completion/completions/export-tasks. fish: into
    ~/.config/fish/completions/export-tasks.fish. zsh: as _export-tasks into a folder of $fpath.
    """
    from click.shell_completion import get_completion_class

    from scripts.cli import cli

    complete = get_completion_class(shell)
    assert complete
    click.echo(complete(cli, {}, "export-tasks", COMPLETE_VARIABLE).source())


@click.command(epilog=example("man > export-tasks.1"))
def man() -> None:
    """Print the manual page; `export-tasks man | man -l -` shows it."""
    from scripts.manual import manual

    click.echo(manual(), nl=False)
