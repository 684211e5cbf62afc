"""Torture: the real service under load, struck by what a seed draws, and what it answers for."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from dataclasses import fields
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import mkdtemp
from time import monotonic
from typing import Any

import click

from tests.torture.commands import CommandFailed
from tests.torture.options import Options
from tests.torture.run import Torture
from tests.torture.running import DidNotStart

BROKE_OFF = (DidNotStart, CommandFailed, TimeoutExpired, AssertionError)
"""What a service that is beyond help makes of a run."""


def _given(command: click.Command) -> click.Command:
    """An option of the command for each of a run."""
    for each in reversed(fields(Options)):
        required = each.name in ("seconds", "seed")
        kind: Any = int if each.type == "int" else float
        default = {} if required else {"default": each.default, "show_default": True}
        flag = "--" + each.name.replace("_", "-")
        command.params.insert(0, click.Option([flag], type=kind, required=required, **default))
    return command


@click.command(help=__doc__)
@click.option("--keep", is_flag=True, help="Leave the folder: home, log, backup.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where; made, and must be empty.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def torture(keep: bool, folder: Path | None, as_json: bool, **given: Any) -> None:
    """Runs it; exit 1 where something was wrong."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    place = folder or Path(mkdtemp(prefix="torture-"))
    place.mkdir(parents=True, exist_ok=True)
    began = monotonic()

    def say(line: str) -> None:
        click.echo(f"{monotonic() - began:6.1f} s  {line}", err=True)

    try:
        report = Torture(Options(**given), place, say).run(keep)
    except BROKE_OFF as error:
        again = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
        raise click.ClickException(f"broken off: {error!r}; scripts/torture {again}") from error
    finally:
        if keep:
            click.echo(f"kept: {place}", err=True)
        else:
            shutil.rmtree(place, ignore_errors=True)
    click.echo(json.dumps(report.whole(), indent=2, default=str) if as_json else report.text())
    sys.exit(1 if report.wrongs else 0)


if __name__ == "__main__":
    _given(torture)(prog_name="scripts/torture")
