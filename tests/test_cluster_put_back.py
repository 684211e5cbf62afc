"""A cluster whose database is put back to an earlier state in the midst of its work."""

from __future__ import annotations

import json
import os
import shutil
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import pytest

from tests.cluster.agreement import disagreements
from tests.cluster.scene import Scene, shared
from tests.cluster.servers import Servers
from tests.service import Home, eventually
from tests.torture.kept import KeptInBucket
from tests.torture.people import Batch, Owner
from tests.torture.settled import files_wrong
from tests.torture.stored import stored_events
from tests.torture.story import Story
from tests.torture.wire import Wire, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.node import Node
    from tests.database import Database
    from tests.torture.wire import Answer


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Scene, list[str]]]:
    """Two nodes, and three batch tasks that both see."""
    with Servers(tmp_path) as servers:
        home = Home(tmp_path, **shared(servers, token_urlsafe(32)), lease="2s")
        home.run("limits", "set", "--download-interval", "0")
        batches = [home.batch(rows) for rows in (10, 20, 30)]
        with Scene(tmp_path, servers, home, 2, "embedded") as scene:
            yield scene, batches


def ask(scene: Scene, node: Node, method: str, path: str = "", batch: str = "") -> Answer | None:
    """Something of one node; None where no answer came."""
    begun = scene.home.begun
    keys = begun["access_key"], begun["secret_key"]
    owner = Owner(scene.home.project, begun["user_id"], *keys, [])
    body = json.dumps(Batch(batch, 1).body()).encode() if batch else b""
    request = signed(owner, method, f"{owner.tasks}{path}", None, body)
    wire = Wire(node.port)
    try:
        return wire.send(method, request.uri, request.header_params, body)
    finally:
        wire.close()


def listed(scene: Scene, node: Node) -> dict[str, str] | None:
    """Ids and statuses that a node shows; None where it does not."""
    answer = ask(scene, node, "GET")
    if answer is None or answer.status != 200:
        return None
    tasks = answer.document["export_tasks"]
    return {each["export_task_id"]: each["status"] for each in tasks}


def created(scene: Scene, node: Node, batch: str) -> str | None:
    """The id of a new task; None where there is none."""
    answer = ask(scene, node, "POST", batch=batch)
    done = answer is not None and answer.status == 201
    return answer.document["export_task_id"] if answer and done else None


def exported(scene: Scene, batch: str, by: Node, seen_by: Node) -> str:
    """Asked for at one node and done, as another sees it."""
    task_id = str(eventually(lambda: created(scene, by, batch)))
    eventually(lambda: (listed(scene, seen_by) or {}).get(task_id) == "Success")
    return task_id


def download(scene: Scene, node: Node, task_id: str) -> bytes:
    """The task's file."""
    answer = ask(scene, node, "GET", f"/{task_id}/file")
    assert answer is not None
    assert answer.status == 200, answer.body
    return answer.body


def refuses(scene: Scene, node: Node, batch: str) -> bool:
    """Does it neither read nor write?"""
    answers = [ask(scene, node, "GET"), ask(scene, node, "POST", batch=batch)]
    return node.ready()[0] == 503 and all(each and each.status == 503 for each in answers)


def copied(database: Database, to: Path) -> None:
    """What its own tools would copy, while it is stopped for that."""
    database.stop()
    shutil.copytree(database.folder, to)
    database.start()


def put_back(database: Database, copy: Path) -> None:
    """The copy in its place."""
    database.stop()
    owner = database.folder.stat()
    shutil.rmtree(database.folder)
    copy.rename(database.folder)
    for path in (database.folder, *database.folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    database.start()


@pytest.mark.timeout(600)
def test_a_database_put_back_stops_the_nodes_until_its_log_begins_anew(started, tmp_path):
    scene, batches = started
    first, second = scene.nodes
    database, by_hand = scene.servers.database, scene.servers.by_hand
    kept = exported(scene, batches[0], first, second)

    by_hand(lambda: copied(database, tmp_path / "backup"))
    lost = exported(scene, batches[1], second, first)
    both = {kept: "Success", lost: "Success"}
    for node in scene.nodes:
        eventually(lambda node=node: listed(scene, node) == both)
    file = download(scene, second, kept)
    assert first.command("audit", "checkpoint", "--now")[0] == 0
    before = stored_events(scene.servers.events)

    by_hand(lambda: put_back(database, tmp_path / "backup"))
    held = stored_events(scene.servers.events)
    assert before[: len(held)] == held
    for node in scene.nodes:
        eventually(lambda node=node: refuses(scene, node, batches[2]))
        assert "IOTDA.000007" in node.ready()[1]
        assert "export-tasks doctor" in node.ready()[1]
    assert stored_events(scene.servers.events) == held, "nobody goes on by himself"

    for refusal, end in (("Another serve runs in this home", None), ("Others are at", first.end)):
        if end:
            assert end() == 0
        code, _, errors = first.command("restore", "--in-place")
        assert code == 1
        assert refusal in errors
    assert stored_events(scene.servers.events) == held

    # The second goes on running, as one that nobody stopped would.
    code, told, errors = first.command("restore", "--in-place", "--insist", "--json")
    assert code == 0, errors
    first.running.up()
    assert told["events"] == len(held)
    assert told["lost"] == len(before) - len(held)
    assert f"{told['lost']} events" in errors
    named = [each for each in told["differences"] if each["kind"] == "task"]
    owner = {"project_id": scene.home.project, "user_id": scene.home.begun["user_id"]}
    gone = {"kind": "task", "id": lost, **owner, "before": "Success", "now": "not there"}
    assert named == [gone]
    for node in scene.nodes:
        eventually(lambda node=node: listed(scene, node) == {kept: "Success"})
        assert download(scene, node, kept) == file
    again = exported(scene, batches[2], second, first)
    assert again > kept
    assert listed(scene, second) == {kept: "Success", again: "Success"}

    assert scene.stop() == [0, 0]
    stored = stored_events(scene.servers.events)
    story = Story(stored)
    assert story.judge.wrongs == []
    kept_in = KeptInBucket(scene.servers.results, scene.servers.store.environment())
    assert story.judge.situations["log begun anew"] == 1
    assert list(files_wrong(kept_in, story)) == []
    assert list(disagreements(scene.nodes, story, stored)) == []
