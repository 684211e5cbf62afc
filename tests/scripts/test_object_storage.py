"""A whole installation whose results are in a bucket, as an operator and a client see it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from httpx2 import Client
from huaweicloudsdkcore.exceptions.exceptions import ServerResponseException
from huaweicloudsdkiotda.v5 import DeleteExportTaskRequest, ShowExportTaskRequest

from exporter.bucket import Bucket
from exporter.results import MARKER
from scripts.cli import cli
from tests.installation import Installation
from tests.service import Home, eventually
from tests.test_acknowledged import client, create, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.object_store import ObjectStore

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")


@pytest.fixture
def home(tmp_path: Path, own_url: str) -> Iterator[Home]:
    home = Home(tmp_path, results=own_url, lease="5s")
    yield home
    home.close()


def objects(url: str) -> list[str]:
    return [each.name for each in Bucket(url).objects()]


def test_exports_are_made_downloaded_and_removed_and_an_outage_is_got_over(
    home: Home, own_store: ObjectStore, own_url: str
) -> None:
    service = home.serve()
    task = create(home, service, home.batch(2_000))
    eventually(lambda: listed(home, service)[0].status == "Success")
    show = ShowExportTaskRequest(export_task_id=task.export_task_id)
    own_store.kill()
    with pytest.raises(ServerResponseException) as refused:
        client(home, service).show_export_task(show)
    assert (refused.value.status_code, refused.value.error_code) == (503, "IOTDA.000007")
    with Client() as anybody:
        ready = anybody.get(f"{service.endpoint}/readyz", timeout=60)
        assert ready.status_code == 503
        assert ready.headers["retry-after"]
        assert "result store does not answer" in ready.text
    late = create(home, service, home.batch(3_000))
    own_store.start()
    eventually(lambda: {each.status for each in listed(home, service)} == {"Success"})
    content = client(home, service).show_export_task(show).raw_content
    assert content[:8] == bytes.fromhex("d0cf11e0a1b11ae1")
    told = home.run("event", "list", "--task", late.export_task_id, "--json").splitlines()
    assert json.loads(told[-1])["event"] == "task.completed"
    for each in (task, late):
        request = DeleteExportTaskRequest(export_task_id=each.export_task_id)
        client(home, service).delete_export_task(request)
    assert service.stop() == 0
    service = home.serve()  # the first sweep is at once
    eventually(lambda: objects(own_url) == [MARKER])
    assert service.stop() == 0


def test_a_bucket_of_another_log_is_refused_by_name(home: Home, own_url: str) -> None:
    Bucket(own_url).create(MARKER, b"another")
    said = home.refused("serve", "--port", "0")
    assert f"EXPORT_TASKS_RESULTS ({own_url}) is filled by another event log" in said
    assert "listening" not in said


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "another"}, "the object store refuses access"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "variables cannot be used: Missing SecretAccessKey"),
        ({"EXPORT_TASKS_RESULTS": "s3://not-there/x"}, "the bucket does not exist"),
        ({"EXPORT_TASKS_RESULTS": "s3://"}, "is not of the form s3://bucket/prefix"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            "the object store does not answer (http://127.0.0.1:9)",
        ),
        ({"AWS_ENDPOINT_URL": "http://me:hush@127.0.0.1:9"}, "not answer (http://127.0.0.1:9)"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_refused_by_name(
    home: Home, changes: dict[str, str | None], why: str
) -> None:
    for name, value in changes.items():
        home.environment.pop(name, None)
        os.environ.pop(name, None)
        if value is not None:
            home.environment[name] = value
    said = home.refused("serve", "--port", "0").splitlines()[-1]
    assert "EXPORT_TASKS_RESULTS" in said
    assert why in said
    assert "hush" not in said


def test_doctor_says_which_endpoint_was_asked(home: Home) -> None:
    home.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    found = CliRunner(env=home.environment).invoke(cli, ["doctor", "--json"])
    told = [each["what"] for each in json.loads(found.stdout)["findings"]]
    assert any("the object store does not answer (http://127.0.0.1:9)" in each for each in told)


def test_a_backup_holds_the_bucket_and_is_restored_into_another_folder_of_it(
    home: Home, own_url: str, tmp_path: Path
) -> None:
    made = Installation(home)
    made.create(home.batch(20))
    made.export()
    [key] = [name for name in objects(own_url) if name != MARKER]
    told = json.loads(home.run("backup", str(tmp_path / "b"), "--json"))
    assert (told["complete"], told["result_files"]) == (True, 1)
    assert sorted(objects(own_url)) == sorted([key, MARKER])
    there = {
        **home.environment,
        "EXPORT_TASKS_HOME": str(tmp_path / "there"),
        "EXPORT_TASKS_SECRET_KEY_FILE": str(made.settings.secret_file),
        "EXPORT_TASKS_RESULTS": f"{own_url}-restored",
    }
    done = CliRunner(env=there).invoke(cli, ["restore", str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    assert Bucket(f"{own_url}-restored").read(key) == Bucket(own_url).read(key)
    found = CliRunner(env=there).invoke(cli, ["doctor", "--deep", "--json"])
    assert (found.exit_code, json.loads(found.stdout)["findings"]) == (0, [])


def test_a_restore_does_not_mix_with_what_was_made_since_the_backup(
    home: Home, own_url: str, tmp_path: Path
) -> None:
    made = Installation(home)
    made.create(home.batch(20))
    made.export()
    home.run("backup", str(tmp_path / "b"))
    made.create(home.batch(20))
    made.export()
    there = {**home.environment, "EXPORT_TASKS_HOME": str(tmp_path / "there")}
    done = CliRunner(env=there).invoke(cli, ["restore", str(tmp_path / "b")])
    assert done.exit_code == 1
    assert f"EXPORT_TASKS_RESULTS ({own_url})" in done.stderr
    assert "restore into an empty place" in done.stderr


def test_doctor_says_how_to_mend_a_bucket(home: Home, own_url: str) -> None:
    made = Installation(home)
    made.create(home.batch(20))
    made.export()
    [key] = [name for name in objects(own_url) if name != MARKER]
    bucket, orphan = Bucket(own_url), f"{'f' * 24}/1-00.xls"
    bucket.replace(orphan, b"whose?")
    bucket.delete(key)
    done = CliRunner(env=home.environment).invoke(cli, ["doctor", "--json"])
    assert done.exit_code == 3
    found = {each["code"]: each for each in json.loads(done.stdout)["findings"]}
    assert set(found) == {"orphan_file", "missing_result"}
    assert found["orphan_file"]["mend"] == f"aws s3 rm {own_url}/{orphan}"
    copied = f"aws s3 cp BACKUP/results/{key.replace('/', '-')} {own_url}/{key}"
    assert found["missing_result"]["mend"].startswith(copied)
