"""Result files in each kind of place: kept, listed, read and removed."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.disk import link
from exporter.results import (
    CHUNK_BYTES,
    LocalResults,
    ResultExists,
    ResultMissing,
    ResultsClaimed,
    ResultsFailed,
    hash_file,
    open_results,
    parse_key,
    result_key,
)
from tests.places import content, put

if TYPE_CHECKING:
    from exporter.results import Results
    from tests.places import Place

TASK, OTHER_TASK = "0193a5f0c0de0123456789ab", "0193a5f0c0de0123456789ac"
KEY = result_key(TASK, 1, "abc", ".xls")


@pytest.fixture
def results(tmp_path: Path, place: Place) -> Results:
    return open_results(place.url, tmp_path / "spool")


def other_source(folder: Path, number: int) -> Path:
    """A file that no sweeper knows."""
    source = folder / f"source-{number}"
    source.write_bytes(b"content")
    return source


# Keys


def test_a_key_names_the_task_and_the_attempt() -> None:
    assert result_key(TASK, 12, "0a9z", ".zip") == f"{TASK}/12-0a9z.zip"
    assert parse_key(f"{TASK}/12-0a9z.zip") == (TASK, 12)


@pytest.mark.parametrize(
    "key",
    [
        "",
        f"{TASK}",
        f"{TASK}/1-abc",
        f"{TASK}/0-abc.xls",
        f"{TASK}/01-abc.xls",
        f"{TASK}/1-.xls",
        f"{TASK}/1-ABC.xls",
        f"{TASK}/1-abc.exe",
        f"{TASK}/1-abc.xls\n",
        f"{TASK}/1-a/b.xls",
        f"{TASK[:-1]}/1-abc.xls",
        f"../{TASK}/1-abc.xls",
        f"/{TASK}/1-abc.xls",
        f"{TASK}/../1-abc.xls",
        ".export-tasks",
        ".spool",
    ],
)
def test_what_is_no_key_is_refused_everywhere(results: Results, place: Place, key: str) -> None:
    assert parse_key(key) is None
    for call in (results.spool, results.open, results.delete):
        with pytest.raises(ValueError, match="not the key of a result"):
            call(key)
    with pytest.raises(ValueError, match="not the key of a result"):
        results.put(key, Path(__file__))
    assert place.names() == set()


def test_a_key_is_not_made_of_wrong_parts() -> None:
    for task_id, attempt, nonce, suffix in [
        ("..", 1, "abc", ".xls"),
        (TASK, 0, "abc", ".xls"),
        (TASK, 1, "a/b", ".xls"),
        (TASK, 1, "a" * 33, ".xls"),
        (TASK, 1, "abc", "xls"),
    ]:
        with pytest.raises(ValueError, match="not the key of a result"):
            result_key(task_id, attempt, nonce, suffix)


@given(
    task_id=st.text("0123456789abcdef", min_size=24, max_size=24),
    attempt=st.integers(1, 999_999_999),
    nonce=st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32),
    suffix=st.sampled_from([".xls", ".zip"]),
)
def test_every_key_made_can_be_parsed(task_id: str, attempt: int, nonce: str, suffix: str) -> None:
    assert parse_key(result_key(task_id, attempt, nonce, suffix)) == (task_id, attempt)


# The address


def test_a_file_address_opens_a_local_folder(tmp_path: Path) -> None:
    results = open_results(f"file://{tmp_path}/with%20space", tmp_path)
    assert isinstance(results, LocalResults)
    assert results.folder == tmp_path / "with space"
    assert not results.folder.exists()


@pytest.mark.parametrize(
    "url", ["gs://bucket/prefix", "file://relative", "file:///a%00b", "file:", "/absolute", ""]
)
def test_another_address_is_refused_with_what_works(url: str) -> None:
    with pytest.raises(ValueError, match="give file:///absolute/folder or s3://bucket/prefix"):
        open_results(url, Path("unused"))


# Putting


def test_a_result_put_can_be_opened_and_its_spool_is_gone(results: Results) -> None:
    put(results, KEY, b"bytes")
    assert content(results, KEY) == b"bytes"
    assert not results.spool(KEY).exists()


def test_a_result_is_never_replaced(results: Results) -> None:
    put(results, KEY, b"first")
    with pytest.raises(ResultExists, match=TASK):
        put(results, KEY, b"second")
    assert content(results, KEY) == b"first"
    assert results.spool(KEY).read_bytes() == b"second"


def test_putting_what_is_not_there_fails(results: Results, tmp_path: Path) -> None:
    with pytest.raises(ResultsFailed, match="ENOENT"):
        results.put(KEY, tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        link(tmp_path / "missing", tmp_path / "final")


# Reading


def test_what_is_not_there_is_missing(results: Results) -> None:
    with pytest.raises(ResultMissing, match=TASK):
        results.open(KEY)


def test_a_result_tells_its_size_and_when_it_was_written(results: Results) -> None:
    put(results, KEY, b"12345")
    with results.open(KEY) as result:
        assert result.size == 5
        assert abs(datetime.now(UTC) - result.modified) < timedelta(minutes=1)


def test_a_range_is_read_in_chunks(results: Results) -> None:
    whole = os.urandom(2 * CHUNK_BYTES + 10)
    put(results, KEY, whole)
    with results.open(KEY) as result:
        chunks = list(result.read_range(5, len(whole) - 5))
        assert len(chunks) > 1
        assert all(len(chunk) >= CHUNK_BYTES for chunk in chunks[:-1])
        assert b"".join(chunks) == whole[5:]
        assert b"".join(result.read_range(len(whole) - 1, 1)) == whole[-1:]
        assert list(result.read_range(len(whole), 0)) == []


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (0, -1), (0, 6), (5, 1), (6, 0)])
def test_a_range_outside_of_the_result_is_refused(
    results: Results, start: int, length: int
) -> None:
    put(results, KEY, b"12345")
    with results.open(KEY) as result, pytest.raises(ValueError, match="in a result of 5"):
        result.read_range(start, length)


def test_ranges_may_be_read_by_turns(results: Results) -> None:
    whole = os.urandom(3 * CHUNK_BYTES)
    put(results, KEY, whole)
    with results.open(KEY) as result:
        one, two = result.read_range(0, len(whole)), result.read_range(7, len(whole) - 7)
        turns = list(zip_longest(one, two, fillvalue=b""))
    assert b"".join(a for a, _ in turns) == whole
    assert b"".join(b for _, b in turns) == whole[7:]


def test_a_download_in_flight_keeps_its_bytes_when_the_result_is_deleted(
    results: Results,
) -> None:
    whole = os.urandom(3 * CHUNK_BYTES)
    put(results, KEY, whole)
    with results.open(KEY) as result:
        chunks = result.read_range(0, result.size)
        first = next(chunks)
        results.delete(KEY)
        assert first + b"".join(chunks) == whole
    with pytest.raises(ResultMissing):
        results.open(KEY)


def test_a_closed_result_gives_no_bytes(results: Results) -> None:
    put(results, KEY)
    result = results.open(KEY)
    result.close()
    with pytest.raises(ValueError):
        list(result.read_range(0, 1))


# Listing and deleting


def test_results_and_spools_are_listed_and_nothing_else(results: Results, place: Place) -> None:
    other = result_key(OTHER_TASK, 2, "x", ".zip")
    put(results, other, b"12")
    put(results, KEY, b"1")
    results.spool(result_key(TASK, 2, "y", ".xls")).write_bytes(b"123")
    results.claim("log")
    for foreign in ("README", f"{TASK}/notes.txt", f"{TASK}/1-A.xls"):
        place.lay(foreign, b"")
    results.spool(KEY).with_name("tmp").touch()
    assert [(listed.key, listed.size, listed.spool) for listed in results.list()] == [
        (KEY, 1, False),
        (other, 2, False),
        (f"{TASK}/2-y.xls", 3, True),
    ]
    assert all(
        abs(datetime.now(UTC) - listed.modified) < timedelta(minutes=1) for listed in results.list()
    )


def test_a_place_that_is_not_there_yet_holds_nothing(results: Results, place: Place) -> None:
    assert list(results.list()) == []
    assert results.marker() is None
    results.delete(KEY)
    results.delete(KEY, spool=True)
    assert place.names() == set()


def test_deleting_one_result_leaves_the_others(results: Results) -> None:
    second = result_key(TASK, 2, "abc", ".xls")
    put(results, KEY)
    put(results, second)
    results.delete(KEY)
    assert content(results, second) == b"content"


def test_deleting_twice_is_deleting_once(results: Results) -> None:
    put(results, KEY)
    results.delete(KEY)
    results.delete(KEY)
    assert list(results.list()) == []


def test_a_spool_is_deleted_apart_from_the_result(results: Results) -> None:
    put(results, KEY)
    results.spool(KEY).write_bytes(b"rest")
    results.delete(KEY, spool=True)
    assert [(listed.key, listed.spool) for listed in results.list()] == [(KEY, False)]
    results.spool(KEY).write_bytes(b"rest")
    results.delete(KEY)
    assert [(listed.key, listed.spool) for listed in results.list()] == [(KEY, True)]


def test_puts_and_a_sweeper_do_not_disturb_each_other(results: Results, tmp_path: Path) -> None:
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            for listed in results.list():
                if "gone" in listed.key:
                    results.delete(listed.key, spool=listed.spool)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for attempt in range(1, 51):
            put(results, result_key(TASK, attempt, "kept", ".xls"))
            results.put(result_key(TASK, attempt, "gone", ".xls"), other_source(tmp_path, attempt))
    finally:
        stop.set()
        sweeper.join()
    kept = [listed.key for listed in results.list() if "kept" in listed.key]
    assert len(kept) == 50


# Whose place it is


def test_the_first_claim_marks_the_place(results: Results, place: Place) -> None:
    results.claim("log-1")
    assert results.marker() == "log-1"
    assert place.names() == {".export-tasks"}


def test_claiming_again_for_the_same_log_changes_nothing(results: Results) -> None:
    results.claim("log-1")
    results.claim("log-1")
    assert results.marker() == "log-1"


def test_a_place_of_another_log_is_not_claimed(results: Results, place: Place) -> None:
    results.claim("log-1")
    with pytest.raises(ResultsClaimed, match="log-1"):
        results.claim("log-2")
    assert results.marker() == "log-1"
    assert place.names() == {".export-tasks"}


def test_of_many_logs_one_claims_the_place(results: Results) -> None:
    refused: list[str] = []

    def claim(marker: str) -> None:
        try:
            results.claim(marker)
        except ResultsClaimed:
            refused.append(marker)

    markers = {f"log-{number}" for number in range(8)}
    threads = [threading.Thread(target=claim, args=(marker,)) for marker in markers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert markers - set(refused) == {results.marker()}


# Faults


def test_a_files_size_and_hash_are_those_of_its_bytes(tmp_path: Path) -> None:
    whole = os.urandom(1_000_000)
    (tmp_path / "file").write_bytes(whole)
    assert hash_file(tmp_path / "file") == (len(whole), hashlib.sha256(whole).hexdigest())
