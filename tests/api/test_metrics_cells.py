"""Numbers of several processes: each has a file of its own, and none is lost with its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from api.metrics.cells import Cells, all_cells, totals

ROOT = Path(__file__).parents[2]
KEYS = ["one", "two"]
COUNTING = """
import sys
from pathlib import Path
from api.metrics.cells import Cells
cells = Cells.claim(Path(sys.argv[1]), "api", ["one", "two"])
cells.numbers[0] += 5
print(cells.number, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "metrics"


@pytest.fixture
def process(folder):
    """Starts a process that counts five, and says with which file."""
    started = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", COUNTING, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_what_is_counted_is_there_for_all_at_once(folder):
    cells = Cells.claim(folder, "api", KEYS)
    cells.numbers[1] += 2.5
    assert totals(folder, "api", KEYS) == [0, 2.5]
    cells.close()


def test_processes_have_files_of_their_own_and_are_added_up(folder, process):
    numbers = {process().stdout.readline() for _ in range(3)}
    assert numbers == {"1\n", "2\n", "3\n"}
    assert totals(folder, "api", KEYS) == [15, 0]
    assert [each.live for each in all_cells(folder, "api", KEYS)] == [True] * 3


def test_what_a_killed_process_counted_stays_and_the_next_goes_on_with_it(folder, process):
    killed = process()
    assert killed.stdout.readline() == "1\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    (stood,) = all_cells(folder, "api", KEYS)
    assert (stood.live, stood.numbers) == (False, [5, 0])
    assert process().stdout.readline() == "1\n"
    assert totals(folder, "api", KEYS) == [10, 0]


def test_a_closed_one_leaves_its_file_and_counts_for_nobody(folder):
    cells = Cells.claim(folder, "api", KEYS)
    cells.numbers[0] = 7
    cells.close()
    cells.numbers[0] += 1
    assert totals(folder, "api", KEYS) == [7, 0]
    assert Cells.claim(folder, "api", KEYS).number == 1


def test_kinds_are_counted_apart(folder):
    api, other = Cells.claim(folder, "api", KEYS), Cells.claim(folder, "keeper", KEYS)
    api.numbers[0] = 1
    assert (totals(folder, "api", KEYS), totals(folder, "keeper", KEYS)) == ([1, 0], [0, 0])
    assert (api.number, other.number) == (1, 1)


def test_another_versions_files_go_when_nobody_has_them(folder):
    old = Cells.claim(folder, "api", ["former"])
    running = Cells.claim(folder, "api", ["former"])
    foreign = folder / "api-notes"
    foreign.touch()
    old.close()
    new = Cells.claim(folder, "api", KEYS)
    assert len(list(folder.glob("api-*-1"))) == len(list(folder.glob("api-*-2"))) == 1
    assert foreign.exists()
    assert [each.number for each in all_cells(folder, "api", ["former"])] == [running.number] == [2]
    assert totals(folder, "api", KEYS) == [0, 0]
    new.close()


def test_files_are_for_their_owner_alone(folder):
    Cells.claim(folder, "api", KEYS)
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.stat().st_mode & 0o077 for path in folder.iterdir()] == [0]


def test_where_there_can_be_no_file_the_process_counts_for_itself(tmp_path, caplog):
    (tmp_path / "metrics").write_text("no folder")
    cells = Cells.claim(tmp_path / "metrics", "api", KEYS)
    cells.numbers[0] += 1
    assert "not counted" in caplog.text
    assert totals(tmp_path / "metrics", "api", KEYS) == [0, 0]
    cells.close()


def test_a_file_that_is_no_whole_one_is_passed_over(folder):
    cells = Cells.claim(folder, "api", KEYS)
    cells.numbers[0] = 3
    (path,) = folder.iterdir()
    path.with_name(path.name[:-1] + "2").touch()
    assert totals(folder, "api", KEYS) == [3, 0]
