"""A home of its own for each test, and the command as an operator runs it there."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.parts import Parts
from domain.commands import CreateTask
from domain.conditions import ExportConditions, OwnerId
from domain.fact import Caller
from scripts.cli import cli


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EXPORT_TASKS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EXPORT_TASKS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Command:
    """`export-tasks` in this process: its exit code and what it printed."""

    def __init__(self) -> None:
        self._runner = CliRunner()

    def __call__(self, *arguments: str, exit_code: int = 0, given: str | bytes | None = None):
        result = self._runner.invoke(cli, arguments, input=given, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result

    def json(self, *arguments: str, given: str | bytes | None = None):
        """What a command prints with --json."""
        return json.loads(self(*arguments, "--json", given=given).stdout)

    def refused(self, *arguments: str, given: str | bytes | None = None) -> str:
        """The one line on stderr of a command that is refused."""
        result = self(*arguments, exit_code=1, given=given)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        return line


@pytest.fixture
def command(home) -> Command:
    return Command()


@pytest.fixture
def begun(command) -> dict:
    """A home after `init`: what it printed."""
    return command.json("init", "--project", "plant-1")


@pytest.fixture
def empty(command) -> Command:
    """A home whose event store is there, and nothing in it."""
    command("migrate")
    return command


@pytest.fixture
def create_task(begun):
    """Asks for an export as the API does; returns the task's id."""

    def create(batch_id: str, user_id: str = begun["user_id"], scope: str | None = None) -> str:
        app_type = "APP" if scope else "GLOBAL"
        condition = json.dumps({"task_id": batch_id})
        conditions = ExportConditions("BatchTask", condition, "xls", app_type, scope)
        owner = OwnerId("plant-1", user_id)
        with Parts() as parts:
            caller = Caller(user_id, parts.operator().request_id)
            return parts.ledger.create(CreateTask(owner, conditions, None, None, caller)).task_id

    return create
