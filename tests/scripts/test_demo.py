"""`demo`: the whole main job as one real process."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from scripts.group import command_line


def demo(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        command_line("demo", "--rows", "2000", "--folder", str(folder), *arguments),
        env={**os.environ, "HOME": str(folder.parent / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=250)
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


def check_the_tale(out: str) -> None:
    assert "2,000 rows on 1 sheets, all equal" in out
    assert "task.completed" in out
    assert "downloads.granted" in out
    assert len(out.partition("To go on:")[2].strip().splitlines()) == 3


def test_two_run_at_the_same_time_in_two_folders_and_one_again_at_once(tmp_path):
    both = [demo(tmp_path / "one"), demo(tmp_path / "two")]
    for code, out, err in map(ended, both):
        assert (code, err) == (0, "")
        check_the_tale(out)
    code, out, err = ended(demo(tmp_path / "one"))
    assert (code, err) == (0, "")
    check_the_tale(out)
    assert services_of(tmp_path / "one") == []
    assert {each.name for each in tmp_path.iterdir()} == {"one", "two"}  # nor is a home touched


def test_with_json_the_tale_is_beside_and_the_result_is_one_document(tmp_path):
    code, out, err = ended(demo(tmp_path / "one", "--json"))
    made = json.loads(out)
    assert (code, made["rows"], made["home"]) == (0, 2000, str(tmp_path / "one"))
    assert made["export_task_id"] in err
    check_the_tale(err)


def test_a_folder_that_is_not_the_demos_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "precious").touch()
    code, out, err = ended(demo(tmp_path))
    assert (code, out) == (1, "")
    assert "not the demo's own" in err
    assert [each.name for each in tmp_path.iterdir()] == ["precious"]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path):
    """A test that fails leaves no process of its demo behind."""
    yield
    for each in Path("/proc").glob("[0-9]*"):
        if f"={tmp_path}/".encode() in environment_of(each):
            os.kill(int(each.name), signal.SIGKILL)


def kept(folder: Path) -> subprocess.Popen:
    """A demo whose service goes on."""
    process = demo(folder, "--keep")
    assert any("Ctrl-C ends it" in line for line in process.stdout)
    return process


def test_a_demo_that_is_kept_has_its_folder_alone_and_stops_everything_at_ctrl_c(tmp_path):
    first = kept(tmp_path / "demo")
    assert len(services_of(tmp_path / "demo")) == 4
    code, _, err = ended(demo(tmp_path / "demo"))
    assert code == 1
    assert "Another demo runs" in err
    first.send_signal(signal.SIGINT)
    assert ended(first)[0] == 0
    assert services_of(tmp_path / "demo") == []


def test_a_demo_that_is_terminated_in_its_middle_stops_what_it_started(tmp_path):
    process = demo(tmp_path / "demo")
    assert any("The service:" in line for line in process.stdout)
    process.terminate()
    assert ended(process)[0] == 130
    assert services_of(tmp_path / "demo") == []
