"""The real service under requests that a stranger's program makes up from the API's document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from httpx2 import Client

from tests.service import Home
from tests.web_service import login

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.executable).with_name("schemathesis")
PASSWORD = "correct horse battery"
CONFIG = """
base-url = {endpoint}
headers = {{ X-Auth-Token = {token} }}
warnings = false

[parameters]
"path.project_id" = {project}
"path.task_id" = {batch}

# The history of a task is shown to its owner after its removal, too.
[[operations]]
include-operation-id = "ListExportTaskEvents"
checks.use_after_free.enabled = false
"""


class Running(NamedTuple):
    """A service with a batch task and a finished export, and a folder for who fuzzes it."""

    endpoint: str
    log: Path
    folder: Path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    home = Home(tmp_path)
    try:
        home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
        home.run("limits", "set", "--download-interval", "0")
        batch = home.batch(20)
        service = home.serve()
        with Client(base_url=service.endpoint) as http:
            body = login("admin", PASSWORD, id=home.project)
            token = http.post("/v3/auth/tokens", json=body).headers["x-subject-token"]
        words = {
            "endpoint": service.endpoint,
            "token": token,
            "project": home.project,
            "batch": batch,
        }
        config = CONFIG.format(**{name: json.dumps(word) for name, word in words.items()})
        (tmp_path / "schemathesis.toml").write_text(config)
        yield Running(service.endpoint, tmp_path / "log", tmp_path)
        assert service.stop() == 0
    finally:
        home.close()


def fuzz(running: Running, *arguments: str) -> None:
    """Every check there is, in every phase: no 5xx, and no status, content type, header or body
    that the document does not tell; what is wrong is refused, what is right is not.
    """
    command = (str(PROGRAM), "run", f"{running.endpoint}/openapi.json", "--no-color", *arguments)
    done = subprocess.run(command, cwd=running.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in running.log.read_text()


def test_nothing_is_answered_that_the_document_does_not_tell(running):
    fuzz(running, "--max-examples", "4", "--seed", "1", "--generation-deterministic")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_nothing_is_answered_that_the_document_does_not_tell_however_long_one_asks(running):
    fuzz(running, "--max-examples", "200")
