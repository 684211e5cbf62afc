"""`replay` and `diff`: every task, quota and file as they were, and what changed in between."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from api.parts import Parts
from scripts.options import POSITION_MOST
from tests.facts import ANN, BEN, NOON, Story

ID = "export_task_id"


@pytest.fixture
def story(command):
    """What Ann and Ben did, a minute between any two doings; each says where the log was then."""
    with Parts() as parts:
        yield Minutes(parts)


class Minutes:
    """A story that stops the clock."""

    def __init__(self, parts: Parts) -> None:
        self.story = Story(parts.log.recorder)
        story = self.story
        self.old = story.create(ANN)
        self.created = self._then()
        story.complete(self.old)
        self.completed = self._then()
        self.new = story.create(ANN)
        story.complete(self.new, rows=20)
        self.again = self._then()
        story.grant(self.new)
        self.bens = story.create(BEN)
        story.delete(self.old)
        self.deleted = self._then()

    def _then(self) -> tuple[int, str]:
        self.story.clock.pass_by(minutes=1)
        return self.story.head(), (self.story.clock.now - timedelta(seconds=1)).isoformat()


def ids(state: dict) -> list[str]:
    return [task[ID] for task in state["tasks"]]


def test_tasks_quotas_and_files_are_as_they_were_at_a_position(command, story):
    position, _ = story.created
    state = command.json("replay", "--position", str(position))
    assert list(state) == ["position", "tasks", "quotas"]
    assert state["position"] == position
    (task,) = state["tasks"]
    assert task == {
        "project_id": "p1",
        "user_id": "ann",
        "export_task_id": story.old.task_id,
        "resource_type": "BatchTask",
        "resource_condition": {"task_id": "5f433ce0c24389024365fdfa"},
        "export_format": "xls",
        "status": "Processing",
        "export_count": 0,
        "progress": 1,
        "create_time": "2026-11-24T12:00:00.000Z",
        "end_time": None,
        "app_type": "GLOBAL",
        "app_id": None,
        "total": None,
        "error_code": None,
        "error_msg": None,
        "attempt": 0,
        "file": None,
    }
    quota = {"project_id": "p1", "user_id": "ann", "kept": 1, "unfinished": 1}
    assert state["quotas"] == [quota | {"last_download": None}]


def test_each_task_has_the_file_that_was_current_for_it(command, story):
    at = [command.json("replay", "--position", str(position)) for position, _ in (
        story.completed, story.again, story.deleted)]  # fmt: skip
    files = [
        {task[ID]: task["file"] and task["file"]["task_id"] for task in s["tasks"]} for s in at
    ]
    old, new, bens = (task.task_id for task in (story.old, story.new, story.bens))
    assert files == [{old: old}, {old: new, new: new}, {new: new, bens: None}]
    assert at[1]["tasks"][1]["file"]["rows"] == 20
    assert {quota["user_id"]: quota["last_download"] for quota in at[2]["quotas"]} == {
        "ann": "2026-11-24T12:03:00.000Z",
        "ben": None,
    }


def test_a_time_is_the_position_that_the_log_had_then(command, story):
    for position, time in (story.created, story.completed, story.again, story.deleted):
        by_time = command("replay", "--at", time, "--json")
        assert by_time.stdout == command("replay", "--position", str(position), "--json").stdout
        assert by_time.stderr == f"as of position {position}\n"
    before = command.json("replay", "--at", (NOON - timedelta(seconds=1)).isoformat())
    assert (
        before
        == {"position": 0, "tasks": [], "quotas": []}
        == command.json("replay", "--position", "0")
    )


def test_beyond_the_head_is_the_head(command, story):
    head, _ = story.deleted
    now = command.json("replay", "--position", str(POSITION_MOST))
    assert now == command.json("replay", "--at", "2999-01-01") | {"position": head}


def test_it_is_narrowed_to_a_project_or_a_user(command, begun, create_task):
    other = create_task("abc", "b" * 32)
    mine = create_task("abc")
    every = ("replay", "--at", "2999-01-01")
    assert set(ids(command.json(*every))) == {mine, other}
    assert ids(command.json(*every, "--user", "admin")) == [mine]
    assert ids(command.json(*every, "--user", "b" * 32)) == [other]
    assert len(command.json(*every, "--user", "admin")["quotas"]) == 1
    assert command.json(*every, "--project", "elsewhere")["tasks"] == []
    assert "nobody" in command.refused(*every, "--user", "nobody")


def test_for_people_it_is_two_tables(command, story):
    position, _ = story.deleted
    tasks, quotas = command("replay", "--position", str(position)).stdout.split("\n\n")
    assert [line.split()[0] for line in tasks.splitlines()] == [
        ID, story.bens.task_id, story.new.task_id,
    ]  # fmt: skip
    assert f"{story.new.task_id} abababababababab" in tasks
    assert [line.split()[:3] for line in quotas.splitlines()[1:]] == [
        ["p1", "ann", "1"],
        ["p1", "ben", "1"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("replay", "--at", "2026-01-01", "--position", "1"),
        ("replay", "--at", "yesterday"),
        ("replay", "--position", "-1"),
        ("replay", "--position", str(POSITION_MOST + 1)),
        ("diff", "--from", "1"),
        ("diff", "--to", "1"),
        ("diff", "--from", "3", "--to", "2"),
        ("diff", "--from", "2999-01-01", "--to", "2001-01-01"),
        ("diff", "--from", "soon", "--to", "2"),
        ("diff", "--from", "1", "--to", "9" * 5000),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_wrong_usage_is_exit_2(command, story, arguments):
    assert command(*arguments, exit_code=2).stdout == ""


# What changed


def changed(command, start: object, to: object, *arguments: str) -> dict:
    found = command.json("diff", "--from", str(start), "--to", str(to), *arguments)
    assert list(found) == ["from", "to", "changes"]
    return {(each["what"], each["id"]): each for each in found["changes"]}


def test_what_was_added_changed_and_removed_is_told_field_by_field(command, story):
    (start, _), (to, _) = story.created, story.deleted
    found = changed(command, start, to)
    assert {key: each["change"] for key, each in found.items()} == {
        ("task", story.old.task_id): "removed",
        ("task", story.new.task_id): "added",
        ("task", story.bens.task_id): "added",
        ("quota", "p1/ann"): "changed",
        ("quota", "p1/ben"): "added",
    }
    assert found["quota", "p1/ann"]["fields"] == {
        "unfinished": {"from": 1, "to": 0},
        "last_download": {"from": None, "to": "2026-11-24T12:03:00.000Z"},
    }
    assert found["task", story.old.task_id]["fields"]["status"] == {
        "from": "Processing",
        "to": None,
    }
    assert found["task", story.new.task_id]["fields"]["file.rows"] == {"from": None, "to": 20}


def test_a_file_that_was_replaced_is_a_change_of_each_task_of_its_conditions(command, story):
    (start, _), (to, _) = story.completed, story.again
    fields = changed(command, start, to)["task", story.old.task_id]["fields"]
    assert fields == {
        "file.task_id": {"from": story.old.task_id, "to": story.new.task_id},
        "file.rows": {"from": 10, "to": 20},
    }


def test_times_and_positions_are_taken_alike(command, story):
    (start, start_time), (to, to_time) = story.created, story.again
    wanted = command("diff", "--from", str(start), "--to", str(to), "--json").stdout
    for one in (str(start), start_time):
        for other in (str(to), to_time):
            done = command("diff", "--from", one, "--to", other, "--json")
            assert done.stdout == wanted
            assert done.stderr == f"as of position {start}\nas of position {to}\n"


def test_between_a_position_and_itself_nothing_changed(command, story):
    assert changed(command, 3, 3) == {}
    assert command("diff", "--from", "3", "--to", "3").stdout == ""


def test_from_the_beginning_everything_was_added(command, story):
    found = changed(command, 0, POSITION_MOST)
    assert {each["change"] for each in found.values()} == {"added"}
    assert len(found) == 4


def test_a_diff_is_narrowed_to_a_user(command, begun, create_task):
    create_task("abc", "b" * 32)
    mine = create_task("abc")
    found = changed(command, 0, POSITION_MOST, "--user", "admin", "--project", "plant-1")
    assert [key for key in found if key[0] == "task"] == [("task", mine)]


def test_for_people_each_change_is_a_line(command, story):
    (start, _), (to, _) = story.completed, story.deleted
    lines = command("diff", "--from", str(start), "--to", str(to)).stdout.splitlines()
    assert "changed  quota  p1/ann  last_download: - -> 2026-11-24T12:03:00.000Z" in lines
    (removed,) = [line for line in lines if line.startswith("removed")]
    assert removed.startswith(f"removed  task   {story.old.task_id}  project_id=p1  user_id=ann")
    assert "status=Success" in removed
    assert len([line for line in lines if line.startswith("added  ")]) == 3


def test_a_replay_needs_no_read_tables_but_for_a_time(command, story, home):
    position, time = story.created
    (home / "read").mkdir(exist_ok=True)
    for file in (home / "read").iterdir():
        file.unlink()
    assert len(command.json("replay", "--position", str(position))["tasks"]) == 1
    assert list((home / "read").iterdir()) == []
    assert json.loads(command("replay", "--at", time, "--json").stdout)["position"] == position
