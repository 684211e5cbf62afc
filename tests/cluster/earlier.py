"""Earlier: the program as an earlier commit of this history has it, installed for one node."""

from __future__ import annotations

import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

from tests.torture import started
from tests.wheel import ROOT, built, installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.node import CommandLine

COMMIT = "901f3b7"
"""One that ran over PostgreSQL and a bucket, with the stored forms of today."""


def is_known(commit: str = COMMIT) -> bool:
    """Is it in this history? Not where only the newest commits were fetched, or no git is there."""
    try:
        return _git("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0
    except OSError:
        return False


def earlier(commit: str, folder: Path) -> CommandLine:
    """How the wheel of that commit is run, through the torture's own start of today."""
    tree = folder / "tree"
    archive = _git("archive", commit)
    assert archive.returncode == 0, archive.stderr.decode()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    program = installed(built(folder / "dist", tree), folder / "environment", ROOT)
    python = str(program.with_name("python"))
    return lambda *arguments: [python, *started.command_line(*arguments)[1:]]


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
