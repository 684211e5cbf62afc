"""The built wheel: what is in it, and that it runs in an environment of its own."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.wheel import ROOT, built, installed, run

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = {"domain", "projections", "exporter", "api", "scripts"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of this tree."""
    return built(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`export-tasks`, installed from the wheel beside the locked dependencies alone."""
    return installed(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with an `api` of its own, which must not be run."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").write_text("raise RuntimeError('not ours')")
    return tmp_path


def test_the_wheel_holds_every_module_of_the_five_packages_and_nothing_else(wheel):
    files = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    modules = {str(p.relative_to(ROOT)) for room in ROOMS for p in (ROOT / room).rglob("*.py")}
    modules = {name for name in modules if not name.startswith("scripts/benchmarks/")}
    assert {name for name in files if name.endswith(".py")} == modules
    assert {name.split("/")[0] for name in files} == ROOMS


def test_the_wheel_holds_what_the_console_is_made_of(wheel):
    folder = ROOT / "api" / "console"
    made_of = {p for kind in ("templates", "static") for p in (folder / kind).iterdir()}
    assert {str(path.relative_to(ROOT)) for path in made_of} <= set(
        zipfile.ZipFile(wheel).namelist()
    )


def test_of_the_scripts_the_wheel_holds_only_python(wheel):
    scripts = [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("scripts/")]
    assert [name for name in scripts if not name.endswith(".py")] == []


def test_the_wheel_carries_the_command_and_no_address_of_this_tree(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "export-tasks = scripts.cli:main" in archive.read(entry).decode()
        assert not any(str(ROOT).encode() in archive.read(name) for name in archive.namelist())


def test_the_installed_command_helps_from_a_folder_with_an_api_of_its_own(program, elsewhere):
    assert run(program, "--help", cwd=elsewhere).startswith("Usage: export-tasks")


def test_the_installed_command_knows_its_version(program, wheel, elsewhere):
    assert run(program, "--version", cwd=elsewhere).strip() == wheel.name.split("-")[1]


def test_the_installed_command_runs_the_wheel_and_not_this_tree(program, elsewhere):
    python = program.with_name("python")
    home = run(python, "-P", "-c", "import scripts; print(scripts.__file__)", cwd=elsewhere)
    assert home.startswith(str(program.parents[1]))
