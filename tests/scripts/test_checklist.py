"""What every command owes those who use it, after the command line guidelines (clig.dev)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from scripts.cli import cli
from scripts.command_page import MARK, renewed
from scripts.command_tree import described
from scripts.exits import EXITS
from scripts.group import command_line
from scripts.manual import manual
from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "command-line.md"
TREE = list(described())
LEAVES = [each for each in TREE if not each.group]
GROUPS = [each for each in TREE if each.group]
every_command = pytest.mark.parametrize("each", TREE, ids=lambda each: " ".join(each.path))
every_leaf = pytest.mark.parametrize("each", LEAVES, ids=lambda each: " ".join(each.path))
every_group = pytest.mark.parametrize("each", GROUPS, ids=lambda each: " ".join(each.path))
HEAVY = (
    "uvicorn", "starlette", "eventsourcing", "rich", "huaweicloudsdkcore", "asyncio", "psycopg",
    "obstore", "jinja2", "prometheus_client", "structlog", "cryptography", "msgspec",
)  # fmt: skip


def options(each) -> set[str]:
    return set(re.findall(r"--[a-z-]+", " ".join(name for name, _ in each.options)))


# Help


@every_command
def test_help_goes_to_stdout_and_says_what_it_does(command, each):
    told = command(*each.path, "--help")
    assert told.stderr == ""
    assert each.paragraphs[0].rstrip(".").split()[0] in told.stdout
    assert each.paragraphs[0].endswith((".", "?"))


@every_leaf
def test_every_option_says_what_it_is_for(each):
    silent = [name for name, meaning in each.options if not meaning.split("[")[0]]
    assert silent == []


def test_no_help_imports_anything_heavy():
    """All of them, in one process."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from scripts.cli import cli\n"
        "for path in sys.stdin.read().splitlines():\n"
        "    try: cli([*path.split(), '--help'])\n"
        "    except SystemExit as end: assert end.code == 0, path\n"
        f"print('heavy:', sorted({set(HEAVY)!r} & set(sys.modules)))\n"
    )
    paths = "\n".join(["", *(" ".join(each.path) for each in TREE)])
    told = subprocess.run(
        [sys.executable, "-c", code], input=paths, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1] == "heavy: []"


def test_the_version_is_that_of_the_package(command):
    assert command("--version").stdout == version("export-tasks") + "\n"


# Usage


@every_leaf
def test_an_unknown_option_is_wrong_usage_and_told_on_stderr_alone(command, each):
    told = command(*each.path, "--no-such-option", exit_code=2)
    assert told.stdout == ""
    assert "--no-such-option" in told.stderr
    assert "--help" in told.stderr


def test_of_an_unknown_command_the_nearest_is_told(command):
    assert "'limits'" in command("limit", exit_code=2).stderr
    assert "'export'" in command("exprot", exit_code=2).stderr
    assert "Did you mean 'serve'?" in command("serv", exit_code=2).stderr
    assert "mean" not in command("zzzzz", exit_code=2).stderr


@every_group
def test_of_an_unknown_command_in_a_group_the_nearest_is_told(command, each):
    known = [leaf.path[-1] for leaf in TREE if leaf.path[:-1] == each.path]
    for name in known:
        told = command(*each.path, name + "x", exit_code=2)
        assert f"'{name}'" in told.stderr
        assert told.stdout == ""


# What is printed


WITHOUT_JSON = {"completion", "man", "serve", "exporter"}
"""Texts that are what they are, and what does not end."""


@every_leaf
def test_every_command_prints_json(each):
    name = " ".join(each.path)
    assert ("--json" in options(each)) != (name in WITHOUT_JSON), name


@pytest.mark.parametrize(
    "line",
    ["batch list", "task list", "refusal list", "app list --project x", "event list --task x"],
)
def test_an_empty_list_is_an_empty_json_document_or_no_line(command, begun, line):
    if line.startswith("event"):
        assert command(*line.split(), "--json").stdout == ""
    else:
        assert command.json(*line.split()) == []


def test_what_destroys_or_changes_for_all_can_be_tried_and_whoever_asks_can_be_kept_from_it():
    trying = {" ".join(each.path) for each in LEAVES if "--dry-run" in options(each)}
    asking = {" ".join(each.path) for each in LEAVES if "--no-input" in options(each)}
    removing = {
        " ".join(each.path)
        for each in LEAVES
        if each.path[-1] in ("remove", "delete", "revoke", "restore", "rebuild", "migrate")
    }
    assert trying == removing | {"limits set", "secret rotate"}
    assert asking == removing - {"restore", "rebuild", "migrate"} | {"user password"}


# On a terminal, and off it

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")
LONG = ("batch", "generate", "--project", "plant-1", "--rows", "3000")


def on_a_terminal(*arguments: str, **changed: str) -> str:
    shown = Terminal(command_line(*arguments), {**os.environ, "TERM": "xterm-256color", **changed})
    assert shown.end() == 0, shown.shown
    return shown.shown


@pytest.mark.parametrize("arguments", [LONG, ("rebuild",)], ids=" ".join)
def test_a_bar_moves_on_a_terminal_and_not_on_a_dumb_one(command, begun, arguments):
    assert ESCAPE in on_a_terminal(*arguments)
    assert ESCAPE not in on_a_terminal(*arguments, TERM="dumb")


@pytest.mark.parametrize("arguments", [LONG, ("rebuild",)], ids=" ".join)
def test_no_color_means_no_colour(command, begun, arguments):
    assert COLOUR.search(on_a_terminal(*arguments))
    assert not COLOUR.search(on_a_terminal(*arguments, NO_COLOR="1"))


def test_off_a_terminal_nothing_moves(command, begun):
    for arguments in (LONG, ("rebuild",)):
        assert ESCAPE not in command(*arguments).output


# What is documented


def test_the_page_is_that_of_the_commands_there_are():
    page = PAGE.read_text("utf-8")
    assert page == renewed(page), "stale; renew it: scripts/reference"
    assert page.count(MARK) == 1


def test_every_exit_code_that_a_help_names_is_documented():
    named = {
        int(code)
        for each in TREE
        for code in re.findall(r"\b(?:Exit:?|exit) (\d+)", " ".join(each.paragraphs))
    }
    assert {0, 1, 3, 4} <= named <= set(EXITS)


def test_the_manual_holds_every_command_and_setting():
    page = manual()
    assert page.isascii()
    for each in TREE:
        assert f".SS {' '.join(each.path)}".replace("-", "\\-") in page.splitlines()
    assert "EXPORT_TASKS_SWEEP_AFTER" in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff on this machine")
def test_the_manual_is_read_without_a_warning():
    told = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z"],
        input=manual(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stderr == ""


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man on this machine")
def test_the_manual_is_shown_by_man(tmp_path):
    (tmp_path / "export-tasks.1").write_text(manual())
    told = subprocess.run(
        ["man", "--warnings", "-l", str(tmp_path / "export-tasks.1")],
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stderr == ""
    assert "export-tasks audit verify --key 'export-tasks.1a2b3c4d+…'" in told.stdout


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_one_of_its_shell(command, shell, tmp_path):
    script = command("completion", shell).stdout
    assert "_EXPORT_TASKS_COMPLETE" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} on this machine to read it")
    (tmp_path / "script").write_text(script)
    subprocess.run([program, "-n", str(tmp_path / "script")], check=True)


COMPLETIONS = {
    "export-tasks exp": {"export", "exporter"},
    "export-tasks export ": {"create", "delete", "download", "list", "show", "watch"},
    "export-tasks export list --status ": {"Processing", "Success", "Failed"},
    "export-tasks user remove --dr": {"--dry-run"},
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
@pytest.mark.parametrize("line", COMPLETIONS)
def test_bash_completes_commands_options_and_their_values(command, tmp_path, line):
    program = tmp_path / "export-tasks"
    started = " ".join(f"'{word}'" for word in command_line())
    program.write_text(f'#!/bin/sh\nexec {started} "$@"\n')
    program.chmod(0o755)
    words = line.split(" ")
    script = (
        f"{command('completion', 'bash').stdout}\n"
        f"COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1}\n"
        '_export_tasks_completion export-tasks; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    told = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(told.stdout.split()) == COMPLETIONS[line]


def test_all_leaves_are_commands_and_no_groups():
    for each in LEAVES:
        group: click.Group = cli
        for name in each.path[:-1]:
            group = group.get_command(click.Context(group), name)
        assert not isinstance(group.get_command(click.Context(group), each.path[-1]), click.Group)
