"""The command as a whole: help, exit codes, how failures are told."""

import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from scripts.cli import cli
from scripts.group import command_line

ROOT = Path(__file__).parents[2]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        if each.hidden:
            continue
        found.append((*path, name))
        if isinstance(each, click.Group):
            found += commands(each, (*path, name))
    return found


COMMANDS = commands(cli)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_has_an_example_that_calls_it(command, path):
    told = command(*path, "--help").stdout
    assert "Example:" in told
    assert f"export-tasks {' '.join(path)}" in told


def test_all_commands_of_this_version_are_there():
    assert {path[0] for path in COMMANDS} == {
        "init", "demo", "serve", "exporter", "project", "app", "user", "key", "limits", "batch",
        "task", "event", "rebuild", "backup", "restore", "doctor", "config", "secret",
        "refusal", "audit", "replay", "diff", "migrate", "results", "export", "quota", "completion",
        "man",
    }  # fmt: skip


def test_the_processes_own_command_is_hidden(command):
    assert "worker" not in command("--help").stdout


def test_a_foreign_package_of_one_of_our_names_is_told_and_nothing_runs(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from scripts.cli import main; main()"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert "install with pipx" in told.stderr


def test_started_processes_find_their_own_rooms_from_a_folder_with_an_api_of_its_own(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").write_text("raise RuntimeError")
    told = subprocess.run(
        command_line("--help"), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Usage: export-tasks" in told.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("limits", "set"),
        ("limits", "set", "--kept", "many"),
        ("event", "list", "--from", "0"),
        ("event", "list", "--at", "yesterday"),
        ("serve", "--port", "65536"),
        ("serve", "--workers", "0"),
        ("serve", "--drain", "soon"),
        ("exporter", "--exporters", "65"),
        ("batch", "generate", "--rows", "5"),
        ("limits", "set", "--download-interval", "soon"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2_and_nothing_on_stdout(command, arguments):
    assert command(*arguments, exit_code=2).stdout == ""


def test_an_unknown_setting_is_told_in_one_line(command, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_COLOUR", "blue")
    assert "EXPORT_TASKS_COLOUR" in command.refused("limits", "show")


def test_a_value_that_does_not_parse_is_told_in_one_line(command, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_LEASE", "soon")
    assert "EXPORT_TASKS_LEASE" in command.refused("limits", "show")


@pytest.mark.parametrize("path", ["", ".", "..", "/", "x/..", "/./"])
@pytest.mark.parametrize("name", ["EVENTS", "SOURCE"])
def test_a_store_in_a_file_names_one(command, home, monkeypatch, name, path):
    monkeypatch.setenv(f"EXPORT_TASKS_{name}", f"sqlite:///{path}")
    refused = command.refused("init")
    assert f"EXPORT_TASKS_{name}: must name a file: sqlite:///PATH" in refused
    assert not home.exists()


def test_a_store_that_cannot_be_reached_is_told_in_one_line(command, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_EVENTS", "sqlite:////proc/nowhere/events.sqlite")
    assert "/proc/nowhere" in command.refused("limits", "show")


def test_a_store_of_another_kind_is_told_in_one_line(command, home, monkeypatch):
    home.mkdir()
    (home / "events.sqlite").write_text("no database at all, but long enough to be looked at" * 40)
    assert "events.sqlite" in command.refused("limits", "show")


def test_a_source_that_cannot_be_written_is_told_in_one_line(command, empty, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", "iotda+https://iotda.example.com")
    assert "EXPORT_TASKS_SOURCE" in command.refused("batch", "list")


def test_a_reader_that_has_enough_ends_the_command_without_a_word(command, empty):
    for kept in range(5, 60):
        command("limits", "set", "--kept", str(kept))
    listing = subprocess.Popen(
        [*command_line("event", "list", "--follow")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    listing.stdout.readline()
    listing.stdout.close()
    command("limits", "set", "--kept", "60")
    assert listing.wait(60) == 1
    assert listing.stderr.read() == b""
    listing.stderr.close()


def test_of_an_address_that_was_given_it_is_the_address_that_is_asked_about(
    command, tmp_path, database, monkeypatch
):
    for url in (f"sqlite:///{tmp_path}/none.sqlite", database.fresh()):
        monkeypatch.setenv("EXPORT_TASKS_EVENTS", url)
        monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", "k" * 32)
        for _ in range(2):  # nor did the first one make it
            refused = command.refused("task", "list")
            assert "is EXPORT_TASKS_EVENTS right?" in refused
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_exit_130(command, empty):
    command("limits", "set", "--kept", "7")
    following = subprocess.Popen(
        command_line("event", "list", "--follow"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert b"limits.set" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    out, err = following.communicate(timeout=60)
    assert (following.returncode, out, err.strip()) == (130, b"", b"")
