"""`scripts/setup` on machines that lack something: it says what to install, and makes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "scripts" / "setup"
TOOLS = ("bash", "cat", "chmod", "dirname", "env", "grep", "mkdir", "mv", "rm", "sed")
BROKEN = "#!/bin/sh\nexit 127\n"
WITHOUT_ENSUREPIP = f"""#!/bin/sh
case "$*" in *ensurepip*) exit 1 ;; esac
exec {sys.executable} "$@"
"""


class Machine:
    """A tree with locks of nothing, and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.path = folder / "the tree", folder / "bin"
        self.stamp = self.tree / ".venv" / "installed-from"
        self.told: list[subprocess.CompletedProcess[str]] = []
        (self.tree / "scripts").mkdir(parents=True)
        shutil.copy(SETUP, self.tree / "scripts" / "setup")
        for name in ("requirements.lock", "requirements-dev.lock"):
            (self.tree / name).write_text("# a==1\n")
        (self.tree / "pyproject.toml").write_text('version = "1.2.3"\n')
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or tool)

    def program(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def setup(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.tree / "scripts" / "setup", *arguments],
            env={"PATH": f"{self.path}", "PIP_NO_INDEX": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def refused(self, *arguments: str) -> str:
        told = self.setup(*arguments)
        assert (told.returncode, told.stdout) == (1, "")
        assert not (self.tree / ".venv").exists()
        return told.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def developed(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A tree after two `scripts/setup --dev` at once, where neither uv nor one Python works."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.program("uv", BROKEN)
    machine.program("python3.14", BROKEN)
    machine.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    with ThreadPoolExecutor() as pool:
        machine.told = list(pool.map(machine.setup, ["--dev"] * 2))
    return machine


def test_without_a_python_that_serves_it_says_which_is_needed(machine):
    machine.program("python3.13", BROKEN)
    told = machine.refused()
    assert "needs Python 3.11 or newer" in told
    assert "apt install python3" in told


def test_where_python_has_no_ensurepip_it_names_the_package_that_brings_it(machine):
    machine.program("python3", WITHOUT_ENSUREPIP)
    assert "apt install python3-venv" in machine.refused()


def test_an_unknown_argument_is_refused(machine):
    assert machine.setup("--all").returncode == 2


def test_of_two_setups_at_once_one_installs_and_both_end_well(developed):
    assert [each.returncode for each in developed.told] == [0, 0], developed.told
    assert sum("Installing" in each.stderr for each in developed.told) == 1


def test_where_uv_fails_pip_does_it(developed):
    assert any("now with pip" in each.stderr for each in developed.told)


@pytest.mark.parametrize("arguments", [["--dev"], []], ids=["for development", "at run time"])
def test_a_development_environment_serves_again_at_once(developed, arguments):
    before = developed.stamp.stat()
    told = developed.setup(*arguments)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert developed.stamp.stat() == before


def test_a_changed_lock_is_installed_in_place(developed):
    lock = developed.tree / "requirements-dev.lock"
    lock.write_text(lock.read_text() + "# b==1\n")
    kept = developed.tree / ".venv" / "kept"
    kept.touch()
    assert "Installing" in developed.setup("--dev").stderr
    assert "b==1" in developed.stamp.read_text()
    assert kept.exists()


def test_an_environment_that_was_left_half_made_is_made_anew(developed):
    venv = developed.tree / ".venv"
    (venv / "whole").unlink()  # pip is there, and may lack half of its modules
    (pip,) = venv.glob("lib/python*/site-packages/pip/_internal/utils")
    shutil.rmtree(pip)
    developed.stamp.unlink()
    told = developed.setup("--dev")
    assert told.returncode == 0, told.stderr
    assert pip.exists()
    assert (venv / "whole").exists()


def test_the_project_is_known_by_import_version_and_command(developed):
    (developed.tree / "scripts" / "__init__.py").touch()
    (developed.tree / "scripts" / "cli.py").write_text(
        "import sys\nfrom importlib.metadata import version\n"
        "def main(): print(version('export-tasks'), sys.argv[1:])\n"
    )
    told = subprocess.run(
        [developed.tree / ".venv" / "bin" / "export-tasks", "two words"],
        cwd=developed.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "1.2.3 ['two words']\n"
