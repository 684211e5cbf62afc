"""`task` and `event`, over tasks created as the service creates them."""

import json
import subprocess

import pytest

from api.parts import Parts
from scripts.events import PAGE
from scripts.group import command_line
from tests.altered import alter

ADA, BOB, LATE = "a" * 32, "b" * 32, "1" * 32


@pytest.fixture
def tasks(create_task) -> list[str]:
    return [create_task("abc", user) for user in (ADA, ADA, BOB)]


def events(command, *arguments: str) -> list[dict]:
    printed = command("event", "list", *arguments, "--json").stdout
    return [json.loads(line) for line in printed.splitlines()]


def test_tasks_of_all_owners_are_listed_newest_first(command, tasks):
    ids = [row["export_task_id"] for row in command.json("task", "list")]
    assert ids == sorted(tasks, reverse=True)


def test_the_list_is_narrowed_to_a_user_and_a_project(command, tasks):
    rows = command.json("task", "list", "--project", "plant-1", "--user", BOB)
    assert [row["export_task_id"] for row in rows] == tasks[2:]
    assert command.json("task", "list", "--project", "elsewhere") == []


def test_a_task_is_shown_with_its_quota_and_no_file_yet(command, tasks):
    shown = command.json("task", "show", tasks[0])
    assert shown["status"] == "Processing"
    assert shown["file"] is None
    assert (shown["quota"]["kept"], shown["quota"]["unfinished"]) == (2, 2)


def test_a_task_is_shown_with_the_app_that_limits_it(command, create_task):
    shown = command.json("task", "show", create_task("abc", scope="line-1"))
    assert (shown["app_type"], shown["app_id"], shown["scope"]) == ("APP", None, "line-1")


def test_a_task_that_never_was_is_refused(command, tasks):
    assert "does not exist" in command.refused("task", "show", "0" * 24)
    assert "does not exist" in command.refused("task", "delete", "0" * 24)


def test_a_deleted_task_is_gone_and_its_history_is_named(command, tasks):
    command("task", "delete", tasks[0])
    command("task", "delete", tasks[0])
    assert f"event list --task {tasks[0]}" in command.refused("task", "show", tasks[0])
    topics = [event["event"] for event in events(command, "--task", tasks[0])]
    assert topics == ["owner.admitted", "task.created", "task.evicted", "owner.released"]


@pytest.fixture
def failed(tasks) -> str:
    with Parts() as parts:
        claim = parts.ledger.claim(tasks[0], 1, "e1", 60.0, 3)[1]
        parts.ledger.fail(claim, "IOTDA.014706", "no source")
    return tasks[0]


def test_a_failed_task_is_retried_as_a_new_one_that_names_it(command, failed):
    made = command.json("task", "retry", failed)
    assert made["retries"] == failed
    assert command.json("task", "show", made["export_task_id"])["status"] == "Processing"
    assert command.json("task", "show", failed)["status"] == "Failed"
    created = events(command, "--task", made["export_task_id"])[-1]
    assert (created["event"], created["by"]) == ("task.created", "system")
    assert created["retries"] == failed
    assert made["export_task_id"] in command("task", "retry", failed).stdout


def test_what_did_not_fail_or_never_was_is_not_retried(command, tasks):
    assert "this one is Processing" in command.refused("task", "retry", tasks[0])
    assert "does not exist" in command.refused("task", "retry", "0" * 24)


def test_events_come_in_their_order_with_whom_they_are_about(command, tasks):
    told = events(command, "--user", BOB)
    assert [event["event"] for event in told] == ["owner.admitted", "task.created"]
    assert {event["project_id"] for event in told} == {"plant-1"}
    positions = [event["position"] for event in events(command)]
    assert positions == sorted(set(positions))


def test_later_events_of_a_task_say_whose_it_is(command, tasks):
    with Parts() as parts:
        parts.ledger.claim(tasks[2], 1, "exporter-1", 60.0, 3)
    (claimed,) = [e for e in events(command, "--user", BOB) if e["event"] == "task.progressed"]
    assert (claimed["task_id"], claimed["project_id"]) == (tasks[2], "plant-1")


def test_the_log_is_read_from_a_position_on(command, tasks):
    everything = events(command)
    middle = everything[len(everything) // 2]["position"]
    assert events(command, "--from", str(middle)) == everything[len(everything) // 2 :]
    assert events(command, "--from", str(everything[-1]["position"] + 1)) == []


def test_the_log_is_read_as_it_was_at_a_time(command, tasks):
    everything = events(command)
    assert events(command, "--at", everything[-1]["time"]) != []
    assert events(command, "--at", "2001-01-01") == []
    assert len(events(command, "--at", "2999-01-01T00:00:00Z")) == len(everything)


def test_for_people_an_event_is_one_line(command, tasks):
    lines = command("event", "list").stdout.splitlines()
    assert len(lines) == len(events(command))
    assert f"task_id={tasks[2]}" in lines[-1]


@pytest.mark.parametrize("form", ["table", "jsonl", "cloudevents"])
def test_a_row_whose_topic_is_no_text_is_shown_among_the_others(command, tasks, form):
    before = len(command("event", "list").stdout.splitlines())
    last = "(SELECT max(rowid) FROM stored_events)"
    with Parts() as parts:
        alter(
            parts.log, f"UPDATE stored_events SET topic = CAST('odd' AS BLOB) WHERE rowid = {last}"
        )
    lines = command("event", "list", "--format", form).stdout.splitlines()
    assert len(lines) == before
    assert "b'odd'" in lines[-1]


def test_more_than_a_page_of_events_is_read(command, create_task):
    for number in range(PAGE // 2 + 1):
        create_task("abc", f"{number:032x}")
    told = events(command)
    assert len(told) > PAGE
    assert len({event["position"] for event in told}) == len(told)


def test_events_are_followed_as_they_happen(command, create_task):
    following = subprocess.Popen(
        command_line("event", "list", "--follow", "--task", "f" * 24, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    other = subprocess.Popen(
        command_line("event", "list", "--follow", "--user", LATE, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    task_id = create_task("abc", LATE)
    lines = [json.loads(other.stdout.readline()) for _ in range(2)]
    assert {line["task_id"] for line in lines} == {task_id}
    for process in (following, other):
        process.terminate()
        assert process.communicate() == (b"", b"")


def test_no_event_holds_a_name_a_password_or_a_secret(command, begun):
    printed = command("event", "list", "--json").stdout
    assert begun["secret_key"] not in printed
    assert "admin@" not in printed


def test_rebuilt_tables_are_no_others(command, tasks):
    told = command.json("rebuild")
    assert (told["swapped"], told["different"]) == (True, 0)
    assert told["events"] == len(events(command))


def test_a_user_is_meant_by_name_too(command, begun):
    told = events(command, "--user", "Admin")
    assert {event["user_id"] for event in told} == {begun["user_id"]}
    assert "user.added" in {event["event"] for event in told}
    assert command.json("task", "list", "--user", "admin") == []
    assert "nobody" in command.refused("event", "list", "--user", "nobody")


def test_a_comparison_finds_what_differs_and_changes_nothing(command, begun):
    with Parts() as parts, parts.follower.caught_up() as database:
        database.execute("UPDATE projects SET name = 'altered'")
    found = command("rebuild", "--compare", exit_code=3)
    assert "swapped      no" in found.stdout
    assert "projects: live project_id: plant-1, name: altered" in found.stdout
    assert command("rebuild").stdout.count("altered") == 1
    assert "different    0" in command("rebuild", "--compare").stdout
