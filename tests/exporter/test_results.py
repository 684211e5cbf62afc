"""Result files on the local disk: kept, listed, read and removed."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.disk import link, storing
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TASK, OTHER_TASK = "0193a5f0c0de0123456789ab", "0193a5f0c0de0123456789ac"
KEY = result_key(TASK, 1, "abc", ".xls")


@pytest.fixture
def results(tmp_path: Path) -> LocalResults:
    return LocalResults(tmp_path / "deep" / "results")


class Disk:
    """A folder as a loss of power would leave it: bytes that were synced, names whose folder was.

    `named` holds what was safe of each file in the moment in which it got another name: a name
    may be on the disk sooner than anybody asked for.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._bytes: dict[tuple[int, int], bytes] = {}
        self._names: dict[tuple[int, int], dict[str, tuple[int, int]]] = {}
        self.named: dict[str, bytes | None] = {}
        fsync = os.fsync

        def synced(descriptor: int) -> None:
            fsync(descriptor)
            self._note(_identity(os.fstat(descriptor)))

        monkeypatch.setattr(os, "fsync", synced)
        for name in ("link", "rename", "replace"):
            monkeypatch.setattr(os, name, self._naming(getattr(os, name)))

    def after_a_loss_of_power(self, path: Path) -> bytes | None:
        """What would be found at the path; None where nothing would."""
        found: tuple[int, int] | None = _identity(self._folder.stat())
        for name in path.relative_to(self._folder).parts:
            found = self._names[found].get(name) if found in self._names else None
        return self._bytes.get(found) if found else None

    def _naming(self, call: Callable[..., None]) -> Callable[..., None]:
        def named(source: Path, final: Path) -> None:
            self.named[Path(final).name] = self._bytes.get(_identity(Path(source).stat()))
            call(source, final)

        return named

    def _note(self, identity: tuple[int, int]) -> None:
        for path in (self._folder, *self._folder.rglob("*")):
            if _identity(path.stat()) != identity:
                continue
            if path.is_dir():
                self._names[identity] = {
                    each.name: _identity(each.stat()) for each in path.iterdir()
                }
            else:
                self._bytes[identity] = path.read_bytes()


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(tmp_path, monkeypatch)


@pytest.fixture
def afar(tmp_path: Path) -> Iterator[Path]:
    """A path on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    path = memory / f"export-tasks-test-{os.getpid()}"
    yield path
    path.unlink(missing_ok=True)


def put(results: LocalResults, key: str, content: bytes = b"content") -> None:
    source = results.spool(key)
    source.write_bytes(content)
    results.put(key, source)


def other_source(results: LocalResults, number: int) -> Path:
    """A file beside the results that no sweeper knows."""
    source = results.folder / f"source-{number}"
    source.write_bytes(b"content")
    return source


def content(results: LocalResults, key: str) -> bytes:
    with results.open(key) as result:
        return b"".join(result.read_range(0, result.size))


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
def test_what_is_no_key_is_refused_everywhere(results: LocalResults, key: str) -> None:
    assert parse_key(key) is None
    for call in (results.spool, results.open, results.delete):
        with pytest.raises(ValueError, match="not the key of a result"):
            call(key)
    with pytest.raises(ValueError, match="not the key of a result"):
        results.put(key, Path(__file__))
    assert not results.folder.exists()


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
    results = open_results(f"file://{tmp_path}/with%20space")
    assert isinstance(results, LocalResults)
    assert results.folder == tmp_path / "with space"
    assert not results.folder.exists()


@pytest.mark.parametrize(
    "url", ["s3://bucket/prefix", "file://relative", "file:///a%00b", "file:", "/absolute", ""]
)
def test_another_address_is_refused_with_what_works(url: str) -> None:
    with pytest.raises(ValueError, match="give file:///absolute/folder"):
        open_results(url)


# Putting


def test_a_result_put_can_be_opened_and_its_spool_is_gone(results: LocalResults) -> None:
    put(results, KEY, b"bytes")
    assert content(results, KEY) == b"bytes"
    assert not results.spool(KEY).exists()


def test_results_and_their_folders_are_private(results: LocalResults) -> None:
    source = results.spool(KEY)
    source.write_bytes(b"bytes")
    source.chmod(0o644)
    results.put(KEY, source)
    modes = {path.stat().st_mode & 0o777 for path in results.folder.rglob("*") if path.is_file()}
    folders = [results.folder.parent, results.folder, source.parent]
    assert modes == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


def test_a_result_is_never_replaced(results: LocalResults) -> None:
    put(results, KEY, b"first")
    with pytest.raises(ResultExists, match=TASK):
        put(results, KEY, b"second")
    assert content(results, KEY) == b"first"
    assert results.spool(KEY).read_bytes() == b"second"


def test_of_many_puts_under_one_key_one_succeeds(results: LocalResults, tmp_path: Path) -> None:
    sources = [tmp_path / str(number) for number in range(8)]
    outcomes: list[str] = []

    def attempt(source: Path) -> None:
        source.write_text(source.name)
        try:
            results.put(KEY, source)
        except ResultExists:
            outcomes.append("exists")
        else:
            outcomes.append(source.name)

    threads = [threading.Thread(target=attempt, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = set(outcomes) - {"exists"}
    assert outcomes.count("exists") == len(sources) - 1
    assert content(results, KEY) == winner.encode()


def test_a_file_of_another_file_system_is_copied(results: LocalResults, afar: Path) -> None:
    afar.write_bytes(b"from afar" * 100_000)
    results.put(KEY, afar)
    assert not afar.exists()
    assert content(results, KEY) == b"from afar" * 100_000
    assert [listed.spool for listed in results.list()] == [False]


def test_a_result_put_outlives_a_loss_of_power_and_its_name_never_goes_before_its_bytes(
    results: LocalResults, disk: Disk
) -> None:
    whole = os.urandom(1_000_000)
    put(results, KEY, whole)
    path = Path(results.where(KEY))
    assert disk.named == {path.name: whole}
    assert disk.after_a_loss_of_power(path) == whole


def test_a_result_from_another_file_system_outlives_a_loss_of_power_too(
    results: LocalResults, disk: Disk, afar: Path
) -> None:
    whole = os.urandom(1_000_000)
    afar.write_bytes(whole)
    results.put(KEY, afar)
    path = Path(results.where(KEY))
    assert disk.named == {path.name: whole}
    assert disk.after_a_loss_of_power(path) == whole


def test_putting_what_is_not_there_fails(results: LocalResults, tmp_path: Path) -> None:
    with pytest.raises(ResultsFailed, match="ENOENT"):
        results.put(KEY, tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        link(tmp_path / "missing", tmp_path / "final")


# Reading


def test_what_is_not_there_is_missing(results: LocalResults) -> None:
    with pytest.raises(ResultMissing, match=TASK):
        results.open(KEY)


def test_a_result_tells_its_size_and_when_it_was_written(results: LocalResults) -> None:
    put(results, KEY, b"12345")
    with results.open(KEY) as result:
        assert result.size == 5
        assert abs(datetime.now(UTC) - result.modified) < timedelta(minutes=1)


def test_a_range_is_read_in_chunks(results: LocalResults) -> None:
    whole = os.urandom(2 * CHUNK_BYTES + 10)
    put(results, KEY, whole)
    with results.open(KEY) as result:
        chunks = list(result.read_range(5, len(whole) - 5))
        assert list(map(len, chunks)) == [CHUNK_BYTES, CHUNK_BYTES, 5]
        assert b"".join(chunks) == whole[5:]
        assert b"".join(result.read_range(len(whole) - 1, 1)) == whole[-1:]
        assert list(result.read_range(len(whole), 0)) == []


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (0, -1), (0, 6), (5, 1), (6, 0)])
def test_a_range_outside_of_the_result_is_refused(
    results: LocalResults, start: int, length: int
) -> None:
    put(results, KEY, b"12345")
    with results.open(KEY) as result, pytest.raises(ValueError, match="in a result of 5"):
        result.read_range(start, length)


def test_ranges_may_be_read_by_turns(results: LocalResults) -> None:
    whole = os.urandom(3 * CHUNK_BYTES)
    put(results, KEY, whole)
    with results.open(KEY) as result:
        one, two = result.read_range(0, len(whole)), result.read_range(7, len(whole) - 7)
        turns = [(a, b) for a, b in zip(one, two, strict=True)]
    assert b"".join(a for a, _ in turns) == whole
    assert b"".join(b for _, b in turns) == whole[7:]


def test_a_download_in_flight_keeps_its_bytes_when_the_result_is_deleted(
    results: LocalResults,
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


def test_a_result_that_shrank_is_damage_not_an_end(results: LocalResults) -> None:
    put(results, KEY, b"x" * 100)
    with results.open(KEY) as result:
        os.truncate(results.folder / KEY.replace("/", "-"), 50)
        with pytest.raises(ResultsFailed, match="shorter") as failed:
            list(result.read_range(0, 100))
    assert not failed.value.passing


def test_a_closed_result_gives_no_bytes(results: LocalResults) -> None:
    put(results, KEY)
    result = results.open(KEY)
    result.close()
    with pytest.raises(ValueError):
        list(result.read_range(0, 1))


# Listing and deleting


def test_results_and_spools_are_listed_and_nothing_else(results: LocalResults) -> None:
    other = result_key(OTHER_TASK, 2, "x", ".zip")
    put(results, other, b"12")
    put(results, KEY, b"1")
    results.spool(result_key(TASK, 2, "y", ".xls")).write_bytes(b"123")
    results.claim("log")
    for foreign in ("README", f"{TASK}-notes.txt", ".spool/tmp", f"{TASK}-1-A.xls"):
        (results.folder / foreign).touch()
    assert [(listed.key, listed.size, listed.spool) for listed in results.list()] == [
        (KEY, 1, False),
        (other, 2, False),
        (f"{TASK}/2-y.xls", 3, True),
    ]
    assert all(
        abs(datetime.now(UTC) - listed.modified) < timedelta(minutes=1) for listed in results.list()
    )


def test_a_place_that_is_not_there_yet_holds_nothing(results: LocalResults) -> None:
    assert list(results.list()) == []
    assert results.marker() is None
    results.delete(KEY)
    results.delete(KEY, spool=True)
    assert not results.folder.exists()


def test_files_that_go_while_the_place_is_listed_are_left_out(results: LocalResults) -> None:
    keys = [result_key(TASK, attempt, "a", ".xls") for attempt in (1, 2, 3)]
    for key in keys:
        put(results, key)
    listing = results.list()
    first = next(listing)
    results.delete(keys[1])
    assert [listed.key for listed in (first, *listing)] == [keys[0], keys[2]]


def test_deleting_one_result_leaves_the_others(results: LocalResults) -> None:
    second = result_key(TASK, 2, "abc", ".xls")
    put(results, KEY)
    put(results, second)
    results.delete(KEY)
    assert content(results, second) == b"content"


def test_deleting_twice_is_deleting_once(results: LocalResults) -> None:
    put(results, KEY)
    results.delete(KEY)
    results.delete(KEY)
    assert list(results.list()) == []


def test_a_spool_is_deleted_apart_from_the_result(results: LocalResults) -> None:
    put(results, KEY)
    results.spool(KEY).write_bytes(b"rest")
    results.delete(KEY, spool=True)
    assert [(listed.key, listed.spool) for listed in results.list()] == [(KEY, False)]
    results.spool(KEY).write_bytes(b"rest")
    results.delete(KEY)
    assert [(listed.key, listed.spool) for listed in results.list()] == [(KEY, True)]


def test_puts_and_a_sweeper_do_not_disturb_each_other(results: LocalResults) -> None:
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
            results.put(result_key(TASK, attempt, "gone", ".xls"), other_source(results, attempt))
    finally:
        stop.set()
        sweeper.join()
    kept = [listed.key for listed in results.list() if "kept" in listed.key]
    assert len(kept) == 50


# Whose place it is


def test_the_first_claim_marks_the_place(results: LocalResults) -> None:
    results.claim("log-1")
    assert results.marker() == "log-1"
    assert [path.name for path in results.folder.iterdir()] == [".export-tasks"]


def test_a_claim_outlives_a_loss_of_power(results: LocalResults, disk: Disk) -> None:
    results.claim("log-1")
    assert disk.named == {".export-tasks": b"log-1"}
    assert disk.after_a_loss_of_power(results.folder / ".export-tasks") == b"log-1"


def test_claiming_again_for_the_same_log_changes_nothing(results: LocalResults) -> None:
    results.claim("log-1")
    results.claim("log-1")
    assert results.marker() == "log-1"


def test_a_place_of_another_log_is_not_claimed(results: LocalResults) -> None:
    results.claim("log-1")
    with pytest.raises(ResultsClaimed, match="log-1"):
        results.claim("log-2")
    assert results.marker() == "log-1"
    assert [path.name for path in results.folder.iterdir()] == [".export-tasks"]


def test_of_many_logs_one_claims_the_place(results: LocalResults) -> None:
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


def test_a_file_in_the_folders_place_is_said_in_words_without_a_path(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    results = LocalResults(tmp_path / "results")
    source = tmp_path / "source"
    source.touch()
    for call in (
        lambda: results.put(KEY, source),
        lambda: results.open(KEY),
        lambda: list(results.list()),
        lambda: results.delete(KEY),
        lambda: results.claim("log"),
        results.marker,
        lambda: hash_file(results.spool(KEY)),
    ):
        with pytest.raises(ResultsFailed) as failed:
            call()
        assert str(failed.value) == "the place of the results is not a folder"
        assert failed.value.passing
    assert source.exists()


def test_a_folder_that_may_not_be_written_to_is_said_in_words(results: LocalResults) -> None:
    put(results, KEY)
    results.folder.chmod(0o500)
    if os.access(results.folder, os.W_OK):
        pytest.skip("nothing is forbidden to root")
    try:
        with pytest.raises(ResultsFailed, match="may not be written to") as failed:
            put(results, result_key(OTHER_TASK, 1, "abc", ".xls"))
    finally:
        results.folder.chmod(0o700)
    assert failed.value.passing


def test_a_full_disk_passes() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no device that is always full")
    with (
        pytest.raises(ResultsFailed, match="no room left") as failed,
        storing(),
        full.open("wb", buffering=0) as file,
    ):
        file.write(b"x")
    assert failed.value.passing


def test_a_name_that_is_too_long_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(ResultsFailed, match="ENAMETOOLONG") as failed, storing():
        (tmp_path / ("x" * 1_000)).touch()
    assert not failed.value.passing


def test_a_files_size_and_hash_are_those_of_its_bytes(tmp_path: Path) -> None:
    whole = os.urandom(1_000_000)
    (tmp_path / "file").write_bytes(whole)
    assert hash_file(tmp_path / "file") == (len(whole), hashlib.sha256(whole).hexdigest())
