"""While results are held, nothing of them is deleted; a hold ends with its holder."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter import hold as module
from exporter.disk import ResultsFailed
from exporter.hold import Hold
from exporter.results import HOLD, LocalResults, ResultsHeld
from exporter.sweeper import Swept
from tests.exporter.test_sweeper import completed, put, sweep

if TYPE_CHECKING:
    from tests.workshop import Workshop

ROOT = Path(__file__).parents[2]
KEY = "0" * 24 + "/1-00.xls"


def stored(results: LocalResults) -> Path:
    spool = results.spool(KEY)
    spool.write_bytes(b"book")
    results.put(KEY, spool)
    return Path(results.where(KEY))


def test_a_held_result_is_not_deleted_and_one_that_is_let_go_is(tmp_path: Path) -> None:
    results = LocalResults(tmp_path / "results")
    path = stored(results)
    with results.hold():
        with pytest.raises(ResultsHeld):
            LocalResults(tmp_path / "results").delete(KEY)
        assert path.exists()
    results.delete(KEY)
    assert not path.exists()


def test_spools_are_no_part_of_a_hold(tmp_path: Path) -> None:
    results = LocalResults(tmp_path)
    results.spool(KEY).touch()
    with results.hold():
        results.delete(KEY, spool=True)
    assert list(results.list()) == []


def test_a_hold_of_no_folder_makes_it_and_its_file_is_no_result(tmp_path: Path) -> None:
    results = LocalResults(tmp_path / "results")
    with results.hold():
        assert (tmp_path / "results" / HOLD).stat().st_mode & 0o777 == 0o600
        assert list(results.list()) == []


def test_any_number_hold_at_once_and_the_last_one_counts(tmp_path: Path) -> None:
    first, second = Hold(tmp_path / HOLD), Hold(tmp_path / HOLD)
    with first.held():
        with second.held():
            assert first.is_held()
        assert second.is_held()
    assert not first.is_held()


def test_a_hold_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from time import sleep; from exporter.hold import Hold\n"
        f"with Hold(Path({str(tmp_path / HOLD)!r})).held(): print('held', flush=True); sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        assert Hold(tmp_path / HOLD).is_held()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert not Hold(tmp_path / HOLD).is_held()


def test_one_who_stands_still_while_looking_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOLD_SECONDS", 0.05)
    with (tmp_path / HOLD).open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        with pytest.raises(ResultsFailed, match="stands still"), Hold(tmp_path / HOLD).held():
            pass


def test_the_sweeper_keeps_what_is_dead_until_a_backup_has_ended(shop: Workshop) -> None:
    task = completed(shop)
    key = put(shop, task, 1, "02")
    with shop.results.hold():
        assert sweep(shop) == Swept(deleted=0, kept=2, unknown=0)
    assert key in shop.files()
    assert sweep(shop) == Swept(deleted=1, kept=1, unknown=0)
    assert key not in shop.files()
