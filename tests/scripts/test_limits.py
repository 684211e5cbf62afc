"""`limits`: the rules' numbers."""

import pytest


def test_the_defaults_of_the_contract_hold_where_nothing_was_set(command, empty):
    assert command.json("limits", "show") == {
        "unfinished": 5,
        "kept": 50,
        "download_interval": 30.0,
    }


def test_what_is_not_given_stays_as_it_is(command, empty):
    command("limits", "set", "--kept", "7")
    told = command.json("limits", "set", "--download-interval", "1m")
    assert told == {"unfinished": 5, "kept": 7, "download_interval": 60.0}
    assert command.json("limits", "show") == told


def test_for_people_each_number_is_a_line(command, empty):
    assert command("limits", "show").stdout.splitlines() == [
        "unfinished         5",
        "kept               50",
        "download_interval  30.0",
    ]


def test_numbers_that_break_a_rule_are_refused_and_change_nothing(command, empty):
    assert "'unfinished' must be 1 to the number kept" in command.refused(
        "limits", "set", "--unfinished", "51"
    )
    command("limits", "set", "--unfinished", "50")
    assert command.json("limits", "show")["unfinished"] == 50


def test_a_dry_run_shows_the_numbers_and_the_tasks_that_would_go_and_sets_nothing(
    command, create_task
):
    for number in range(3):
        create_task(f"{number:x}")
    planned = command.json("limits", "set", "--kept", "1", "--unfinished", "1", "--dry-run")
    assert planned == {"unfinished": 1, "kept": 1, "download_interval": 30.0, "tasks_to_go": 2}
    assert command.json("limits", "set", "--kept", "3", "--unfinished", "1", "--dry-run")[
        "tasks_to_go"
    ] == 0  # fmt: skip
    command.refused("limits", "set", "--unfinished", "51", "--dry-run")
    assert command.json("limits", "show")["kept"] == 50


@pytest.mark.parametrize("given", ["--kept=1001", "--kept=0", "--unfinished=0"])
def test_a_number_that_no_store_could_have_is_wrong_usage(command, empty, given):
    assert given.partition("=")[0] in command("limits", "set", given, exit_code=2).stderr


def test_the_change_is_an_event_of_the_system_user(command, empty):
    command("limits", "set", "--kept", "7")
    (line,) = command("event", "list", "--json").stdout.splitlines()
    assert '"event": "limits.set"' in line
    assert '"by": "system"' in line
