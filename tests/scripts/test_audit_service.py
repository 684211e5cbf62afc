"""A running service signs checkpoints of its log, the last one when it has stopped."""

from __future__ import annotations

import json
import shutil
import sqlite3
import urllib.request
from contextlib import closing

import pytest

from api.audit.key import kept_key
from api.audit.note import read_note
from api.audit.place import CheckpointName, LocalPlace
from api.parts import Parts
from api.settings import Settings
from projections.seal import Seal, leaf
from tests.gated import Gated
from tests.installation import Installation
from tests.service import Home, eventually


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path, audit_sinks=f"file://{tmp_path}/sink")
    yield home
    home.close()


@pytest.fixture
def held(tmp_path, database):
    """A home whose export of a long batch task is held at half."""
    with closing(Gated(database)) as source:
        source.shut()
        how = {"audit_sinks": f"file://{tmp_path}/sink", "source": source.url}
        with closing(Home(tmp_path, "--project", "plant-1", **how)) as home:
            home.long = source.long
            yield home


def sealed(folder) -> list[CheckpointName]:
    place = LocalPlace(folder)
    return [
        each
        for incarnation in place.list("checkpoints")
        for each in CheckpointName.all_in(place, incarnation)
    ]


def log_of(home: Home) -> list:
    with Parts(Settings.read(home.environment)) as parts:
        return parts.log.recorder.select_notifications(None, 100_000)


def checks(service) -> dict[str, str]:
    with urllib.request.urlopen(f"{service.endpoint}/readyz?verbose", timeout=60) as answer:
        return json.load(answer)["checks"]


def test_a_service_that_stopped_has_signed_its_whole_log(held, tmp_path):
    service = held.serve()
    Installation(held).create(held.long)
    eventually(lambda: any(event.topic == "task.progressed" for event in log_of(held)))
    assert service.stop() == 0
    events, folder = log_of(held), tmp_path / "home"
    assert events[-1].topic == "task.progressed"  # the export was handed back at the very end
    last = sealed(folder / "audit")[-1]
    key = kept_key(folder / "audit.key")
    note = LocalPlace(folder / "audit").get(last.name).decode()
    checkpoint = read_note(note, [key.verifier])
    assert checkpoint.size == len(events)
    assert checkpoint.root == Seal().grown(list(map(leaf, events))).root
    assert sealed(tmp_path / "sink") == sealed(folder / "audit")


def test_a_service_whose_log_was_altered_signs_nothing_and_says_so(home, tmp_path):
    assert home.serve().stop() == 0
    before = sealed(tmp_path / "home" / "audit")
    assert before
    with closing(sqlite3.connect(tmp_path / "home" / "events.sqlite")) as log, log:
        log.execute(
            "UPDATE stored_events SET state = CAST(replace(state, 'system', 'nobody') AS BLOB) "
            "WHERE topic = 'project.added'"
        )
    shutil.rmtree(tmp_path / "home" / "read")
    service = home.serve()
    eventually(lambda: checks(service)["log"] == "log_altered")
    Installation(home).create(home.batch(1))
    assert service.stop() == 0
    assert sealed(tmp_path / "home" / "audit") == before
    assert "the log was altered" in (tmp_path / "log").read_text()


def test_a_service_without_its_audit_place_goes_on(home, tmp_path):
    (tmp_path / "home" / "audit").write_text("no folder")
    service = home.serve()
    eventually(lambda: checks(service)["audit_place"] == "audit_place_failing")
    task_id = Installation(home).create(home.batch(1))
    eventually(
        lambda: f"{task_id}" in home.run("task", "list") and "Success" in home.run("task", "list")
    )
    (tmp_path / "home" / "audit").unlink()
    assert service.stop() == 0
    assert sealed(tmp_path / "home" / "audit")[-1].size == len(log_of(home))
