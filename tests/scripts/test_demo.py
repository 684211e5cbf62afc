"""`demo`: the whole main job as one real process."""

import signal
import subprocess
from pathlib import Path
from time import monotonic, sleep

import pytest

from scripts.group import command_line


def demo(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        command_line("demo", "--rows", "2000", "--folder", str(folder), *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def services_of(folder: Path) -> list[int]:
    return [
        int(each.name)
        for each in Path("/proc").glob("[0-9]*")
        if f"EXPORT_TASKS_HOME={folder}\0".encode() in environment_of(each)
    ]


def environment_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def test_it_runs_twice_in_one_folder_and_leaves_nothing_running(tmp_path):
    for _ in range(2):
        code, out, err = ended(demo(tmp_path / "demo"))
        assert (code, err) == (0, "")
        assert "2,000 rows on 1 sheets, all equal" in out
        assert "task.completed" in out
        assert len(out.partition("To go on:")[2].strip().splitlines()) == 3
        assert services_of(tmp_path / "demo") == []


def test_two_run_at_the_same_time_in_two_folders(tmp_path):
    both = [demo(tmp_path / "one"), demo(tmp_path / "two")]
    assert [ended(each)[0] for each in both] == [0, 0]


def test_a_folder_that_is_not_the_demos_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "precious").touch()
    code, out, err = ended(demo(tmp_path))
    assert (code, out) == (1, "")
    assert "not the demo's own" in err
    assert [each.name for each in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_it_started_is_stopped_when_it_is_interrupted(tmp_path, number):
    process = demo(tmp_path / "demo", "--keep")
    until = monotonic() + 60
    for line in process.stdout:
        if "Ctrl-C ends it" in line:
            break
        assert monotonic() < until
    assert len(services_of(tmp_path / "demo")) > 1
    process.send_signal(number)
    assert ended(process)[0] == 0
    sleep(0.2)
    assert services_of(tmp_path / "demo") == []


def test_a_second_demo_in_a_folder_in_use_is_refused(tmp_path):
    first = demo(tmp_path / "demo", "--keep")
    for line in first.stdout:
        if "Ctrl-C ends it" in line:
            break
    code, _, err = ended(demo(tmp_path / "demo"))
    assert code == 1
    assert "Another demo runs" in err
    first.send_signal(signal.SIGINT)
    assert ended(first)[0] == 0
