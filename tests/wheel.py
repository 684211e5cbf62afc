"""A wheel of the product, built from a tree and installed in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEPENDENCIES = sysconfig.get_path("purelib")


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints that must succeed."""
    told = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout


def built(folder: Path, tree: Path = ROOT) -> Path:
    """The wheel of a tree, built without a network, by the backend of the development lock."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=tree)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed(wheel: Path, folder: Path, *beside: Path) -> Path:
    """Its `export-tasks`, beside the locked dependencies, and these folders at the end, alone."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    install = ("-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    run(sys.executable, *install)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # A .pth beside the dependencies is not followed: this tree stays off the path.
    lines = [DEPENDENCIES, *map(str, beside)]
    Path(site, "dependencies.pth").write_text("\n".join(lines))
    return folder / "bin" / "export-tasks"
