"""What the README says is so: its tables match the code, its examples run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import click
import pytest
import xlrd
from click.testing import CliRunner

from api.routes import CALLS
from api.settings import SETTINGS
from scripts.cli import cli
from scripts.group import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LINKS = re.compile(r"\]\(([^)#]+)\)")


def block(language: str, containing: str) -> str:
    """The one block of code in the README that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [each for each in blocks if containing in each]
    return found


def section(title: str) -> str:
    """A section of the README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_setting_is_in_the_table_and_nothing_else():
    documented = set(re.findall(r"EXPORT_TASKS_[A-Z_]+", section("Settings")))
    assert documented == {f"EXPORT_TASKS_{setting.name.upper()}" for setting in SETTINGS}


def test_every_route_is_in_the_table_and_nothing_else():
    documented = {
        (method, path)
        for line in re.findall(r"`((?:GET|POST|DELETE) .*)` ?[|(]", section("Routes"))
        for method in [line.split()[0]]
        for path in re.findall(r"/[^` ,]*", line.replace("`", ""))
    }
    assert documented == {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"])
def test_links_lead_somewhere(page):
    links = [link for link in LINKS.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_names_only_commands_that_there_are():
    words = re.findall(r"export-tasks ([a-z]+)(?: ([a-z]+)\b)?", README)
    words += re.findall(r"`(event|task|limits|batch) ([a-z]+)", README)
    assert len(words) > 8
    context = click.Context(cli)
    for group, name in words:
        command = cli.get_command(context, group)
        assert command, group
        if isinstance(command, click.Group):
            assert name in command.commands, (group, name)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A service as the README starts one; the environment that its examples need."""
    home = tmp_path_factory.mktemp("service")
    kept = {name: value for name, value in os.environ.items() if "EXPORT_TASKS" not in name}
    environment = {**kept, "EXPORT_TASKS_HOME": str(home / "home")}

    def run(*arguments: str, given: str | None = None) -> str:
        done = CliRunner(env=environment).invoke(cli, arguments, given, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    begun = json.loads(run("init", "--json"))
    project = begun["project_id"]
    run("user", "password", begun["user_name"], "--password-stdin", given="correct horse battery")
    made = run("batch", "generate", "--project", project, "--rows", "1000", "--json")
    log = home / "log"
    with log.open("wb") as stderr:
        command = command_line("serve", "--port", "0")
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stderr=stderr
        )
    until = monotonic() + 30
    while not (found := re.search(r"listening on (http\S+)", log.read_text())):
        assert monotonic() < until, log.read_text()
        sleep(0.05)
    yield {
        **kept,
        "EXPORT_TASKS_ENDPOINT": found[1],
        "EXPORT_TASKS_AK": begun["access_key"],
        "EXPORT_TASKS_SK": begun["secret_key"],
        "EXPORT_TASKS_PROJECT": project,
        "BATCH_TASK": json.loads(made)["task_id"],
        "NAME": begun["user_name"],
        "PASSWORD": "correct horse battery",
        "HOME_OF_SERVICE": str(home / "home"),
    }
    process.terminate()
    assert process.wait(30) == 0


def rows_of(path: Path) -> int:
    """Details in a workbook."""
    return xlrd.open_workbook(path).sheet_by_name("details").nrows - 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_first_export_with_the_official_sdk(service, tmp_path):
    program = block("python", "IoTDAClient")
    assert len([line for line in program.splitlines() if line]) <= 13
    subprocess.run([sys.executable, "-c", program], env=service, cwd=tmp_path, check=True)
    assert rows_of(tmp_path / "results.xls") == 1000


def test_the_first_export_with_curl(service, tmp_path):
    limits = {**service, "EXPORT_TASKS_HOME": service["HOME_OF_SERVICE"]}
    ours = ("EXPORT_TASKS_ENDPOINT", "EXPORT_TASKS_AK", "EXPORT_TASKS_SK", "EXPORT_TASKS_PROJECT")
    environment = {name: value for name, value in limits.items() if name not in ours}
    changed = CliRunner(env=environment).invoke(cli, ["limits", "set", "--download-interval", "0"])
    assert changed.exit_code == 0, changed.output
    script = "set -euo pipefail\n" + block("bash", "TOKEN=")
    subprocess.run(["bash", "-c", script], env=service, cwd=tmp_path, check=True, timeout=60)
    assert rows_of(tmp_path / "results.xls") == 1000
