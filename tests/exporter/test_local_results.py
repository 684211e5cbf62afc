"""Result files on the local disk: what a loss of power leaves, whose they are, its faults."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.disk import replace, storing
from exporter.results import (
    LocalResults,
    ResultExists,
    ResultsFailed,
    hash_file,
    result_key,
)
from tests.places import content, put

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


def test_results_and_their_folders_are_private(results: LocalResults) -> None:
    source = results.spool(KEY)
    source.write_bytes(b"bytes")
    source.chmod(0o644)
    results.put(KEY, source)
    modes = {path.stat().st_mode & 0o777 for path in results.folder.rglob("*") if path.is_file()}
    folders = [results.folder.parent, results.folder, source.parent]
    assert modes == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


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


@pytest.fixture(params=["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK"])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk where a file has one name alone; between two disks it is told that first."""
    number = getattr(errno, request.param)

    def refuse(source: Path, final: Path, **_: object) -> None:
        afar = Path(source).stat().st_dev != Path(final).parent.stat().st_dev
        raise OSError(errno.EXDEV if afar else number, "no link")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_links")
def test_where_a_file_has_one_name_alone_it_is_put_and_nothing_is_overwritten(
    results: LocalResults, disk: Disk, afar: Path
) -> None:
    whole = os.urandom(1_000_000)
    afar.write_bytes(whole)
    keys = KEY, result_key(TASK, 2, "abc", ".xls")
    put(results, keys[0], whole)
    results.put(keys[1], afar)
    for key in keys:
        path = Path(results.where(key))
        assert disk.after_a_loss_of_power(path) == disk.named[path.name] == whole
        with pytest.raises(ResultExists):
            put(results, key, b"another")
        assert content(results, key) == whole
    assert not afar.exists()


@pytest.mark.usefixtures("no_links")
def test_a_name_that_was_taken_for_a_file_that_does_not_come_is_free_again(
    results: LocalResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(ResultsFailed, match="failed"):
            put(results, KEY)
    put(results, KEY)
    assert content(results, KEY) == b"content"


@pytest.mark.usefixtures("no_links")
def test_where_a_file_has_one_name_alone_all_who_claim_a_place_at_a_time_find_the_whole_marker(
    results: LocalResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, taken, looked = os.replace, threading.Event(), threading.Event()

    def hold_up(*names: Path) -> None:
        taken.set()
        looked.wait(10)
        replace(*names)

    def look(path: Path) -> bool:
        looked.set()
        return os.path.exists(path)  # noqa: PTH110 (the method is the one that is replaced)

    monkeypatch.setattr(os, "replace", hold_up)
    monkeypatch.setattr(Path, "exists", look)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(results.claim, "ours")
        taken.wait(10)
        second = threads.submit(results.claim, "ours")
        assert [first.result(), second.result()] == [None, None]
    assert results.marker() == "ours"


def test_a_result_that_shrank_is_damage_not_an_end(results: LocalResults) -> None:
    put(results, KEY, b"x" * 100)
    with results.open(KEY) as result:
        os.truncate(results.folder / KEY.replace("/", "-"), 50)
        with pytest.raises(ResultsFailed, match="shorter") as failed:
            list(result.read_range(0, 100))
    assert not failed.value.passing


def test_files_that_go_while_the_place_is_listed_are_left_out(results: LocalResults) -> None:
    keys = [result_key(TASK, attempt, "a", ".xls") for attempt in (1, 2, 3)]
    for key in keys:
        put(results, key)
    listing = results.list()
    first = next(listing)
    results.delete(keys[1])
    assert [listed.key for listed in (first, *listing)] == [keys[0], keys[2]]


def test_what_takes_the_place_of_a_file_outlives_a_loss_of_power(
    disk: Disk, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    for written in (b"before", b"after"):
        replace(path, written)
        assert disk.after_a_loss_of_power(path) == written


def test_a_claim_outlives_a_loss_of_power(results: LocalResults, disk: Disk) -> None:
    results.claim("log-1")
    assert disk.named == {".export-tasks": b"log-1"}
    assert disk.after_a_loss_of_power(results.folder / ".export-tasks") == b"log-1"


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
