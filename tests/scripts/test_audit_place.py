"""An audit place in a folder or a bucket: the same for whoever judges by it, one for all nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from api.audit.place import CheckpointName, open_place
from tests.installation import Installation
from tests.invoked import invoke, told
from tests.meddling import alter
from tests.service import Home

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a secret key of many characters.."
TILE = 256


@pytest.fixture(params=["folder", "bucket"])
def url(request, tmp_path):
    """The address of an audit place of each kind."""
    if request.param == "folder":
        return f"file://{tmp_path}/audit"
    return request.getfixturevalue("bucket_url")


@pytest.fixture
def origin(url, database, tmp_path):
    """An installation with a task that is done, over a database that others may share."""
    settings = {"events": database.fresh(), "secret_key": KEY, "audit": url}
    made = Installation(Home(tmp_path / "first", **settings))
    made.task = made.create(made.home.batch(5))
    made.export()
    made.env = made.home.environment
    yield made
    made.home.close()


def node(origin: Installation, name: str) -> dict[str, str]:
    """The environment of another machine."""
    return {**origin.env, "EXPORT_TASKS_HOME": str(origin.home.folder / name)}


def signs(env: dict[str, str]) -> str:
    """A node signs; the name of its key."""
    return told(env, "audit", "checkpoint", "--now")["key"]


def test_all_nodes_sign_into_one_place_and_each_judges_by_all(origin, url):
    other = node(origin, "other")
    first = signs(origin.env)
    invoke(origin.env, "limits", "set", "--kept", "49")
    second = signs(other)
    assert first != second
    verdict = told(origin.env, "audit", "verify")
    assert (verdict["verdict"], verdict["checkpoints_that_hold"]) == ("sound", 2)
    assert verdict["key"] == second
    assert verdict["checkpoint"].startswith(f"{url}/" if url.startswith("s3:") else url[7:])
    place = open_place(url)
    assert place.list("keys") == sorted([first, second])
    names = CheckpointName.all_in(place, verdict["incarnation"])
    assert {each.key for each in names} == {first, second}


def test_a_node_that_signs_must_find_the_log_to_be_what_the_others_signed(origin):
    signs(origin.env)
    alter(origin.settings.events, "UPDATE stored_events SET state = x'7b7d' WHERE rowid = 2")
    done = invoke(node(origin, "other"), "audit", "checkpoint", "--now", exit_code=3)
    assert "Nothing is signed" in done.stderr


def test_the_exact_event_is_named_by_the_tiles_of_the_place(origin):
    for kept in range(TILE + 3):
        with_kept = ("limits", "set", "--kept", str(49 - kept % 2))
        invoke(origin.env, *with_kept)
    signs(origin.env)
    alter(origin.settings.events, "UPDATE stored_events SET state = x'7b7d' WHERE rowid = 7")
    told_ = json.loads(invoke(origin.env, "audit", "verify", "--json", exit_code=3).stdout)
    assert (told_["damage"], told_["position"]) == ("edited", 7)


def test_a_bundle_and_a_receipt_are_judged_without_the_place(origin, tmp_path):
    signs(origin.env)
    invoke(origin.env, "audit", "bundle", str(tmp_path / "case"))
    (tmp_path / "case" / "receipt.json").write_text(
        invoke(origin.env, "audit", "receipt", origin.task).stdout
    )
    for arguments in ([], ["receipt.json"]):
        judged = run(tmp_path / "case", *arguments)
        assert judged.returncode == 0, judged.stdout + judged.stderr
        assert "\nsound: " in judged.stdout


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "verify.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_log_that_was_put_back_is_compared_with_what_all_nodes_signed(origin):
    count = told(origin.env, "restore", "--in-place", "--dry-run")["events"]
    other = node(origin, "other")
    invoke(other, "limits", "set", "--kept", "49")
    invoke(other, "limits", "set", "--kept", "48")
    signs(other)
    alter(
        origin.settings.events,
        "DELETE FROM stored_events WHERE rowid NOT IN "
        f"(SELECT rowid FROM stored_events ORDER BY rowid LIMIT {count})",
    )
    found = told(node(origin, "third"), "restore", "--in-place")
    assert (found["events"], found["lost"], found["known_by"]) == (count, 2, None)


def test_what_is_none_of_ours_in_a_place_is_not_looked_at(origin, url):
    signs(origin.env)
    if url.startswith("s3:"):
        open_place(url)._bucket.create("checkpoints/.hidden name", b"?")
    assert told(origin.env, "audit", "verify")["verdict"] == "sound"


def test_a_place_that_is_away_judges_nothing(origin):
    env = {**origin.env, "EXPORT_TASKS_AUDIT": "s3://nowhere/audit",
           "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-east-1",
           "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}  # fmt: skip
    assert "cannot tell" in invoke(env, "audit", "verify", exit_code=4).stderr
