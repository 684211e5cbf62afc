"""What destroys something: shown in a dry run, asked for on a terminal, never elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scripts.group import command_line
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def made(command, create_task) -> dict[str, str]:
    """What there is to destroy, by the word that stands for it."""
    command("project", "add", "plant-2")
    command("app", "add", "line-a", "--project", "plant-1")
    ada = command.json("user", "add", "ada", "--project", "plant-1", "--admin")
    batch = command.json("batch", "generate", "--project", "plant-1", "--rows", "5")["task_id"]
    task = create_task(batch, ada["user_id"])
    return {"TASK": task, "BATCH": batch, "KEY": ada["access_key"]}


DESTROYING = {
    "user remove ada": "user show ada",
    "project remove plant-2": "app add x --project plant-2",
    "app remove line-a --project plant-1": "app remove line-a --project plant-1 --dry-run",
    "task delete TASK": "task show TASK",
    "batch remove BATCH": "batch show BATCH",
    "key revoke KEY": "key revoke KEY",
}
"""Each, and a command that is refused once it was done."""


def words(line: str, made: dict[str, str]) -> list[str]:
    return [made.get(word, word) for word in line.split()]


@pytest.mark.parametrize(("line", "looked_at"), DESTROYING.items(), ids=DESTROYING)
def test_a_dry_run_shows_what_would_be_lost_and_loses_nothing(command, made, line, looked_at):
    destroying = words(line, made)
    lost = command.json(*destroying, "--dry-run")
    assert set(destroying) & {str(value) for value in lost.values()} or lost["access_keys"] == 1
    assert command.json(*destroying, "--dry-run") == lost
    done = command(*destroying)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    command.refused(*words(looked_at, made))


def test_a_dry_run_refuses_what_is_not_there(command, made):
    for line in ("user remove eve", "project remove x", "app remove x --project plant-1",
                 "task delete " + "0" * 24, "batch remove abc"):  # fmt: skip
        assert "does not exist" in command.refused(*line.split(), "--dry-run"), line


@pytest.fixture
def terminal(home) -> Callable[..., Terminal]:
    return lambda *arguments: Terminal(command_line(*arguments), os.environ)


def test_on_a_terminal_no_means_that_nothing_is_done(command, made, terminal):
    asked = terminal("task", "delete", made["TASK"])
    asked.expect("Delete the task")
    asked.type("n")
    assert asked.end() == 1
    assert "Nothing was done." in asked.shown
    assert f"export_task_id: {made['TASK']}" in asked.shown
    assert command.json("task", "show", made["TASK"])["status"] == "Processing"


def test_on_a_terminal_yes_means_yes(command, made, terminal):
    asked = terminal("task", "delete", made["TASK"])
    asked.expect("[y/N]")
    asked.type("y")
    assert asked.end() == 0
    assert "was removed" in command.refused("task", "show", made["TASK"])


@pytest.mark.parametrize("answer", ["y", "", "Ada"])
def test_a_user_goes_only_where_its_name_is_typed(command, made, terminal, answer):
    asked = terminal("user", "remove", "ada")
    asked.expect("Type ada to go on")
    asked.type(answer)
    assert asked.end() == 1
    command("user", "show", "ada")
    asked = terminal("user", "remove", "ada")
    asked.expect("Type ada to go on")
    asked.type("ada")
    assert asked.end() == 0
    assert "does not exist" in command.refused("user", "show", "ada")


def test_no_input_asks_nothing_on_a_terminal(command, made, terminal):
    asked = terminal("user", "remove", "ada", "--no-input")
    assert (asked.end(), asked.shown.splitlines()) == (0, ["The user ada is removed."])
    assert "does not exist" in command.refused("user", "show", "ada")


def test_no_input_and_a_password_that_would_be_asked_for_do_not_go_together(command, made):
    assert (
        "--password-stdin" in command("user", "password", "ada", "--no-input", exit_code=2).stderr
    )
    secret = "correct horse battery"
    flags = ("--no-input", "--password-stdin")
    command("user", "password", "ada", *flags, given=secret + "\n")
