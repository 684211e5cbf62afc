"""The figures of several nodes: they can be taken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(600)
def test_every_figure_of_several_nodes_can_be_taken(tmp_path):
    to = tmp_path / "nodes.json"
    command = (sys.executable, "-m", "tests.nodes", "--quick", "--runs", "1", "--json", str(to))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(to.read_text())["figures"]
    assert {each["what"].partition(",")[0] for each in figures} == {
        "creates",
        "creates over HTTP",
        "tasks created",
        "a create of a hot owner beside 1",
        "a list on another node right after a create",
        "exports of 20 rows",
        "downloads of 0.1 MB from S3",
        "a new node's readiness",
    }
    assert all(ratio > 0 for each in figures for ratio in each["ratios"])
