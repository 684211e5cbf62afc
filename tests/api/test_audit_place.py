"""The audit place: things kept under names, whole, private, and never replaced."""

from __future__ import annotations

import os

import pytest

from api.audit.place import CheckpointName, LocalPlace, PlaceFailed, Taken, open_place, tile

INCARNATION = "0" * 32


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path):
    if request.param == "folder":
        return LocalPlace(tmp_path / "deep" / "audit")
    return open_place(request.getfixturevalue("bucket_url"))


@pytest.fixture
def folder(tmp_path):
    return LocalPlace(tmp_path / "deep" / "audit")


def test_what_is_put_is_got_and_listed(place):
    place.put("keys/b", b"2")
    place.put("keys/a", b"1")
    assert place.get("keys/a") == b"1"
    assert place.list("keys") == ["a", "b"]


def test_what_is_not_there_is_nothing(place):
    assert place.get("keys/a") is None
    assert place.list("keys") == []
    place.remove("keys/a")


def test_the_same_may_be_put_again_and_nothing_else(place):
    place.put("keys/a", b"1")
    place.put("keys/a", b"1")
    with pytest.raises(Taken, match="keys/a is there already"):
        place.put("keys/a", b"2")
    assert place.get("keys/a") == b"1"


def test_files_and_folders_are_for_their_owner_alone(folder):
    folder.put("keys/a", b"1")
    assert (folder.folder / "keys" / "a").stat().st_mode & 0o777 == 0o600
    assert (folder.folder / "keys").stat().st_mode & 0o777 == 0o700


def test_a_name_is_there_only_with_all_its_bytes_on_the_disk(folder, monkeypatch):
    safe, order = os.fsync, []
    link = os.link
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("sync"), safe(number)))
    monkeypatch.setattr(os, "link", lambda *names: (order.append("link"), link(*names)))
    folder.put("keys/a", b"1")
    order.clear()
    folder.put("keys/b", b"1")
    assert order == ["sync", "link", "sync"]


def test_a_draft_that_a_crash_left_is_not_listed(folder, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    folder.put("keys/a", b"1")
    monkeypatch.setattr(os, "link", crash)
    monkeypatch.setattr(os, "unlink", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        folder.put("keys/b", b"2")
    assert len(list((folder.folder / "keys").iterdir())) == 2
    assert folder.list("keys") == ["a"]
    assert folder.get("keys/b") is None


def test_what_is_removed_is_gone(place):
    place.put("keys/a", b"1")
    place.remove("keys/a")
    assert place.list("keys") == []


@pytest.mark.parametrize("name", ["../a", "keys/../../a", "/a", "keys//a", "", "keys/.a", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(place, name):
    for use in (lambda: place.put(name, b""), lambda: place.get(name), lambda: place.list(name)):
        with pytest.raises(PlaceFailed, match="no name"):
            use()


def test_a_place_that_is_no_folder_fails(folder):
    folder.folder.parent.mkdir()
    folder.folder.write_text("")
    for use in (
        lambda: folder.put("keys/a", b""),
        lambda: folder.get("keys/a"),
        lambda: folder.list("keys"),
        lambda: folder.remove("keys/a"),
    ):
        with pytest.raises(PlaceFailed, match="deep/audit cannot be used"):
            use()


def test_a_place_in_a_bucket_that_is_not_there_fails(bucket_url):
    place = open_place("s3://not-there/audit")
    for use in (
        lambda: place.put("keys/a", b""),
        lambda: place.get("keys/a"),
        lambda: place.list("keys"),
        lambda: place.remove("keys/a"),
    ):
        with pytest.raises(PlaceFailed, match="s3://not-there/audit cannot be used: the bucket"):
            use()


def test_checkpoints_are_listed_by_size_and_others_names_are_ignored(place):
    names = [CheckpointName(INCARNATION, size, "key.1") for size in (1_000_000, 20, 3)]
    for each in names:
        place.put(each.name, b"note")
    for stray in ("000000000003", "3-key", "readme.txt"):
        place.put(f"checkpoints/{INCARNATION}/{stray}", b"")
    assert list(CheckpointName.all_in(place, INCARNATION)) == names[::-1]
    assert names[0].name == f"checkpoints/{INCARNATION}/000001000000-key.1"


@pytest.mark.parametrize(
    ("number", "width", "name"),
    [
        (0, 256, "000"),
        (999, 256, "999"),
        (1000, 256, "x001/000"),
        (1_234_067, 256, "x001/x234/067"),
        (1_234_067, 3, "x001/x234/067.p/3"),
    ],
)
def test_tiles_are_named_as_c2sp_says(number, width, name):
    assert tile(INCARNATION, number, width) == f"tiles/{INCARNATION}/tile/0/{name}"


def test_an_address_is_decoded(tmp_path):
    assert open_place(f"file://{tmp_path}/a%20b").folder == tmp_path / "a b"


@pytest.mark.parametrize("url", ["gs://bucket", "file://a", "/a", "file:///a%00b", ""])
def test_what_is_no_folders_address_is_refused(url):
    with pytest.raises(ValueError, match="file:///"):
        open_place(url)
