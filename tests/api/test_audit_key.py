"""The key that a node signs with: made once, kept privately, in the form other tools read."""

from __future__ import annotations

import threading
from base64 import b64encode

import pytest

from api.audit.key import KeyUnusable, kept_key
from api.audit.note import NodeKey

SEED = bytes(range(32))
TEXT = f"PRIVATE+KEY+export-tasks.56475aa7+0da7d9e9+{b64encode(bytes([1]) + SEED).decode()}\n"


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "deep" / "audit.key"
    key = kept_key(path)
    assert kept_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["audit.key"]
    assert str(path) in caplog.text
    assert key.seed.hex() not in caplog.text


def test_two_nodes_have_two_keys(tmp_path):
    assert kept_key(tmp_path / "one") != kept_key(tmp_path / "two")


def test_many_that_make_a_key_at_once_agree(tmp_path):
    keys = []
    threads = [
        threading.Thread(target=lambda: keys.append(kept_key(tmp_path / "audit.key")))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(keys) == 8
    assert len({each.name for each in keys}) == 1


def test_a_key_is_read_in_the_form_of_other_tools(tmp_path):
    path = tmp_path / "audit.key"
    path.write_text(TEXT)
    assert kept_key(path) == NodeKey(SEED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "PRIVATE+KEY+",
        TEXT.replace("PRIVATE+KEY+", ""),
        TEXT.replace("export-tasks", "other"),
        TEXT.replace("0da7d9e9", "0da7d9e8"),
        TEXT.replace("+AQAB", "+AgAB"),
        TEXT.replace("+AQAB", "+AQ"),
        TEXT.replace("=", "") + "!",
        "ä",
    ],
)
def test_what_is_no_key_is_refused_with_the_files_name(tmp_path, text):
    path = tmp_path / "audit.key"
    path.write_text(text)
    with pytest.raises(KeyUnusable, match=r"audit\.key cannot be used"):
        kept_key(path)


def test_a_key_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyUnusable, match=r"file/audit\.key"):
        kept_key(tmp_path / "file" / "audit.key")
