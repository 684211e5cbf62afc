"""The S3 server of the tests: what it keeps, and that it never outlives whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.workshop import until

if TYPE_CHECKING:
    from tests.object_store import ObjectStore

ROOT = Path(__file__).parents[1]
STARTER = """
import os, signal, sys
from pathlib import Path
from tests.object_store import ObjectStore

with ObjectStore(Path(sys.argv[1])) as store:
    print(store.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    until(lambda: not Path(f"/proc/{int(done.stdout)}").exists(), "the server has ended")


def test_what_it_took_is_there_after_it_was_killed_and_started_again(
    own_store: ObjectStore, own_url: str
) -> None:
    from exporter.bucket import Bucket

    bucket, before = Bucket(own_url), own_store.pid
    bucket.replace("name", os.urandom(10))
    found = bucket.find("name")
    own_store.kill()
    assert own_store.pid == 0
    own_store.kill()
    own_store.start()
    assert own_store.pid != before
    assert bucket.find("name") == found
