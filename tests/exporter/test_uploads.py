"""Uploads that a crash cuts off: seen, told from those that run, and removed by the sweeper."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.bucket import Bucket
from exporter.results import result_key
from exporter.sweeper import Swept
from exporter.uploads import signed_anew
from tests.exporter.test_sweeper import sweep
from tests.workshop import Workshop, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.object_store import ObjectStore

ROOT = Path(__file__).parents[2]
SIZE = 1_500_000_000
DOOMED = """
import sys
from pathlib import Path
from exporter.results import open_results

url, folder, key = sys.argv[1:]
results = open_results(url, Path(folder) / "spool-of-the-doomed")
with results.spool(key).open("wb") as file:
    file.truncate(1_500_000_000)
results.put(key, results.spool(key))
"""


@pytest.fixture
def shop(tmp_path: Path, bucket_url: str) -> Iterator[Workshop]:
    shop = Workshop(tmp_path, results_url=bucket_url)
    yield shop
    shop.close()


def cut_off(shop: Workshop, url: str, key: str) -> None:
    """An exporter on another machine is killed while it uploads."""
    command = [sys.executable, "-c", DOOMED, url, str(shop.folder), key]
    with subprocess.Popen(command, cwd=ROOT) as process:
        until(lambda: list(Bucket(url).uploads.list()), "an upload has begun")
        os.kill(process.pid, signal.SIGKILL)


def test_an_upload_that_was_cut_off_is_removed_once_another_attempt_has_begun(
    shop: Workshop, bucket_url: str
) -> None:
    task = shop.create()
    shop.story.claim(task)
    key = result_key(task.task_id, 1, "00", ".xls")
    cut_off(shop, bucket_url, key)
    assert shop.files() == []
    assert shop.files(spool=True) == [key]
    assert sweep(shop) == Swept(deleted=0, kept=1, unknown=0)
    shop.story.claim(task)
    assert sweep(shop) == Swept(deleted=1, kept=0, unknown=0)
    assert list(Bucket(bucket_url).uploads.list()) == []
    assert sweep(shop) == Swept(0, 0, 0)


def test_uploads_beside_the_results_are_let_lie(shop: Workshop, bucket_url: str) -> None:
    beside = f"{bucket_url}-2"
    cut_off(shop, beside, result_key("f" * 24, 1, "00", ".xls"))
    assert list(shop.results.list()) == []
    (left,) = Bucket(beside).uploads.list()
    Bucket(beside).uploads.abort(left)
    Bucket(beside).uploads.abort(left)
    assert list(Bucket(beside).uploads.list()) == []


def test_without_a_secret_key_to_sign_with_no_uploads_are_seen(
    bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(bucket_url)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert list(bucket.uploads.list()) == []


def test_a_store_that_does_not_tell_is_said_once_and_the_rest_is_swept(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task = shop.create()
    shop.results.spool(result_key(task.task_id, 1, "00", ".xls")).touch()
    shop.story.delete(task)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    assert sweep(shop) == Swept(deleted=1, kept=0, unknown=0)
    assert sweep(shop) == Swept(0, 0, 0)
    assert caplog.text.count("does not tell unfinished uploads") == 1


def test_an_address_that_is_signed_anew_with_nothing_more_is_the_one_that_was_signed(
    object_store: ObjectStore, bucket_url: str
) -> None:
    from datetime import timedelta

    from obstore import sign

    secret = object_store.environment()["AWS_SECRET_ACCESS_KEY"]
    url = sign(Bucket(bucket_url)._store, "GET", "a-name/b", timedelta(minutes=5))
    assert sorted(signed_anew(url, "GET", {}, secret).split("&")[1:]) == sorted(url.split("&")[1:])
