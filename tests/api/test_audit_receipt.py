"""A receipt is judged by verify.py alone, and proves its task, its file and its place."""

from __future__ import annotations

import gzip
import json
import shutil

import pytest

from api.audit import verifier
from api.audit.receipt import NotAsSealed, NotSealed
from domain.refusals import Refusal
from tests.bundled import ALONE, CANNOT_TELL, CHANGED, SOUND, run
from tests.facts import OPERATOR
from tests.sealed import KEY, OTHER, seal


@pytest.mark.parametrize("python", [("-I",), ALONE], ids=["cryptography", "openssl"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_receipt_proves_its_task(sealed, python, pack):
    folder = sealed.bundle()
    content = json.dumps(sealed.receipt(sealed.of_ben)).encode()
    (folder / "receipt").write_bytes(pack(content))
    code, told = run(folder, "receipt", python=python)
    assert code == SOUND
    assert f"task.completed of the task {sealed.of_ben}" in told
    assert "ab" * 32 in told


def test_a_receipt_needs_the_key_alone(sealed, tmp_path):
    shutil.copy(verifier.__file__, tmp_path / "verify.py")
    (tmp_path / "r.json").write_text(json.dumps(sealed.receipt(sealed.of_ann)))
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
def test_a_receipt_of_anything_else_is_refused(sealed, wrong):
    folder = sealed.bundle()
    (folder / "r").write_text(json.dumps(sealed.receipt(sealed.of_ann, **wrong)))
    assert run(folder, "r")[0] == CHANGED


def test_a_receipt_of_another_file_is_refused(sealed):
    folder = sealed.bundle()
    state = sealed.receipt(sealed.of_ann)["state"].replace("ab" * 32, "ba" * 32)
    (folder / "r").write_text(json.dumps(sealed.receipt(sealed.of_ann, state=state)))
    assert run(folder, "r")[0] == CHANGED


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"note":"x"}'])
def test_what_is_no_receipt_proves_nothing(sealed, content):
    folder = sealed.bundle()
    (folder / "r").write_text(content)
    assert run(folder, "r")[0] == CANNOT_TELL


def test_one_bad_receipt_of_several_is_enough(sealed):
    folder = sealed.bundle()
    (folder / "good").write_text(json.dumps(sealed.receipt(sealed.of_ann)))
    (folder / "bad").write_text(json.dumps(sealed.receipt(sealed.of_ann, version=1)))
    assert run(folder, "good")[0] == SOUND
    assert run(folder, "good", "bad")[0] == CHANGED


def test_a_task_that_is_not_sealed_yet_has_none(sealed):
    task = sealed.completed()
    with pytest.raises(NotSealed, match="in at most a minute"):
        sealed.receipt(task)
    seal(sealed.url, sealed.place)
    assert sealed.receipt(task)["task"] == task


def test_the_shortest_of_all_proofs_is_taken(sealed):
    for _ in range(10):
        sealed.completed()
        seal(sealed.url, sealed.place)
    found = sealed.receipt(sealed.of_ben)
    assert found["note"] == sealed.note.read_text()


@pytest.mark.parametrize("task", ["0" * 24, "nonsense", ""])
def test_a_task_that_never_was_completed_has_none(sealed, task):
    with pytest.raises(Refusal, match="no completed export task"):
        sealed.receipt(task)


def test_a_log_that_was_changed_vouches_for_nothing(sealed):
    sealed.change("UPDATE stored_events SET topic = 'x' WHERE rowid = 2")
    with pytest.raises(NotAsSealed):
        sealed.receipt(sealed.of_ann)


def test_a_receipt_of_a_restored_log_is_by_a_checkpoint_of_what_it_kept(sealed):
    count = sealed.story.head()
    task = sealed.completed()
    seal(sealed.url, sealed.place)
    sealed.change("DELETE FROM stored_events WHERE rowid > ?", count)
    sealed.story.ledger.begin_anew(count, OPERATOR)
    with pytest.raises(Refusal, match="no completed"):
        sealed.receipt(task)
    assert sealed.receipt(sealed.of_ann)["note"] == sealed.note.read_text()


def test_a_receipt_is_at_most_1500_bytes(sealed):
    found = sealed.receipt(sealed.of_ann)
    assert len(json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()) <= 1500
