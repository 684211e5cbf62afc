"""Command tree: every command as it is documented, for the manual and for the reference page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from scripts.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "export-tasks"


class Described(NamedTuple):
    """A command: how it is called, what it does in paragraphs, its options, its examples."""

    path: tuple[str, ...]
    usage: str
    paragraphs: list[str]
    options: list[tuple[str, str]]
    examples: list[str]
    group: bool


def described() -> Iterator[Described]:
    """Every command that is no secret, in the order of the tree."""
    return _below(cli, click.Context(cli, info_name=PROGRAM))


def _below(group: click.Group, context: click.Context) -> Iterator[Described]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield _described(command, inner)
        if isinstance(command, click.Group):
            yield from _below(command, inner)


def _described(command: click.Command, context: click.Context) -> Described:
    options = (each for each in command.get_params(context) if isinstance(each, click.Option))
    records = (each.get_help_record(context) for each in options)
    return Described(
        path=tuple(context.command_path.split()[1:]),
        usage=" ".join([context.command_path, *command.collect_usage_pieces(context)]),
        paragraphs=[" ".join(each.split()) for each in (command.help or "").split("\n\n")],
        options=[each for each in records if each and each[0] != "--help"],
        examples=examples(command),
        group=isinstance(command, click.Group),
    )


def examples(command: click.Command) -> list[str]:
    """How it is called, a line each."""
    lines = (line.strip() for line in (command.epilog or "").splitlines())
    return [line for line in lines if line.startswith(PROGRAM)]
