"""A receipt is judged by verify.py alone, and proves its task, its file and its place."""

from __future__ import annotations

import gzip
import json
import shutil
from contextlib import closing

import pytest

from api.audit import verifier
from api.audit.receipt import NotAsSealed, NotSealed
from domain.refusals import Refusal
from tests.bundled import ALONE, CANNOT_TELL, CHANGED, SOUND, House, run
from tests.facts import OPERATOR
from tests.sealed import KEY, OTHER, seal


@pytest.fixture
def house(tmp_path, events_url):
    house = House(tmp_path, events_url)
    with closing(house.log):
        yield house


@pytest.mark.parametrize("python", [("-I",), ALONE], ids=["cryptography", "openssl"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_receipt_proves_its_task(house, python, pack):
    folder = house.bundle()
    content = json.dumps(house.receipt(house.of_ben)).encode()
    (folder / "receipt").write_bytes(pack(content))
    code, told = run(folder, "receipt", python=python)
    assert code == SOUND
    assert f"task.completed of the task {house.of_ben}" in told
    assert "ab" * 32 in told


def test_a_receipt_needs_the_key_alone(house, tmp_path):
    shutil.copy(verifier.__file__, tmp_path / "verify.py")
    (tmp_path / "r.json").write_text(json.dumps(house.receipt(house.of_ann)))
    assert run(tmp_path, "r.json", "--key", KEY.verifier.text)[0] == SOUND
    assert run(tmp_path, "r.json", "--key", OTHER.verifier.text)[0] == CANNOT_TELL


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": "0" * 24},
        {"rank": 0},
        {"rank": -1},
        {"version": 1},
        {"topic": "task.failed"},
        {"path": ""},
        {"path": "AAAA"},
    ],
    ids=str,
)
def test_a_receipt_of_anything_else_is_refused(house, wrong):
    folder = house.bundle()
    (folder / "r").write_text(json.dumps(house.receipt(house.of_ann, **wrong)))
    assert run(folder, "r")[0] == CHANGED


def test_a_receipt_of_another_file_is_refused(house):
    folder = house.bundle()
    state = house.receipt(house.of_ann)["state"].replace("ab" * 32, "ba" * 32)
    (folder / "r").write_text(json.dumps(house.receipt(house.of_ann, state=state)))
    assert run(folder, "r")[0] == CHANGED


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"note":"x"}'])
def test_what_is_no_receipt_proves_nothing(house, content):
    folder = house.bundle()
    (folder / "r").write_text(content)
    assert run(folder, "r")[0] == CANNOT_TELL


def test_one_bad_receipt_of_several_is_enough(house):
    folder = house.bundle()
    (folder / "good").write_text(json.dumps(house.receipt(house.of_ann)))
    (folder / "bad").write_text(json.dumps(house.receipt(house.of_ann, version=1)))
    assert run(folder, "good")[0] == SOUND
    assert run(folder, "good", "bad")[0] == CHANGED


def test_a_task_that_is_not_sealed_yet_has_none(house):
    task = house.completed()
    with pytest.raises(NotSealed, match="in at most a minute"):
        house.receipt(task)
    seal(house.url, house.place)
    assert house.receipt(task)["task"] == task


def test_the_shortest_of_all_proofs_is_taken(house):
    for _ in range(10):
        house.completed()
        seal(house.url, house.place)
    found = house.receipt(house.of_ben)
    assert found["note"] == house.note.read_text()


@pytest.mark.parametrize("task", ["0" * 24, "nonsense", ""])
def test_a_task_that_never_was_completed_has_none(house, task):
    with pytest.raises(Refusal, match="no completed export task"):
        house.receipt(task)


def test_a_log_that_was_changed_vouches_for_nothing(house):
    house.change("UPDATE stored_events SET topic = 'x' WHERE rowid = 2")
    with pytest.raises(NotAsSealed):
        house.receipt(house.of_ann)


def test_a_receipt_of_a_restored_log_is_by_a_checkpoint_of_what_it_kept(house):
    count = house.story.head()
    task = house.completed()
    seal(house.url, house.place)
    house.change("DELETE FROM stored_events WHERE rowid > ?", count)
    house.story.ledger.begin_anew(count, OPERATOR)
    with pytest.raises(Refusal, match="no completed"):
        house.receipt(task)
    assert house.receipt(house.of_ann)["note"] == house.note.read_text()


def test_a_receipt_is_at_most_1500_bytes(house):
    found = house.receipt(house.of_ann)
    assert len(json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()) <= 1500
