"""`export download`: whole or not at all, over connections that break and files that change."""

from __future__ import annotations

import fcntl
import json
import math
import signal
import subprocess
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import xlrd

from tests.client import client_of, serving, started
from tests.cut_short import CutShort
from tests.installation import Installation
from tests.invoked import invoke, refused, told
from tests.service import Home, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.client import Given

ROWS = 20_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with serving(tmp_path_factory.mktemp("download")) as home:
        yield home


@pytest.fixture(scope="module")
def user(home: Home) -> Given:
    return client_of(home, home.services[0].endpoint)


@pytest.fixture(scope="module")
def batch(home: Home) -> str:
    return home.batch(ROWS)


@pytest.fixture
def another(home: Home) -> str:
    """A batch task of the test's own: new exports of it replace no other test's file."""
    return home.batch(ROWS)


@pytest.fixture(scope="module")
def task(user: Given, batch: str) -> str:
    """An export task whose file is there."""
    return exported(user, batch)


@pytest.fixture(scope="module")
def content(home: Home, task: str) -> bytes:
    """What a download of it gives."""
    return Installation(home).file(task).read_bytes()


@pytest.fixture
def wire(home: Home) -> Iterator[CutShort]:
    wire = CutShort(int(home.services[0].endpoint.rpartition(":")[2]))
    yield wire
    wire.close()


def exported(user: Given, batch: str) -> str:
    """A new task's id, once it succeeded."""
    lines = invoke(user, "export", "create", batch, "--wait", "--json").stdout.splitlines()
    return json.loads(lines[-1])["export_task_id"]


def over(wire: CutShort, user: Given) -> Given:
    return user | {"EXPORT_TASKS_ENDPOINT": f"http://127.0.0.1:{wire.port}"}


def part_of(target: Path, content: bytes) -> Path:
    return target.with_name(f"{target.name}.{sha256(content).hexdigest()[:12]}.part")


def grants(home: Home) -> int:
    return home.run("event", "list").count("downloads.granted")


def test_a_download_is_the_file_under_the_services_name(user, task, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = told(user, "export", "download", task)
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == content
    assert shown == {
        "file": file.name,
        "size": len(content),
        "sha256": sha256(content).hexdigest(),
        "export_task_id": shown["export_task_id"],
    }
    assert file.name.startswith(shown["export_task_id"])


def test_a_file_that_is_there_already_costs_no_download(user, home, task, content, tmp_path):
    target = tmp_path / "x.xls"
    invoke(user, "export", "download", task, "-o", str(target))
    before = grants(home)
    assert "there already" in invoke(user, "export", "download", task, "-o", str(target)).stderr
    assert grants(home) == before
    target.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    invoke(user, "export", "download", task, "-o", str(target))
    assert target.read_bytes() == content
    assert grants(home) == before + 1


def test_a_download_goes_to_stdout_with_nothing_else(user, task, content):
    done = invoke(user, "export", "download", task, "-o", "-")
    assert done.stdout_bytes == content
    assert done.stderr == ""


def test_a_new_export_goes_to_stdout_with_nothing_else(user, another, tmp_path):
    done = invoke(user, "export", "create", another, "--download", "-o", "-")
    (tmp_path / "x.xls").write_bytes(done.stdout_bytes)
    assert xlrd.open_workbook(tmp_path / "x.xls").sheet_by_name("details").nrows == ROWS + 1
    assert "Success" in done.stderr


def test_a_connection_that_breaks_is_gone_on_with_for_the_same_grant(
    user, home, wire, task, content, tmp_path
):
    before = grants(home)
    wire.left = len(content) // 2
    invoke(over(wire, user), "export", "download", task, "-o", str(tmp_path / "x.xls"))
    assert wire.cuts == 1
    assert [each.name for each in tmp_path.iterdir()] == ["x.xls"]
    assert (tmp_path / "x.xls").read_bytes() == content
    assert grants(home) == before + 1


def test_stdout_gets_each_byte_once_over_a_connection_that_breaks(user, wire, task, content):
    wire.left = len(content) // 2
    done = invoke(over(wire, user), "export", "download", task, "-o", "-")
    assert (wire.cuts, done.stdout_bytes == content) == (1, True)


def test_a_second_run_goes_on_where_one_that_was_killed_stopped(
    user, home, wire, task, content, tmp_path
):
    target = tmp_path / "x.xls"
    before = grants(home)
    wire.slow = True
    running = started(over(wire, user), "export", "download", task, "-o", str(target))
    part = part_of(target, content)
    eventually(lambda: part.exists() and part.stat().st_size)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert 0 < part.stat().st_size < len(content)
    assert not target.exists()
    home.run("limits", "set", "--download-interval", "10m")
    done = invoke(user, "export", "download", task, "-o", str(target))
    assert "Going on at byte" in done.stderr
    assert target.read_bytes() == content
    assert not part.exists()
    assert grants(home) == before + 1
    home.run("limits", "set", "--download-interval", "0")


def test_ctrl_c_keeps_what_came(user, wire, task, content, tmp_path):
    target = tmp_path / "x.xls"
    wire.slow = True
    running = started(over(wire, user), "export", "download", task, "-o", str(target))
    part = part_of(target, content)
    eventually(lambda: part.exists() and part.stat().st_size)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate()
    assert running.returncode == 130
    assert err.strip() == f"To go on: export-tasks export download {task}"
    assert part.stat().st_size
    assert not target.exists()


def test_what_came_wrong_never_gets_the_name(user, task, content, tmp_path):
    target = tmp_path / "x.xls"
    target.write_bytes(b"what was there before")
    part_of(target, content).write_bytes(b"not the beginning")
    line = refused(user, "export", "download", task, "-o", str(target))
    assert "SHA-256 is another" in line
    assert [each.name for each in tmp_path.iterdir()] == ["x.xls"]
    assert target.read_bytes() == b"what was there before"


@pytest.mark.parametrize("more", [0, 1], ids=["as long as the file", "longer"])
def test_a_part_that_is_no_beginning_of_it_is_no_trap(user, task, content, tmp_path, more):
    target = tmp_path / "x.xls"
    part_of(target, content).write_bytes(content + b"x" * more)
    invoke(user, "export", "download", task, "-o", str(target))
    assert target.read_bytes() == content


def test_a_part_of_an_earlier_file_is_dropped_when_the_newer_one_is_there(user, another, tmp_path):
    target = tmp_path / "x.xls"
    part_of(target, b"an earlier file").write_bytes(b"an ear")
    (tmp_path / "y.xls.0123456789ab.part").write_bytes(b"another one's")
    invoke(user, "export", "create", another, "--download", "-o", str(target))
    assert {each.name for each in tmp_path.iterdir()} == {"x.xls", "y.xls.0123456789ab.part"}


def test_a_file_that_is_replaced_midway_is_never_mixed(user, home, wire, another, tmp_path):
    task, target = exported(user, another), tmp_path / "x.xls"
    wire.left, wire.then = 200_000, lambda: exported(user, another)
    done = invoke(over(wire, user), "export", "download", task, "-o", str(target))
    assert "replaced by a newer one" in done.stderr
    assert target.read_bytes() == Installation(home).file(task).read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["x.xls"]
    wire.left, wire.then = 200_000, lambda: exported(user, another)
    assert "not whole" in refused(over(wire, user), "export", "download", task, "-o", "-")


@pytest.mark.parametrize("damage", ["gone", "shorter"])
def test_a_file_that_is_lost_is_told_at_once_and_asked_for_no_more(
    user, home, another, tmp_path, damage
):
    task = exported(user, another)
    file = Installation(home).file(task)
    file.unlink() if damage == "gone" else file.write_bytes(b"some")
    for target in (str(tmp_path / "x.xls"), "-"):
        line = refused(user, "export", "download", task, "-o", target)
        assert "lost or damaged" in line
        assert line.endswith("Another export makes a new one: export-tasks export create")
    assert list(tmp_path.iterdir()) == []
    told = [line for line in home.services[0].records() if f"of task {task} " in line["message"]]
    assert [line["level"] for line in told] == ["error"] * 4, "of each command, two"


def test_a_part_that_another_download_writes_to_is_left_alone(user, task, content, tmp_path):
    target = tmp_path / "x.xls"
    with part_of(target, content).open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        line = refused(user, "export", "download", task, "-o", str(target))
    assert "Another download writes to" in line
    assert not target.exists()


def test_too_soon_is_told_with_the_seconds_and_waited_for_where_asked(user, home, task, tmp_path):
    began = monotonic()
    invoke(user, "export", "download", task, "-o", str(tmp_path / "x.xls"))
    home.run("limits", "set", "--download-interval", "10m")
    line = refused(user, "export", "download", task, "-o", str(tmp_path / "y.xls"))
    assert "IOTDA.014704" in line
    assert "--wait" in line
    assert [each.name for each in tmp_path.iterdir()] == ["x.xls"]
    interval = str(math.ceil(monotonic() - began) + 3)
    home.run("limits", "set", "--download-interval", interval)
    done = invoke(user, "export", "download", task, "-o", str(tmp_path / "y.xls"), "--wait")
    assert "waiting" in done.stderr
    assert (tmp_path / "y.xls").read_bytes() == (tmp_path / "x.xls").read_bytes()
    home.run("limits", "set", "--download-interval", "0")


def test_a_task_without_a_file_says_why_and_what_to_do(user, home):
    invoke(user, "export", "create", "abc", "--wait", exit_code=1)
    (failed,) = told(user, "export", "list", "--batch-task", "abc")
    line = refused(user, "export", "download", failed["export_task_id"])
    assert f"is Failed: there is no file. See: export-tasks export show {failed['export_task_id']}"\
        in line  # fmt: skip
    assert "IOTDA.014702" in refused(user, "export", "download", "0" * 24)


@pytest.mark.parametrize("name", ["nowhere/x.xls", "nowhere/"])
def test_a_folder_that_is_not_there_is_told_before_anything_is_asked_for(
    user, home, task, tmp_path, name
):
    before = home.run("event", "list", "--json")
    for command in (("create", "abc", "--download"), ("download", task)):
        line = refused(user, "export", *command, "-o", f"{tmp_path}/{name}")
        assert line == (
            f"export-tasks: --output {tmp_path}/{name}: there is no folder {tmp_path}/nowhere."
        )
    assert home.run("event", "list", "--json") == before
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_in_one_line(user, task):
    done = started(user, "export", "download", task, "-o", "-", stdout=subprocess.DEVNULL)
    assert (done.wait(60), done.communicate()[1]) == (0, "")
    with Path("/dev/full").open("wb") as full:
        done = started(user, "export", "download", task, "-o", "-", stdout=full)
        (line,) = done.communicate()[1].splitlines()
    assert (done.returncode, "No space left on device" in line) == (1, True)
