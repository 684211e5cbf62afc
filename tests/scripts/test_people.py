"""`init`, `user` and `key`."""

import json
import subprocess

import pytest

from api.parts import Parts
from scripts.group import command_line

POLICY = '{"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["iotda:*:*"]}]}'


def test_init_makes_a_project_its_default_app_and_an_admin_user(command):
    begun = command.json("init")
    assert set(begun) == {
        "project_id", "project_name", "app_id", "user_name", "user_id", "access_key", "secret_key",
    }  # fmt: skip
    assert begun["project_name"] == "cn-north-4"
    assert len(begun["project_id"]) == 32
    (app,) = command.json("app", "list", "--project", begun["project_id"])
    assert app["is_default"] is True
    (user,) = command.json("user", "list")
    assert user["projects"] == {begun["project_id"]: "admin"}


def test_init_says_where_the_home_is_and_prints_the_key_for_people_too(command, home):
    told = command("init")
    assert str(home) in told.stderr
    assert "secret_key" in told.stdout


def test_a_second_init_is_refused_and_changes_nothing(command, begun):
    before = command("event", "list").stdout
    assert "plant-1" in command.refused("init")
    assert command("event", "list").stdout == before


@pytest.mark.parametrize("flags", [("--project", "a/b"), ("--user", " "), ("--name", "")])
def test_init_with_a_name_that_breaks_its_rule_makes_nothing(
    command, flags, home, tmp_path, monkeypatch
):
    monkeypatch.setenv("EXPORT_TASKS_EVENTS", "sqlite:///rel.sqlite")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    command("init", *flags, exit_code=1)
    assert [list((tmp_path / "work").iterdir()), home.exists()] == [[], False]
    command("init")


def test_a_user_is_added_with_a_key_that_is_told_once(command, begun):
    made = command.json("user", "add", "ada", "--project", "plant-1", "--admin")
    assert set(made) == {"user_id", "access_key", "secret_key"}
    shown = command("user", "show", "ada", "--json").stdout
    assert made["access_key"] in shown
    assert made["secret_key"] not in shown
    with Parts() as parts:
        assert parts.people.secret_of(made["access_key"]).secret_key == made["secret_key"]


def test_a_user_is_an_admin_or_has_a_policy_never_both_or_neither(command, begun, tmp_path):
    (tmp_path / "policy.json").write_text(POLICY)
    arguments = ("user", "add", "ada", "--project", "plant-1")
    policy = ("--policy", str(tmp_path / "policy.json"))
    command(*arguments, exit_code=2)
    command(*arguments, "--admin", *policy, exit_code=2)
    command(*arguments, *policy)
    assert command.json("user", "show", "ada")["projects"] == {"plant-1": POLICY}


def test_a_name_is_taken_once(command, begun):
    assert "ADMIN" in command.refused("user", "add", "ADMIN", "--project", "plant-1", "--admin")


def test_rights_in_a_second_project_are_granted(command, begun):
    command("project", "add", "plant-2")
    command("user", "grant", "admin", "--project", "plant-2", "--admin")
    assert command.json("user", "show", "admin")["projects"] == {
        "plant-1": "admin",
        "plant-2": "admin",
    }


READ_ONLY = """{
  "Version": "1.1",
  "Statement": [
    {"Effect": "Allow", "Action": ["iotda:exporttasks:query*"]},
    {"Effect": "Deny", "Action": ["iotda:exporttasks:queryList"]}
  ]
}
"""
OF_ADA = ("ada", "--project", "plant-1")


@pytest.fixture
def ada(command, begun, tmp_path):
    """A user who may only look; the file with its policy is returned."""
    file = tmp_path / "read-only.json"
    file.write_text(READ_ONLY)
    command("user", "add", *OF_ADA, "--policy", str(file))
    return file


def checked(command, action, exit_code):
    told = command("user", "policy", "check", *OF_ADA, action, "--json", exit_code=exit_code)
    return json.loads(told.stdout)


def test_a_policy_is_shown_as_it_was_given(command, ada):
    assert command("user", "policy", "show", *OF_ADA).stdout == READ_ONLY + "\n"
    told = command("user", "policy", "show", "admin", "--project", "plant-1")
    assert (told.stdout, told.stderr) == ("", "It is an admin, and needs none.\n")


def test_a_check_says_which_statement_allows_or_denies(command, ada):
    action = "iotda:exporttasks:"
    query = {"action": action + "query", "allowed": True, "admin": False, "statement": 0}
    assert checked(command, action + "query", 0) == query
    listing = {"action": action + "queryList", "allowed": False, "admin": False, "statement": 1}
    assert checked(command, action + "queryList", 3) == listing
    create = {"action": action + "create", "allowed": False, "admin": False, "statement": None}
    assert checked(command, action + "create", 3) == create


def test_a_check_heeds_no_case_and_refuses_an_action_that_there_is_not(command, ada):
    assert checked(command, "iotda:exportTasks:Query", 0)["allowed"]
    for action in ("iotda:exporttasks:download", "iotda:exporttasks:*"):
        refused = command.refused("user", "policy", "check", *OF_ADA, action)
        assert "'action' must be one of iotda:exporttasks:create, " in refused


def test_a_check_of_an_admin_is_yes(command, begun):
    told = command("user", "policy", "check", "admin", "a:b:c", "--project", "plant-1")
    assert told.stdout.split() == [
        *("action", "a:b:c", "allowed", "yes", "admin", "yes", "statement", "-"),
    ]


def test_another_policy_takes_the_place_of_the_one_before(command, ada):
    command("user", "policy", "set", *OF_ADA, "-", given=POLICY)
    assert command("user", "policy", "show", *OF_ADA).stdout == POLICY + "\n"
    checked(command, "iotda:exporttasks:create", 0)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{", "at $ must be JSON: Expecting property name"),
        (POLICY.replace("Allow", "allow"), "at $.Statement[0].Effect must be 'Allow' or 'Deny'"),
        (POLICY + " " * 6144, "at $ must be at most 6144 characters"),
        (b'{"\xff": 1}', "must be text in UTF-8"),
        (
            POLICY.replace("iotda:*:*", "iotda:exporttasks:download"),
            "at $.Statement[0].Action[0] must be one of iotda:exporttasks:create, ",
        ),
    ],
)
def test_a_faulty_policy_is_refused_by_the_place_of_its_fault(command, ada, policy, words):
    refused = command.refused("user", "policy", "set", *OF_ADA, "-", given=policy)
    assert words in refused
    assert command("user", "policy", "show", *OF_ADA).stdout == READ_ONLY + "\n"


def test_a_user_is_withdrawn_from_a_project(command, ada):
    command("user", "withdraw", *OF_ADA)
    assert command.json("user", "show", "ada")["projects"] == {}
    for refused in (("withdraw", *OF_ADA), ("policy", "show", *OF_ADA)):
        assert "'ada' in the project 'plant-1' does not exist" in command.refused("user", *refused)


def test_a_password_comes_from_stdin_and_stands_in_no_event(command, begun):
    secret = "correct horse battery"
    command("user", "password", "admin", "--password-stdin", given=secret + "\n")
    with Parts() as parts:
        assert parts.people.check_password("admin", secret).user_id == begun["user_id"]
    assert secret not in command("event", "list", "--json").stdout


def test_a_password_is_asked_for_twice_and_never_echoed(command, begun):
    secret = "correct horse battery"
    told = command("user", "password", "admin", given=f"{secret}\n{secret}\n")
    assert secret not in told.output
    with Parts() as parts:
        assert parts.people.check_password("admin", secret)


def test_a_password_for_nobody_is_not_asked_for(command, begun):
    refused = command.refused("user", "password", "nobody", given="")
    assert "'nobody' does not exist" in refused


def test_where_no_terminal_can_hide_a_password_it_is_wrong_usage(command, begun):
    done = subprocess.run(
        command_line("user", "password", "admin"),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "use --password-stdin" in done.stderr
    assert "Warning" not in done.stderr


def test_a_prompt_that_is_left_is_exit_130(command, begun):
    command("user", "password", "admin", given="", exit_code=130)


def test_a_password_that_is_too_short_is_refused(command, begun):
    command("user", "password", "admin", "--password-stdin", given="x\n", exit_code=1)


def test_a_password_is_no_argument(command, begun):
    command("user", "password", "admin", "secret", exit_code=2)


def test_what_was_done_to_a_user_is_one_json_document(command, ada):
    told = command.json("user", "policy", "show", *OF_ADA)
    assert told["policy"] == json.loads(READ_ONLY)
    assert command.json("user", "policy", "set", *OF_ADA, "-", given=POLICY) == told | {
        "policy": json.loads(POLICY)
    }
    granted = command.json("user", "grant", *OF_ADA, "--admin")
    assert granted == told | {"admin": True, "policy": None}
    viewing = {"name": "ada", "operator": "view"}
    assert command.json("user", "operator", "ada", "view") == viewing
    assert command.json("user", "operator", "ada", "none") == viewing | {"operator": None}
    secret = "correct horse battery\n"
    changed = command.json("user", "password", "ada", "--password-stdin", given=secret)
    assert changed == {"name": "ada", "password": "changed"}
    gone = command.json("user", "withdraw", *OF_ADA)
    assert gone == {"name": "ada", "project_id": "plant-1", "withdrawn": True}
    assert command.json("user", "remove", "ada") == {"name": "ada", "removed": True}


def test_a_user_is_removed_with_its_keys(command, begun):
    command("user", "remove", "admin", "--no-input")
    assert command.json("user", "list") == []
    assert "admin" in command.refused("user", "show", "admin")
    with Parts() as parts:
        assert parts.queries.key(begun["access_key"]) is None
    assert begun["user_id"] in command("event", "list", "--json").stdout


def test_the_last_admin_of_a_project_goes_off_a_terminal_with_no_input_alone(command, begun):
    line = command.refused("user", "remove", "admin")
    assert line.endswith("admin is the last admin of plant-1. Give --no-input where that is meant.")
    assert command.json("user", "remove", "admin", "--dry-run")["last_admin_of"] == ["plant-1"]
    command("user", "add", "ada", "--project", "plant-1", "--admin")
    assert command.json("user", "remove", "admin", "--dry-run")["last_admin_of"] == []
    command("user", "remove", "admin")
    command.refused("user", "remove", "ada")
    command("user", "remove", "ada", "--no-input")
    assert command.json("user", "list") == []


def test_keys_are_added_and_revoked(command, begun):
    made = command.json("key", "add", "admin")
    assert "security_token" not in made
    keys = {key["access_key"] for key in command.json("user", "show", "admin")["keys"]}
    assert keys == {begun["access_key"], made["access_key"]}
    command("key", "revoke", begun["access_key"])
    (left,) = command.json("user", "show", "admin")["keys"]
    assert left["access_key"] == made["access_key"]
    command.refused("key", "revoke", begun["access_key"])


def test_a_temporary_key_has_a_security_token_and_an_end(command, begun):
    made = command.json("key", "add", "admin", "--expires", "1h")
    assert made["security_token"]
    assert made["expires"].endswith("Z")


def test_a_vault_under_another_secret_key_is_told_in_one_line(command, begun, monkeypatch):
    monkeypatch.setenv("EXPORT_TASKS_SECRET_KEY", "another secret key, long enough for it")
    assert "EXPORT_TASKS_SECRET_KEY" in command.refused("user", "list")


def test_what_is_printed_as_json_is_one_document(command, begun):
    assert isinstance(json.loads(command("user", "list", "--json").stdout), list)


def test_a_user_is_made_an_operator_and_is_none_any_more(command, begun):
    assert command.json("user", "show", "admin")["operator"] is None
    for role, shown in (("view", "view"), ("operate", "operate"), ("none", None)):
        told = command("user", "operator", "Admin", role)
        assert told.stdout == ""
        assert told.stderr.startswith("Admin is no" if shown is None else f"Admin may {role}")
        assert command.json("user", "show", "admin")["operator"] == shown
        assert [each["operator"] for each in command.json("user", "list")] == [shown]


def test_a_role_that_is_none_is_wrong_usage_and_who_is_not_there_is_refused(command, begun):
    command("user", "operator", "admin", "own", exit_code=2)
    assert "does not exist" in command.refused("user", "operator", "nobody", "view")
