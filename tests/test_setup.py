"""`scripts/setup` on machines that lack something: it says what to install, and makes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "scripts" / "setup"
TOOLS = ("bash", "cat", "dirname", "env", "grep", "mkdir", "mv", "rm", "sed")
BROKEN = "#!/bin/sh\nexit 127\n"
WITHOUT_ENSUREPIP = f"""#!/bin/sh
case "$*" in *ensurepip*) exit 1 ;; esac
exec {sys.executable} "$@"
"""


class Machine:
    """A tree with locks of nothing, and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.path = folder / "the tree", folder / "bin"
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

    def python(self) -> None:
        self.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')

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


def test_without_a_python_that_serves_it_says_which_is_needed(machine):
    machine.program("python3.13", BROKEN)
    told = machine.refused()
    assert "needs Python 3.11 or newer" in told
    assert "apt install python3" in told


def test_where_python_has_no_ensurepip_it_names_the_package_that_brings_it(machine):
    machine.program("python3", WITHOUT_ENSUREPIP)
    assert "apt install python3-venv" in machine.refused()


def test_a_broken_python_is_passed_over_for_one_that_serves(machine):
    machine.program("python3.14", BROKEN)
    machine.python()
    assert machine.setup().returncode == 0


def test_where_uv_fails_pip_does_it(machine):
    machine.python()
    machine.program("uv", BROKEN)
    told = machine.setup("--dev")
    assert told.returncode == 0, told.stderr
    assert "now with pip" in told.stderr


def test_the_second_time_it_says_and_changes_nothing(machine):
    machine.python()
    machine.setup()
    stamp = machine.tree / ".venv" / "installed-from"
    before = stamp.stat()
    told = machine.setup()
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert stamp.stat() == before


def test_a_changed_lock_is_installed(machine):
    machine.python()
    machine.setup()
    (machine.tree / "requirements.lock").write_text("# a==2\n")
    assert "Installing" in machine.setup().stderr


def test_the_development_environment_serves_the_runtime_too(machine):
    machine.python()
    machine.setup("--dev")
    assert machine.setup().stderr == ""


def test_the_project_is_on_the_path_by_name_version_and_command(machine):
    machine.python()
    machine.setup()
    (machine.tree / "scripts" / "__init__.py").touch()
    (machine.tree / "scripts" / "cli.py").write_text(
        "import sys\nfrom importlib.metadata import version\n"
        "def main(): print(version('export-tasks'), sys.argv[1:])\n"
    )
    told = subprocess.run(
        [machine.tree / ".venv" / "bin" / "export-tasks", "two words"],
        cwd=machine.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "1.2.3 ['two words']\n"


def test_two_setups_at_once_install_once(machine):
    machine.python()
    running = [
        subprocess.Popen(
            [machine.tree / "scripts" / "setup"],
            env={"PATH": f"{machine.path}", "PIP_NO_INDEX": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [each.communicate()[1] for each in running]
    assert [each.returncode for each in running] == [0, 0], told
    assert sum("Installing" in each for each in told) == 1


def test_an_unknown_argument_is_refused(machine):
    assert machine.setup("--all").returncode == 2
