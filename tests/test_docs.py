"""What the README says is so: its tables match the code, its examples run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
import xlrd

from api.routes import CALLS
from api.settings import SETTINGS
from scripts.cli import cli
from tests.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PASSWORD = "correct horse battery"
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
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home as the README begins one."""
    home = Home(tmp_path_factory.mktemp("docs"))
    home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
    yield home
    home.close()


@pytest.fixture(scope="module")
def environment(home: Home) -> Iterator[dict[str, str]]:
    """What the examples need, while a service runs."""
    batch = home.batch(1000)
    service = home.serve()
    yield {
        **home.environment,
        "EXPORT_TASKS_ENDPOINT": service.endpoint,
        "EXPORT_TASKS_AK": home.begun["access_key"],
        "EXPORT_TASKS_SK": home.begun["secret_key"],
        "EXPORT_TASKS_PROJECT": home.project,
        "BATCH_TASK": batch,
        "NAME": "admin",
        "PASSWORD": PASSWORD,
    }
    assert service.stop() == 0


def rows_of(path: Path) -> int:
    """Details in a workbook."""
    return xlrd.open_workbook(path).sheet_by_name("details").nrows - 1


def test_the_first_export_with_the_official_sdk(environment, tmp_path):
    program = block("python", "IoTDAClient")
    assert len([line for line in program.splitlines() if line]) <= 12
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True)
    assert rows_of(tmp_path / "results.xls") == 1000


def test_the_first_export_with_curl(home, environment, tmp_path):
    home.run("limits", "set", "--download-interval", "0")
    script = "set -euo pipefail\n" + block("bash", "TOKEN=")
    subprocess.run(["bash", "-c", script], env=environment, cwd=tmp_path, check=True, timeout=60)
    assert rows_of(tmp_path / "results.xls") == 1000


def test_the_page_about_policies_does_what_it_says(home, tmp_path):
    page = (ROOT / "docs" / "policies.md").read_text().replace("plant-1", home.project)
    (policy,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (dialogue,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "policy.json"
    file.write_text(policy)
    printed = re.split(r"^\$ export-tasks (.*)\n", dialogue, flags=re.MULTILINE)[1:]
    for line, wanted in zip(printed[::2], printed[1::2], strict=True):
        arguments = [str(file) if each == file.name else each for each in shlex.split(line, True)]
        told = home.run(*arguments)
        assert told.strip().startswith(wanted.strip()), line
