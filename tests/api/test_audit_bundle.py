"""A bundle is judged by its own verify.py alone, with cryptography or with openssl."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from api.audit import verifier
from api.audit.bundle import CannotBundle, bundle
from api.audit.note import NodeKey
from tests.bundled import ALONE, CANNOT_TELL, CHANGED, SOUND, run
from tests.facts import OPERATOR
from tests.sealed import KEY, OTHER, seal


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_the_verifier_is_one_short_file_that_imports_the_standard_library_alone():
    source = Path(verifier.__file__).read_text()
    assert len(source.splitlines()) < 200
    words = {line.split()[1].split(".")[0] for line in source.splitlines()
             if line.strip().startswith(("import ", "from "))}  # fmt: skip
    assert words - sys.stdlib_module_names == {"cryptography"}


@pytest.mark.parametrize("python", [("-I",), ALONE], ids=["cryptography", "openssl"])
def test_a_bundle_of_a_sealed_log_is_sound(sealed, python):
    folder = sealed.bundle()
    events = sealed.made.of
    assert sealed.made.events == events
    code, told = run(folder, python=python)
    assert (code, told.splitlines()[-1]) == (
        SOUND,
        f"sound: the first {events} of {events} events; the last 0 are not sealed",
    )


@pytest.mark.parametrize("python", [("-I",), ALONE], ids=["cryptography", "openssl"])
def test_a_note_by_another_key_is_not_used(sealed, python):
    folder = sealed.bundle()
    code, told = run(folder, "--key", OTHER.verifier.text, python=python)
    assert code == CANNOT_TELL
    assert "not used" in told


@pytest.mark.parametrize("python", [("-I",), ALONE], ids=["cryptography", "openssl"])
def test_a_note_that_was_changed_is_not_used(sealed, python):
    folder = sealed.bundle()
    (note,) = (folder / "checkpoints").rglob("0*")
    size = note.read_text().splitlines()[1]
    rewrite(note, f"\n{size}\n", f"\n{int(size) - 1}\n")
    assert run(folder, python=python)[0] == CANNOT_TELL


def test_without_anything_that_checks_signatures_it_says_so(sealed, tmp_path):
    code, told = run(sealed.bundle(), python=ALONE, path=str(tmp_path))
    assert code == CANNOT_TELL
    assert "neither the package cryptography nor the command openssl" in told


def test_the_auditor_s_own_key_and_checkpoint_are_taken_instead(sealed, tmp_path):
    folder = sealed.bundle()
    key = tmp_path / "key"
    key.write_text(KEY.verifier.text + "\n")
    shutil.copy(sealed.note, tmp_path / "note")
    shutil.rmtree(folder / "keys")
    shutil.rmtree(folder / "checkpoints")
    code, told = run(folder, "--key", str(key), "--checkpoint", str(tmp_path / "note"))
    assert (code, len(told.splitlines())) == (SOUND, 1)


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_a_key_s_text_is_taken_as_it_stands_though_it_looks_like_a_path(sealed, slashes):
    """Base64 has slashes; a path ends without one and has none twice."""
    seeds = (number.to_bytes(32, "big") for number in range(100_000))
    key = next(
        key
        for key in map(NodeKey, seeds)
        if (key.verifier.text.endswith("/") if slashes == "/" else "//" in key.verifier.text)
    )
    seal(sealed.url, sealed.place, key=key)
    code, told = run(sealed.bundle(), "--key", key.verifier.text)
    assert (code, told.splitlines()[-1][:6]) == (SOUND, "sound:")


@pytest.mark.parametrize("key", ["wrong", "a+b", "a+b+c", "a+1a2b3c4d+AQ/"])
def test_what_is_no_key_is_named(sealed, key):
    assert run(sealed.bundle(), "--key", key) == (
        CANNOT_TELL,
        f"cannot tell: this is no key, which is NAME+ID+BASE64: {key}\n",
    )


def test_it_says_where_the_keys_are_from(sealed):
    assert "compare them with another source" in run(sealed.bundle())[1]


def test_what_is_not_sealed_is_counted(sealed):
    sealed.completed()
    folder = sealed.bundle()
    rest = sealed.made.of - int(sealed.note.name.split("-")[0])
    assert f"the last {rest} are not sealed" in run(folder)[1]
    assert rest > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"\"rows\":10", r"\"rows\":11"),
        ("task.completed", "task.failed"),
        ('"version":2', '"version":3'),
    ],
)
def test_a_changed_event_is_found(sealed, old, new):
    folder = sealed.bundle()
    rewrite(folder / "events.jsonl", old, new)
    code, told = run(folder)
    assert (code, told.splitlines()[-1].split(":")[0]) == (CHANGED, "changed")


def test_events_that_are_cut_off_are_found(sealed):
    folder = sealed.bundle()
    kept = (folder / "events.jsonl").read_text().splitlines(keepends=True)[:-1]
    (folder / "events.jsonl").write_text("".join(kept))
    code, told = run(folder)
    assert code == CHANGED
    assert f"the log ends at {len(kept)}" in told


def test_the_range_lies_between_the_checkpoints(sealed):
    first = int(sealed.note.name.split("-")[0])
    sealed.completed()
    second = int(seal(sealed.url, sealed.place).name.split("-")[0])
    folder = sealed.bundle()
    text = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    text[-1] = text[-1].replace("true", "false")
    (folder / "events.jsonl").write_text("".join(text))
    code, told = run(folder)
    assert code == CHANGED
    assert f"events from rank {first} to {second - 1}" in told


def test_a_line_left_out_or_given_twice_is_found(sealed):
    folder = sealed.bundle()
    text = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    for wrong in (text[:3] + text[4:], text[:4] + text[3:], [text[1], text[0], *text[2:]]):
        (folder / "events.jsonl").write_text("".join(wrong))
        assert run(folder)[0] == CHANGED


@pytest.mark.parametrize("content", ["", "{}\n", "nonsense\n", "[]\n"])
def test_what_is_no_log_proves_nothing(sealed, content):
    folder = sealed.bundle()
    (folder / "events.jsonl").write_text(content)
    assert run(folder)[0] in (CHANGED, CANNOT_TELL)


def test_an_empty_place_makes_a_bundle_that_proves_nothing(sealed, tmp_path):
    bundle(sealed.url, tmp_path / "nothing", tmp_path / "b", {})
    assert run(tmp_path / "b")[0] == CANNOT_TELL


# A part of a log


def test_a_bundle_of_one_task_holds_its_events_and_proves_them(sealed):
    folder = sealed.bundle(task_id=sealed.of_ann)
    found = lines(folder)
    assert {each["topic"] for each in found} >= {"log.begun", "task.created", "task.completed"}
    assert len(found) == sealed.made.events < sealed.made.of
    assert sealed.of_ann in (folder / "events.jsonl").read_text()
    code, told = run(folder)
    assert (code, told.splitlines()[-1].split(":")[0]) == (SOUND, "sound")


def test_it_holds_nothing_of_what_others_did(sealed):
    content = (sealed.bundle(user_id="ann", project_id="p1") / "events.jsonl").read_text()
    assert sealed.of_ann in content
    assert sealed.of_ben not in content
    assert '\\"ben\\"' not in content


def test_a_changed_event_of_a_part_is_named(sealed):
    folder = sealed.bundle(task_id=sealed.of_ann)
    (completed,) = [each for each in lines(folder) if each["topic"] == "task.completed"]
    rewrite(folder / "events.jsonl", '\\"rows\\":10', '\\"rows\\":11')
    code, told = run(folder)
    assert code == CHANGED
    assert f"the event of rank {completed['rank']} is not" in told


@pytest.mark.parametrize("at", [0, 5, -1])
def test_a_changed_leaf_of_a_part_is_found(sealed, at):
    folder = sealed.bundle(task_id=sealed.of_ann)
    hashes = bytearray((folder / "leaves.bin").read_bytes())
    hashes[at * 32] ^= 1
    (folder / "leaves.bin").write_bytes(hashes)
    assert run(folder)[0] == CHANGED


def test_leaves_that_are_cut_off_are_found(sealed):
    folder = sealed.bundle(task_id=sealed.of_ann)
    hashes = (folder / "leaves.bin").read_bytes()
    (folder / "leaves.bin").write_bytes(hashes[:-32])
    assert run(folder)[0] == CHANGED


# Restores


def test_a_restored_log_says_what_is_gone(sealed):
    log = sealed.story.ledger
    count = sealed.story.head()
    before = int(seal(sealed.url, sealed.place).name.split("-")[0])
    sealed.completed()
    later = int(seal(sealed.url, sealed.place).name.split("-")[0])
    sealed.change("DELETE FROM stored_events WHERE rowid > ?", count)
    log.begin_anew(count, OPERATOR)
    folder = sealed.bundle("early")
    assert run(folder)[0] == CANNOT_TELL
    seal(sealed.url, sealed.place)
    code, told = run(sealed.bundle("later"))
    assert (code, before) == (SOUND, count)
    assert f"gone by a restore, which kept {count} events: the checkpoint of {later}" in told


# Making one


def test_a_zip_holds_the_same_folder(sealed):
    folder, archive = sealed.bundle(), sealed.bundle("case.zip")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(sealed.folder / "there")
    assert run(sealed.folder / "there" / "case") == run(folder)
    folders = {each.name for each in sealed.folder.iterdir() if each.is_dir()}
    assert folders - {"events.sqlite-turns"} == {"bundle", "there", "audit"}


def test_nothing_is_ever_overwritten(sealed):
    sealed.bundle()
    with pytest.raises(CannotBundle, match="already"):
        sealed.bundle()


def test_bytes_that_are_no_text_are_kept_as_they_are(sealed):
    sealed.change("UPDATE stored_events SET state = x'ff00fe' WHERE rowid = 3")
    seal(sealed.url, sealed.folder / "anew")
    bundle(sealed.url, sealed.folder / "anew", sealed.folder / "b", {})
    assert run(sealed.folder / "b")[0] == SOUND


def test_what_no_event_can_be_is_not_bundled(sealed):
    sealed.change("UPDATE stored_events SET state = NULL WHERE rowid = 3")
    with pytest.raises(CannotBundle, match="position 3"):
        sealed.bundle()


@pytest.mark.parametrize("name", ["bundle", "case.zip"])
def test_of_a_bundle_that_fails_nothing_is_left_and_another_can_be_made(sealed, name):
    before = sorted(sealed.folder.iterdir())
    sealed.change("UPDATE stored_events SET state = NULL WHERE rowid = 3")
    for _ in range(2):
        with pytest.raises(CannotBundle, match="position 3"):
            sealed.bundle(name)
    assert sorted(sealed.folder.iterdir()) == before
    sealed.change("UPDATE stored_events SET state = CAST('{}' AS BLOB) WHERE rowid = 3")
    assert sealed.bundle(name).exists()
