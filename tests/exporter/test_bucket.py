"""A bucket: whose it is, what is read of it, and what happens while it is away, or is no bucket."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

from exporter.bucket import Bucket
from exporter.results import (
    CHUNK_BYTES,
    ResultMissing,
    ResultsClaimed,
    ResultsFailed,
    open_results,
    result_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.results import Results
    from tests.object_store import ObjectStore

TASK = "0193a5f0c0de0123456789ab"
KEY = result_key(TASK, 1, "abc", ".xls")
MB = 1_000_000
SPAWNED = multiprocessing.get_context("spawn")


@pytest.fixture
def results(bucket_url: str, tmp_path: Path) -> Results:
    return open_results(bucket_url, tmp_path / "spool")


@pytest.fixture
def own_results(own_url: str, tmp_path: Path) -> Results:
    return open_results(own_url, tmp_path / "spool")


def put(results: Results, content: bytes, key: str = KEY) -> None:
    spool = results.spool(key)
    spool.write_bytes(content)
    results.put(key, spool)


def content(results: Results, key: str = KEY) -> bytes:
    result = results.open(key)
    return b"".join(result.read_range(0, result.size))


def calls(results: Results) -> list[Callable[[], object]]:
    """Everything that asks the store something."""
    spool = results.spool(KEY)
    spool.write_bytes(b"book")
    return [
        results.marker,
        lambda: results.claim("log"),
        lambda: results.put(KEY, spool),
        lambda: results.open(KEY),
        lambda: list(results.list()),
        lambda: results.delete(KEY),
        lambda: results.hold().__enter__(),
    ]


def all_fail(results: Results) -> set[str]:
    """How each of them says that it fails, all at once."""
    said: list[str] = []
    waiting = [
        threading.Thread(target=lambda call=call: said.append(fails(call)), daemon=True)
        for call in calls(results)
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(60)
    assert len(said) == len(waiting)
    return set(said)


def fails(call: Callable[[], object]) -> str:
    with pytest.raises(ResultsFailed) as failed:
        call()
    assert failed.value.passing
    return str(failed.value)


# Its address


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://ab",
        "s3://Results",
        "s3://results//prefix",
        "s3://results/../prefix",
        "s3://results/a b",
        "s3://results?x=1",
        "s3://key@results",
        f"s3://{'a' * 64}",
    ],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not of the form s3://bucket/prefix"):
        Bucket(url)


@pytest.mark.parametrize("url", ["s3://abc", "s3://abc/", "s3://a.b-c/pre.fix/2_", "s3://abc/x/"])
def test_a_bucket_alone_or_with_a_prefix_is_an_address(url: str) -> None:
    assert Bucket(url).url == url.rstrip("/")


def test_results_of_a_bucket_have_addresses_that_an_operator_can_use(
    results: Results, bucket_url: str, tmp_path: Path
) -> None:
    assert results.where(KEY) == f"{bucket_url}/{KEY}"
    assert results.where(KEY, spool=True) == str(tmp_path / "spool" / KEY.replace("/", "-"))


def test_variables_that_make_no_sense_are_refused(
    bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ValueError, match="variables cannot be used"):
        Bucket(bucket_url)


# Faults


def test_a_bucket_that_is_not_there_is_said_so(results: Results, tmp_path: Path) -> None:
    for call in calls(open_results("s3://not-there/prefix", tmp_path / "spool")):
        assert fails(call) == "the bucket does not exist"


def test_wrong_keys_are_said_so(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    for call in calls(open_results(bucket_url, tmp_path / "spool")):
        assert fails(call).startswith("the object store refuses access")


def test_missing_keys_are_said_so(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    results = open_results(bucket_url, tmp_path / "spool")
    assert "AWS_ACCESS_KEY_ID" in fails(results.marker)


def test_a_store_that_is_away_is_said_so_and_everything_goes_on_when_it_is_back(
    own_store: ObjectStore, own_results: Results
) -> None:
    own_results.claim("log")
    put(own_results, b"before")
    own_store.kill()
    assert all_fail(own_results) == {"the object store does not answer"}
    assert own_results.spool(KEY).read_bytes() == b"book"
    own_store.start()
    assert own_results.marker() == "log"
    assert content(own_results) == b"before"


def test_a_store_that_hangs_holds_nobody_for_ever(
    own_store: ObjectStore, own_results: Results
) -> None:
    own_store.pause()
    assert all_fail(own_results) == {"the object store does not answer"}
    own_store.resume()
    put(own_results, b"after")
    assert content(own_results) == b"after"


def test_a_short_outage_is_not_noticed(own_store: ObjectStore, own_results: Results) -> None:
    put(own_results, b"book")
    own_store.pause()
    threading.Timer(2.0, own_store.resume).start()
    assert content(own_results) == b"book"


# Whose it is


def test_of_two_machines_that_claim_a_bucket_one_does(bucket_url: str, tmp_path: Path) -> None:
    for number in range(5):
        url = f"{bucket_url}/{number}"
        with SPAWNED.Pool(2) as machines:
            claims = [(url, tmp_path, f"log-{name}") for name in ("a", "b")]
            refused = machines.starmap(_claim, claims)
        results = open_results(url, tmp_path)
        assert sorted(map(bool, refused)) == [False, True]
        assert results.marker() in refused


def _claim(url: str, folder: Path, marker: str) -> str | None:
    try:
        open_results(url, folder).claim(marker)
    except ResultsClaimed as error:
        return str(error)
    return None


# Putting


def test_an_answer_that_was_lost_is_no_failure(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    there = obstore.put

    def put_and_lose(*args: object, **options: object) -> None:
        there(*args, **options)
        raise obstore.exceptions.GenericError("the answer was lost")

    monkeypatch.setattr(obstore, "put", put_and_lose)
    put(results, b"book")
    assert content(results) == b"book"
    assert not results.spool(KEY).exists()


def test_a_put_that_was_not_done_keeps_its_spool(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    def lose(*args: object, **options: object) -> None:
        raise obstore.exceptions.GenericError("the request was lost")

    with monkeypatch.context() as patched:
        patched.setattr(obstore, "put", lose)
        fails(lambda: put(results, b"book"))
    assert results.spool(KEY).read_bytes() == b"book"
    results.put(KEY, results.spool(KEY))
    assert content(results) == b"book"


def test_signals_are_heeded_while_a_file_is_put(own_store: ObjectStore, tmp_path: Path) -> None:
    """An exporter hands its task back at once; it would be killed, and that count as a crash."""
    bucket, file, heard = Bucket("s3://results/signals"), tmp_path / "file", []
    file.write_bytes(b"book")
    heeded = threading.Event()

    def heed(number: int, frame: object) -> None:
        heard.append("signal")
        heeded.set()

    def resume() -> None:
        heeded.wait(20)
        heard.append("resumed")
        own_store.resume()

    before = signal.signal(signal.SIGALRM, heed)
    own_store.pause()
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    threading.Thread(target=resume).start()
    try:
        bucket.upload("file", file)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert heard == ["signal", "resumed"]
    assert bucket.read("file") == b"book"


def test_putting_and_reading_take_the_same_memory_however_large_the_file(
    bucket_url: str, tmp_path: Path
) -> None:
    with SPAWNED.Pool(1) as other:
        used = other.apply(_put_and_read, (bucket_url, tmp_path, 200 * MB))
    assert used < 60 * MB


def _put_and_read(url: str, folder: Path, size: int) -> int:
    """How much the process grew at most."""
    results = open_results(url, folder / "spool")
    put(results, b"small", result_key(TASK, 2, "a", ".xls"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with results.spool(KEY).open("wb") as spool:
        for _ in range(size // MB):
            spool.write(os.urandom(MB))
    results.put(KEY, results.spool(KEY))
    result = results.open(KEY)
    assert sum(map(len, result.read_range(0, size))) == size
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


# Reading


def test_a_file_that_is_replaced_while_it_is_read_is_never_mixed(
    results: Results, bucket_url: str
) -> None:
    put(results, b"a" * (2 * CHUNK_BYTES))
    result = results.open(KEY)
    Bucket(bucket_url).replace(KEY, b"b" * (2 * CHUNK_BYTES))
    with pytest.raises(ResultsFailed, match="removed while it was read") as failed:
        list(result.read_range(CHUNK_BYTES, CHUNK_BYTES))
    assert not failed.value.passing


def test_a_file_that_is_deleted_before_its_bytes_are_asked_for_fails(results: Results) -> None:
    put(results, b"book")
    result = results.open(KEY)
    results.delete(KEY)
    with pytest.raises(ResultsFailed, match="removed while it was read"):
        next(result.read_range(0, 4))
    with pytest.raises(ResultMissing):
        results.open(KEY)


def test_a_download_goes_on_after_the_store_was_started_again(
    own_store: ObjectStore, own_results: Results
) -> None:
    whole = os.urandom(40 * MB)
    put(own_results, whole)
    result = own_results.open(KEY)
    chunks = result.read_range(7, result.size - 7)
    first = next(chunks)
    own_store.kill()
    own_store.start()
    assert first + b"".join(chunks) == whole[7:]


def test_a_download_fails_where_the_store_stays_away(
    own_store: ObjectStore, own_results: Results
) -> None:
    put(own_results, os.urandom(40 * MB))
    chunks = own_results.open(KEY).read_range(0, 40 * MB)
    next(chunks)
    own_store.kill()
    assert fails(lambda: list(chunks)) == "the object store does not answer"


# What is in it


def test_all_of_many_objects_are_listed_and_those_of_others_are_not(
    bucket_url: str, tmp_path: Path
) -> None:
    folder, beside = Bucket(f"{bucket_url}/results"), Bucket(f"{bucket_url}/results-2")
    keys = [result_key(TASK, number, "a", ".xls") for number in range(1, 1102)]
    for key in keys:
        folder.replace(key, b"")
    beside.replace(KEY, b"")
    listed = open_results(folder.url, tmp_path / "spool").list()
    assert {each.key for each in listed} == set(keys)


def test_names_below_a_folder_are_told_without_what_lies_deeper(bucket_url: str) -> None:
    bucket = Bucket(bucket_url)
    for name in ("a/2", "a/1", "a/b/3", "ab/4", "5"):
        bucket.replace(name, token_hex(4).encode())
    assert bucket.names("a") == ["1", "2", "b"]
    assert bucket.names("nothing") == []
