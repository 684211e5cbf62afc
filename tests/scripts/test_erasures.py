"""Who was removed after a backup is not back after a restore, and no event is touched for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiotda.v5 import IoTDAClient, ListExportTasksRequest

from scripts.cli import cli
from tests.installation import Installation
from tests.sealed import KEY, seal
from tests.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")


class Case:
    """A home that was backed up, and in which the admin who had exported was removed then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "first")
        made = Installation(self.home)
        self.task = made.create(self.home.batch(5))
        made.export()
        self.ben = json.loads(
            self.home.run("user", "add", "ben", "--project", self.home.project, "--admin", "--json")
        )
        self.note = seal(f"sqlite:///{folder}/first/home/events.sqlite", folder / "notes")
        self.home.run("backup", str(folder / "backup"), "--with-secret-key")
        assert not (folder / "backup" / "erasures.jsonl").exists()
        self.removed = self.home.begun["user_id"]
        self.home.run("user", "remove", "admin")
        self.list = folder / "first" / "home" / "erasures.jsonl"
        self.there = {
            **self.home.environment,
            "EXPORT_TASKS_HOME": str(folder / "there"),
        }

    def restore(self, *arguments: str) -> Result:
        """Into the new home."""
        return self.at_the_new_home("restore", str(self.folder / "backup"), *arguments)

    def at_the_new_home(self, *arguments: str) -> Result:
        """What a command there does."""
        return CliRunner(env=self.there).invoke(cli, arguments, catch_exceptions=False)

    def says(self, *arguments: str) -> str:
        """What a command there prints."""
        done = self.at_the_new_home(*arguments)
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    case = Case(tmp_path)
    yield case
    case.home.close()


def test_without_the_list_the_removed_user_is_back(case):
    assert case.restore().exit_code == 0
    assert "admin" in case.says("user", "list")
    assert json.loads(case.says("task", "list", "--json"))


def test_with_the_list_the_user_stays_removed_and_the_log_still_verifies(case):
    before = case.home.run("event", "list", "--json").splitlines()
    done = case.restore("--erasures", str(case.list), "--json")
    assert json.loads(done.stdout)["erased"] == [case.removed]
    users = json.loads(case.says("user", "list", "--json"))
    assert [user["name"] for user in users] == ["ben"]
    assert "does not exist" in case.at_the_new_home("user", "show", "admin").stderr
    assert json.loads(case.says("task", "list", "--json")) == []
    events = [json.loads(line) for line in case.says("event", "list", "--json").splitlines()]
    told = [event["event"] for event in events]
    *backed_up, begun, user, project, task, owner = told
    assert (begun, user) == ("log.begun", "user.removed")
    assert (project, task, owner) == ("project.left", "task.evicted", "owner.closed")
    assert backed_up == [json.loads(line)["event"] for line in before][: len(backed_up)]
    verdict = json.loads(
        case.says("audit", "verify", "--json", "--checkpoint", str(again_sealed(case)),
                  "--key", KEY.verifier.text)
    )  # fmt: skip
    assert (verdict["verdict"], verdict["events"]) == ("sound", len(events))
    assert json.loads(case.says("doctor", "--json")) == {"findings": []}


def again_sealed(case: Case) -> Path:
    """The notes from before, and one of what the log is now."""
    seal(f"sqlite:///{case.folder}/there/events.sqlite", case.folder / "notes", tiles=False)
    return case.folder / "notes"


def test_the_list_in_the_home_is_applied_and_kept_and_given_ones_are_added(case):
    at_home = case.folder / "there" / "erasures.jsonl"
    at_home.parent.mkdir()
    at_home.write_bytes(case.list.read_bytes())
    other = case.folder / "other.jsonl"
    other.write_text(
        f'{{"user_id":"{case.ben["user_id"]}","erased_at":"2026-11-24T12:00:00Z"}}\n'
        f'{{"user_id":"{"0" * 32}","erased_at":"2026-11-24T12:00:00Z"}}\n'
    )
    done = case.restore("--erasures", str(other))
    assert done.exit_code == 0
    assert f"erased        {case.removed}, {case.ben['user_id']}\n" in done.stdout
    assert json.loads(case.says("user", "list", "--json")) == []
    kept = [json.loads(line)["user_id"] for line in at_home.read_text().splitlines()]
    assert kept == [case.removed, case.ben["user_id"], "0" * 32]


def test_a_list_that_cannot_be_read_is_refused_before_anything_is_put_back(case):
    case.list.write_text(case.list.read_text() + "mine\n")
    done = case.restore("--erasures", str(case.list))
    assert done.exit_code == 1
    assert "erasures.jsonl, line 2, is no erasure" in done.stderr
    assert not (case.folder / "there").exists()
    assert case.restore("--erasures", str(case.folder / "none")).exit_code == 2


def test_a_restored_service_knows_the_keys_of_the_removed_no_more(case):
    home = Home.__new__(Home)
    home.folder, home.services, home.environment = case.folder, [], case.there
    assert case.restore("--erasures", str(case.list)).exit_code == 0
    service = home.serve()
    try:
        for keys, status in ((case.home.begun, 401), (case.ben, 200)):
            assert listing(service.endpoint, keys, case.home.project) == status
        assert service.stop() == 0
    finally:
        home.close()


def listing(endpoint: str, keys: dict[str, str], project: str) -> int:
    """The status of a list that is asked for with some keys."""
    credentials = BasicCredentials(keys["access_key"], keys["secret_key"], project)
    client = IoTDAClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()
    try:
        client.list_export_tasks(ListExportTasksRequest())
    except ClientRequestException as refused:
        return refused.status_code
    return 200
