"""The local source: batch tasks imported, run on, made up, listed and removed."""

from __future__ import annotations

import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.sources import DETAIL_STATUSES, SourceFailed, open_source
from exporter.sources.batches import MAX_GENERATED, PROGRESS_ROWS, Batches, BatchRefused
from exporter.sources.embedded import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.sources import Detail

ROOT = Path(__file__).parents[2]
TASK = b'{"task_name":"n","task_type":"createCommands"}\n'
OK = b'{"target":"d","status":"Success"}\n'


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new folder/source.sqlite"


@pytest.fixture
def batches(url: str) -> Iterator[Batches]:
    ids = (f"{number:024x}" for number in range(1, 100))
    moment = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    with Batches(url, now=lambda: moment, new_id=lambda _: next(ids)) as opened:
        yield opened


def rows_of(url: str, task_id: str) -> list[Detail]:
    return [row for page in open_source(url).pages(task_id) for row in page]


def imported(batches: Batches, *lines: bytes) -> str:
    return batches.import_([TASK, *lines], project_id="p")


def test_json_lines_are_a_batch_task_and_its_details_in_order(batches: Batches, url: str) -> None:
    file = io.BytesIO(
        b'\xef\xbb\xbf{"task_id":"a1","task_name":"n","task_type":"t","status":"Stopping",'
        b'"create_time":"20260102T030405Z","app_id":"app",'
        b'"task_progress":{"total":9,"fail_wait_retry":1}}\r\n'
        b'{"target":"d2","status":"Fail","output":"=1+1",'
        b'"error":{"error_code":"IOTDA.014016","error_msg":"\xe4\xb8\xad"}}\n'
        b"\n"
        b'{"target":"d1","status":"Waitting","output":"\\u0000\\ud83d\\ude00","error":null}'
    )
    assert batches.import_(file, project_id="p") == "a1"
    task = open_source(url).find("p", "a1", "app")
    assert task == batches.show("a1").task
    assert task
    assert (task.task_name, task.task_type, task.status) == ("n", "t", "Stopping")
    assert (task.create_time, task.total) == ("2026-01-02T03:04:05.000Z", 2)
    assert rows_of(url, "a1") == [
        ("d2", "Fail", "=1+1", "IOTDA.014016", "中"),
        ("d1", "Waitting", "\0😀", None, None),
    ]


def test_csv_has_a_header_and_empty_cells(batches: Batches, tmp_path: Path, url: str) -> None:
    file = tmp_path / "rollout 7.csv"
    file.write_bytes(
        b"\xef\xbb\xbfstatus,target,output,error_msg,error_code\r\n"
        b'Success,0042,"a ""quoted""\r\nanswer",,\r\n'
        b"\r\n"
        b"Fail,-5,,offline,IOTDA.014016\r\n"
    )
    with file.open("rb") as lines:
        task_id = batches.import_(lines, project_id="p", app_id="app", format="csv")
    task = batches.show(task_id).task
    assert (task.task_name, task.task_type, task.app_id) == ("rollout 7", "unknown", "app")
    assert (task.status, task.create_time) == ("PartialSuccess", "2026-01-31T23:59:59.000Z")
    assert rows_of(url, task_id) == [
        ("0042", "Success", 'a "quoted"\r\nanswer', None, None),
        ("-5", "Fail", None, "IOTDA.014016", "offline"),
    ]


def test_what_a_file_leaves_out_can_be_said_beside_it(batches: Batches) -> None:
    batches.import_(
        [b"target,status\n"],
        project_id="p",
        format="csv",
        task_id="b2",
        task_name="x",
        task_type="t",
        status="Stopped",
    )
    task = batches.show("b2").task
    assert (task.task_name, task.task_type, task.status, task.total) == ("x", "t", "Stopped", 0)
    batches.import_([TASK], project_id="p", task_id="b3", task_name="y")
    assert batches.show("b3").task.task_name == "n"
    unnamed = batches.import_([b"target,status\n"], project_id="p", format="csv")
    assert batches.show(unnamed).task.task_name == "imported"


TWICE = b'{"target":"d","status":"Success","target":"e"}'
NESTED_TWICE = b'{"target":"d","status":"Fail","error":{"error_msg":"a","error_msg":"b"}}'
ESCAPED_TWICE = b'{"target":"d","status":"Success","\\u0074arget":"e"}'
LONG = b"x" * 131_072


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"status":"Success"}', ["target"]),
        (b'{"target":"d"}', ["status"]),
        (b'{"target":"","status":"Success"}', ["'target'"]),
        (b'{"target":null,"status":"Success"}', ["'target'"]),
        (b'{"target":7,"status":"Success"}', ["'target'", "int"]),
        (b'{"target":"' + b"d" * 129 + b'","status":"Success"}', ["'target'", "128"]),
        (b'{"target":"d","status":"success"}', ["'status'", "success", "FailWaitRetry"]),
        (b'{"target":"d","status":"PartialSuccess"}', ["'status'", "Removed"]),
        (b'{"target":"d","status":"Success","output":{}}', ["'output'"]),
        (b'{"target":"d","status":"Success","output":"' + LONG + b'x"}', ["'output'", "131072"]),
        (b'{"target":"d","status":"Success","seq":1}', ["unknown field `seq`"]),
        (b'{"target":"d","status":"Success","error":"x"}', ["'error'"]),
        (b'{"target":"d","status":"Fail","error":{"code":"x"}}', ["'error'", "`code`"]),
        (b'{"target":"d","status":"Fail","error":{"error_code":5}}', ["'error.error_code'"]),
        (TWICE, ["'target'", "twice"]),
        (NESTED_TWICE, ["'error_msg'", "twice"]),
        (ESCAPED_TWICE, ["'target'", "twice"]),
        (b'{"target":"d\xff","status":"Success"}', ["UTF-8"]),
        (b'{"target":"\xed\xa0\x80","status":"Success"}', ["UTF-8"]),
        (b'{"target":"d","status":"\\ud800"}', ["'status'", "Removed"]),
        (b'{"target":"\\ud800","status":"Success"', ["not JSON"]),
        (b'{"target":"' + b"\\udc00" * 129 + b'","status":"Success"}', ["'target'", "128"]),
        (b'{"target":"d","status":"Success","\\ud83d":1}', ["unknown field"]),
        (b'{"target":"d\\ud83d","status":"Success","target":"e"}', ["'target'", "twice"]),
        (b'{"target":"d","status":"Succ', ["not JSON"]),
        (b"[" * 10_000, ["array"]),
        (b'{"target":"d","status":"Success","output":' + b"[" * 10_000, ["'output'"]),
        (b'{"x":' * 10_000, ["unknown field"]),
        (b'"text"', ["object"]),
    ],
)
def test_a_wrong_detail_is_refused_by_line_and_field_and_nothing_is_kept(
    batches: Batches, line: bytes, words: list[str]
) -> None:
    with pytest.raises(BatchRefused) as refused:
        imported(batches, OK, b"\n", line)
    assert str(refused.value).startswith("line 4")
    assert len(str(refused.value)) < 1_000
    for word in words:
        assert word in str(refused.value)
    assert batches.list() == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", ["missing"]),
        (b'{"task_type":"t"}', ["task_name"]),
        (b'{"task_name":""}', ["'task_name'"]),
        (b'{"task_name":"' + b"n" * 129 + b'"}', ["'task_name'", "128"]),
        (b'{"task_name":"n","task_id":""}', ["'task_id'"]),
        (b'{"task_name":"n","task_id":"' + b"a" * 25 + b'"}', ["'task_id'"]),
        (b'{"task_name":"n","task_id":"A1"}', ["'task_id'"]),
        (b'{"task_name":"n","task_id":"a1\\n"}', ["'task_id'"]),
        (b'{"task_name":"n","task_id":"a\\ud83d"}', ["'task_id'"]),
        (b'{"task_name":"n","status":"Done"}', ["'status'", "Done", "Initializing"]),
        (b'{"task_name":"n","create_time":"soon"}', ["create_time", "soon"]),
        (b'{"task_name":"n","task_progress":{"done":1}}', ["'task_progress'", "done"]),
        (b'{"task_name":"n","task_progress":{"total":-1}}', ["'task_progress.total'"]),
        (b'{"task_name":"n","app_id":"a b"}', ["'app_id'"]),
        (b'{"task_name":"n","task_name":"m"}', ["'task_name'", "twice"]),
        (b'{"target":"d","status":"Success"}', ["the batch task", "target"]),
        (b"task_name", ["not JSON"]),
    ],
)
def test_a_wrong_batch_task_is_refused_by_field(
    batches: Batches, line: bytes, words: list[str]
) -> None:
    with pytest.raises(BatchRefused) as refused:
        batches.import_(io.BytesIO(line), project_id="p")
    assert str(refused.value).startswith("line 1 (the batch task)")
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", ["line 1", "'target'", "target,status,output,error_code,error_msg"]),
        (b"target,output\n", ["line 1", "'status'"]),
        (b"target,status,error\n", ["line 1", "unknown column 'error'"]),
        (b"target,status,target\n", ["line 1", "'target'", "twice"]),
        (b"target;status\n", ["line 1", "unknown column"]),
        (b'target,status\nd,Success\n"a\nb",Success,x\n', ["line 3", "3 fields", "has 2"]),
        (b"target,status\nd\n", ["line 2", "1 fields"]),
        (b"target,status\n,Success\n", ["line 2", "'target'"]),
        (b"target,status\nd,\n", ["line 2", "'status'"]),
        (b"target,status\nd,OK\n", ["line 2", "'status'", "OK", "Removed"]),
        (b'target,status\n"d,Success\n', ["line 2", "not CSV"]),
        (b'target,status\n"d"x,Success\n', ["line 2", "not CSV"]),
        (b"target,status,output\nd,Success," + LONG + b"x\n", ["line 2", "131072"]),
        (b"target,status\nd,Success\n\xff,Success\n", ["line 3", "UTF-8"]),
        ("target,status\n".encode("utf-16"), ["line 1", "UTF-8"]),
    ],
)
def test_wrong_csv_is_refused_by_line(batches: Batches, text: bytes, words: list[str]) -> None:
    with pytest.raises(BatchRefused) as refused:
        batches.import_(io.BytesIO(text), project_id="p", format="csv")
    for word in words:
        assert word in str(refused.value)
    assert batches.list() == ()


def test_half_of_a_surrogate_pair_is_kept_for_the_workbook_to_mend(
    batches: Batches, url: str
) -> None:
    task = b'{"task_id":"a1","task_name":"n\\uD83D","status":"Processing"}'
    line = (
        b'{"target":"x\\ud83dy","status":"Fail","output":"\\ude00\\ud83d\\ud83d\\uDE00\\\\ud83d",'
        b'"error":{"error_code":"\\uDE00\\u0041","error_msg":"\xe4\xb8\xad"}}'
    )
    batches.import_([task, line], project_id="p")
    batches.append("a1", [b'{"target":"\\udfff","status":"Success"}'])
    assert rows_of(url, "a1") == [
        ("x\udcffy", "Fail", "\udcff\udcff😀\\ud83d", "\udcffA", "中"),
        ("\udcff", "Success", None, None, None),
    ]
    assert batches.show("a1").task.task_name == "n\ufffd"


def test_everything_at_its_limit_is_taken(batches: Batches, url: str) -> None:
    task = b'{"task_id":"%b","task_name":"%b","task_type":"t"}' % (b"f" * 24, "é".encode() * 128)
    longest = '"' + "\\ud83d\\ude00" * 131_072 + '"'
    line = (
        f'{{"target":"{"d" * 128}","status":"Fail","output":{longest},'
        f'"error":{{"error_code":"{"c" * 128}","error_msg":{longest}}}}}'
    )
    task_id = batches.import_([task, line.encode()], project_id="p" * 64, app_id="a" * 36)
    assert task_id == "f" * 24
    output = "😀" * 131_072
    assert rows_of(url, task_id) == [("d" * 128, "Fail", output, "c" * 128, output)]
    rows = [b"target,status,output\n", b"d,Success," + LONG + b"\n"]
    assert rows_of(url, batches.import_(rows, project_id="p", format="csv"))[0][2] == LONG.decode()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("over", [0, 1])
def test_a_line_is_taken_up_to_its_limit(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, over: int, end: bytes, mark: bytes
) -> None:
    monkeypatch.setattr("exporter.sources.lines.MAX_LINE_BYTES", 100)
    file = io.BytesIO(mark + TASK.strip().ljust(100 + over) + end)
    if over:
        with pytest.raises(BatchRefused, match="line 1: longer than 100 bytes"):
            batches.import_(file, project_id="p")
        assert file.tell() <= 105
    else:
        batches.import_(file, project_id="p")


def test_a_line_that_never_ends_is_refused_before_it_fills_the_memory(batches: Batches) -> None:
    with Path("/dev/zero").open("rb") as endless, pytest.raises(BatchRefused, match="line 1"):
        batches.import_(endless, project_id="p")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"project_id": ""}, "project_id"),
        ({"project_id": "p" * 65}, "project_id"),
        ({"project_id": "p", "app_id": "a" * 37}, "app_id"),
        ({"project_id": "p", "task_id": "xyz"}, "task_id"),
        ({"project_id": "p", "status": "done"}, "status"),
        ({"project_id": "p", "colour": "red"}, "colour"),
        ({"project_id": "p", "format": "xml"}, "xml"),
    ],
)
def test_wrong_arguments_are_refused(
    batches: Batches, arguments: dict[str, str], word: str
) -> None:
    with pytest.raises(BatchRefused, match=word):
        batches.import_([TASK], **arguments)  # type: ignore[arg-type]


def test_the_files_app_and_the_one_given_must_agree(batches: Batches) -> None:
    task = b'{"task_name":"n","app_id":"one"}'
    with pytest.raises(BatchRefused, match="one"):
        batches.import_([task], project_id="p", app_id="two")
    assert batches.show(batches.import_([task], project_id="p", app_id="one")).task.app_id == "one"


def test_an_id_that_exists_is_refused_and_the_first_one_stays(batches: Batches) -> None:
    task_id = imported(batches, OK)
    with pytest.raises(BatchRefused, match="exists already"):
        batches.import_([TASK], project_id="q", task_id=task_id)
    assert batches.show(task_id).task.project_id == "p"
    assert batches.show(task_id).task.total == 1


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([], "Success"),
        (["Success"], "Success"),
        (["Fail", "Fail"], "Fail"),
        (["Stopped"], "Stopped"),
        (["Removed"], "PartialSuccess"),
        (["Success", "Fail"], "PartialSuccess"),
        (["Success", "Waitting"], "Processing"),
        (["Processing"], "Processing"),
        (["FailWaitRetry", "Fail"], "Processing"),
    ],
)
def test_details_tell_the_status_that_nobody_says(
    batches: Batches, statuses: list[str], told: str
) -> None:
    lines = (b'{"target":"d","status":"%b"}' % status.encode() for status in statuses)
    assert batches.show(imported(batches, *lines)).task.status == told


def test_a_batch_task_that_runs_on_is_appended_to_and_finished(batches: Batches, url: str) -> None:
    task_id = batches.import_([TASK, OK], project_id="p", status="Processing")
    told: list[int] = []
    assert batches.append(task_id, [b'{"target":"e","status":"Fail"}'], progress=told.append) == 1
    assert batches.append(task_id, [b"target,status\n", b"f,Success\n"], "csv") == 1
    assert batches.append(task_id, []) == 0
    assert told == [1]
    assert [row[0] for row in rows_of(url, task_id)] == ["d", "e", "f"]
    with pytest.raises(BatchRefused, match="line 2"):
        batches.append(task_id, [OK, b"{}"])
    assert batches.show(task_id).task.total == 3
    assert batches.finish(task_id) == "PartialSuccess"
    assert batches.show(task_id).task.finished
    for change in (lambda: batches.append(task_id, [OK]), lambda: batches.finish(task_id)):
        with pytest.raises(BatchRefused, match="finished"):
            change()


def test_a_batch_task_with_open_details_is_finished_by_name_alone(batches: Batches) -> None:
    task_id = imported(batches, b'{"target":"d","status":"Waitting"}')
    with pytest.raises(BatchRefused, match="name the status"):
        batches.finish(task_id)
    for status in ("Processing", "success", ""):
        with pytest.raises(BatchRefused, match="PartialSuccess"):
            batches.finish(task_id, status)
    assert batches.finish(task_id, "Stopped") == "Stopped"
    assert batches.show(task_id).task.status == "Stopped"


def test_progress_is_told_by_thousands_and_at_the_end(batches: Batches) -> None:
    told: list[int] = []
    batches.import_([TASK, *[OK] * (PROGRESS_ROWS + 1)], project_id="p", progress=told.append)
    assert told == [PROGRESS_ROWS, PROGRESS_ROWS + 1]
    told.clear()
    batches.import_([TASK], project_id="p", progress=told.append)
    assert told == [0]


def test_a_made_up_batch_task_is_finished_and_repeatable(batches: Batches, url: str) -> None:
    first = batches.generate("p", 300, app_id="app", seed=3)
    again = batches.generate("p", 300, seed=3)
    assert rows_of(url, first) == rows_of(url, again)
    report = batches.show(first)
    assert report.task.finished
    assert (report.task.total, report.task.app_id) == (300, "app")
    assert sum(report.by_status.values()) == 300
    assert tuple(report.by_status) == DETAIL_STATUSES
    assert report.by_status["Success"] > 200
    assert batches.show(batches.generate("p", 0)).task.total == 0


@pytest.mark.parametrize("rows", [-1, MAX_GENERATED + 1])
def test_a_number_of_rows_out_of_range_is_refused(batches: Batches, rows: int) -> None:
    with pytest.raises(BatchRefused, match=str(MAX_GENERATED)):
        batches.generate("p", rows)


def test_batch_tasks_are_listed_newest_first(batches: Batches) -> None:
    for task_id, project, day in (("a", "p", 1), ("b", "q", 3), ("c", "p", 2)):
        time = f"2026-01-0{day}T00:00:00Z"
        batches.import_([TASK], project_id=project, task_id=task_id, create_time=time)
    assert [task.task_id for task in batches.list()] == ["b", "c", "a"]
    assert [task.task_id for task in batches.list("p")] == ["c", "a"]
    assert batches.list("r") == ()


def test_a_later_batch_task_has_a_larger_id(url: str) -> None:
    moments = iter(datetime(2026, 1, 31, 23, 59, second, tzinfo=UTC) for second in range(60))
    with Batches(url, now=lambda: next(moments)) as batches:
        ids = [batches.generate("p", 0) for _ in range(5)]
    assert ids == sorted(ids)
    assert all(re.fullmatch("[0-9a-f]{24}", each) for each in ids)


def test_remove_takes_the_details_along_and_nothing_else(batches: Batches, url: str) -> None:
    gone, stays = imported(batches, OK), imported(batches, OK)
    batches.remove(gone)
    assert open_source(url).find("p", gone, None) is None
    assert rows_of(url, gone) == []
    assert batches.show(stays).task.total == 1


def test_a_batch_task_that_is_not_there_is_named(batches: Batches) -> None:
    for change in (
        lambda: batches.show("ff"),
        lambda: batches.remove("ff"),
        lambda: batches.finish("ff"),
        lambda: batches.append("ff", [OK]),
    ):
        with pytest.raises(BatchRefused, match="'ff' does not exist"):
            change()
    with pytest.raises(BatchRefused, match="Unicode"):
        batches.remove("\udcff")


def test_readers_go_on_while_an_import_runs_and_see_none_of_it(batches: Batches, url: str) -> None:
    before = imported(batches, OK)

    def lines() -> Iterator[bytes]:
        yield TASK
        yield from [OK] * 20_000
        source = open_source(url)
        assert source.count(before) == 1
        assert source.find("p", "cc", None) is None
        assert source.count("cc") == 0

    batches.import_(lines(), project_id="p", task_id="cc")
    assert open_source(url).count("cc") == 20_000


def test_an_import_that_breaks_off_leaves_nothing_and_the_next_one_works(
    batches: Batches,
) -> None:
    def lines() -> Iterator[bytes]:
        yield from [TASK, *[OK] * 10_000]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batches.import_(lines(), project_id="p")
    assert batches.list() == ()
    imported(batches, OK)


KILLED = """
import sys
from exporter.sources.batches import Batches
Batches(sys.argv[1]).import_(sys.stdin.buffer, project_id="p", progress=print)
"""


def test_a_killed_import_leaves_nothing_and_the_next_one_works(url: str) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-u", "-c", KILLED, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with killed:
        assert killed.stdin
        assert killed.stdout
        killed.stdin.write(TASK + OK * 100_000)
        killed.stdin.flush()
        while int(killed.stdout.readline()) < 95_000:
            pass
        os.kill(killed.pid, signal.SIGKILL)
    with Batches(url) as batches:
        assert batches.list() == ()
        assert rows_of(url, imported(batches, OK)) == [("d", "Success", None, None, None)]


MEMORY = """
import resource, sys
from exporter.sources import open_source
from exporter.sources.batches import Batches
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = int(sys.argv[2])
def lines():
    yield b'{"task_name":"n"}'
    for number in range(rows):
        yield b'{"target":"%d","status":"Success","output":"%b"}' % (number, b"x" * 200)
with Batches(sys.argv[1]) as batches:
    task_id = batches.import_(lines(), project_id="p")
assert sum(map(len, open_source(sys.argv[1]).pages(task_id))) == rows
print(peak())
"""


def test_memory_does_not_grow_with_the_number_of_details(tmp_path: Path) -> None:
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", MEMORY, f"sqlite:///{tmp_path}/{rows}.sqlite", str(rows)],
                cwd=ROOT,
                check=True,
                capture_output=True,
            ).stdout
        )
        for rows in (5_000, 150_000)
    )
    assert many - few < 8 * 1024


def test_a_database_of_ones_own_is_shown_and_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "own.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE VIEW batch_tasks AS SELECT 'a1' AS task_id, 'p' AS project_id, NULL AS app_id,"
        " 'n' AS task_name, 't' AS task_type, 'Processing' AS status, '2026-01-01' AS create_time;"
        "CREATE TABLE batch_task_details"
        " (task_id, seq, target, status, output, error_code, error_msg);"
    )
    connection.close()
    before = path.read_bytes()
    with Batches(f"sqlite:///{path}") as batches:
        assert [task.task_id for task in batches.list("p")] == ["a1"]
        assert batches.show("a1").task.task_name == "n"
        for change in (
            lambda: imported(batches, OK),
            lambda: batches.append("a1", [OK]),
            lambda: batches.finish("a1", "Success"),
            lambda: batches.generate("p", 1),
            lambda: batches.remove("a1"),
        ):
            with pytest.raises(BatchRefused, match="of your own"):
                change()
    assert path.read_bytes() == before


def test_a_file_of_another_version_takes_no_change(batches: Batches, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "new folder" / "source.sqlite")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(BatchRefused, match="another version"):
        imported(batches, OK)


def test_a_writer_that_does_not_let_go_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.sources.embedded.BUSY_SECONDS", 0.01)
    path = tmp_path / "source.sqlite"
    with Batches(f"sqlite:///{path}") as batches:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BatchRefused, match="try again"):
            imported(batches, OK)
        other.close()
        imported(batches, OK)


def test_a_file_that_is_no_source_and_a_folder_that_cannot_be_made_are_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(BatchRefused, match="not a database"):
        Batches(f"sqlite:///{path}")
    with pytest.raises(BatchRefused, match="folder"):
        Batches(f"sqlite:///{path}/below/source.sqlite")
    with pytest.raises(ValueError, match="sqlite:///PATH"):
        Batches("iotda+https://host")


def test_a_source_taken_away_is_a_refusal_to_the_one_at_the_command_line(
    batches: Batches, tmp_path: Path
) -> None:
    (tmp_path / "new folder" / "source.sqlite").unlink()
    with pytest.raises(BatchRefused, match="not there") as refused:
        batches.list()
    assert isinstance(refused.value.__cause__, SourceFailed)
