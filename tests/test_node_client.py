"""The official Node core as a client, unchanged; skipped where there is no Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import xlrd

from tests.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
HERE = ROOT / "tests" / "node"
INSTALLED = ROOT / ".venv" / "node"
INSTALL = ("install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
ROWS = 2_000

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None or shutil.which("node") is None,
    reason="there is no Node on this machine, and the official Node core is what is tested",
)


@pytest.fixture(scope="module")
def node_path() -> str:
    """Where the packages are; installed once, beside the Python ones."""
    wanted = (HERE / "package.json").read_text()
    if not (INSTALLED / "package.json").exists() or (
        (INSTALLED / "package.json").read_text() != wanted
        or not (INSTALLED / "node_modules" / ".package-lock.json").exists()
    ):
        shutil.rmtree(INSTALLED, ignore_errors=True)
        INSTALLED.mkdir(parents=True)
        (INSTALLED / "package.json").write_text(wanted)
        subprocess.run(["npm", *INSTALL], cwd=INSTALLED, check=True, timeout=300)
    return str(INSTALLED / "node_modules")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    home.serve()
    yield home
    home.close()


@pytest.mark.parametrize("region", ["", "cn-north-4"], ids=["SDK-HMAC-SHA256", "V11-HMAC-SHA256"])
def test_the_four_calls_with_the_official_node_core(home, node_path, tmp_path, region):
    batch, file, answers = home.batch(ROWS), tmp_path / "results.xls", tmp_path / "told.json"
    done = subprocess.run(
        ["node", str(HERE / "client.js")],
        env={
            **home.environment,
            "NODE_PATH": node_path,
            "ENDPOINT": home.services[0].endpoint,
            "AK": home.begun["access_key"],
            "SK": home.begun["secret_key"],
            "PROJECT": home.project,
            "BATCH": batch,
            "FILE": str(file),
            "TOLD": str(answers),
            "RESULTS": str(tmp_path / "home" / "results"),
            "STORED": str(tmp_path / "stored"),
            "REGION": region,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(answers.read_text())
    assert told["created"]["httpStatusCode"] == 201
    assert told["created"]["resource_condition"] == {"task_id": batch}
    assert (told["task"]["status"], told["task"]["progress"]) == ("Success", 100)
    assert told["removed"]["httpStatusCode"] == 204
    stored = [each.read_bytes() for each in (tmp_path / "stored").glob("*.xls")]
    assert stored == [file.read_bytes()]
    book = xlrd.open_workbook(file)
    assert sum(book.sheet_by_name(each).nrows - 1 for each in book.sheet_names()[:-1]) == ROWS
    refusals = {"again": (403, "014704"), "gone": (404, "014702"), "wrong": (400, "000006")}
    for name, (status, code) in refusals.items():
        error = told[name]
        assert (error["httpStatusCode"], error["errorCode"]) == (status, f"IOTDA.{code}")
        assert error["errorMsg"]
