"""Commands run in this process, in an environment of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from scripts.cli import cli

if TYPE_CHECKING:
    from click.testing import Result

    Environment = dict[str, str]


def invoke(environment: Environment, *arguments: str, exit_code: int = 0) -> Result:
    """Runs a command that ends so."""
    done = CliRunner(env=environment).invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == exit_code, done.output
    return done


def told(environment: Environment, *arguments: str) -> Any:
    """What it says as JSON."""
    return json.loads(invoke(environment, *arguments, "--json").stdout)


def refused(environment: Environment, *arguments: str) -> str:
    """What it says last, where it fails."""
    return invoke(environment, *arguments, exit_code=1).stderr.splitlines()[-1]
