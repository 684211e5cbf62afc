"""`project` and `app`."""


def test_a_project_is_added_listed_and_removed(command, empty):
    command("project", "add", "p1", "--name", "cn-north-4", "--upstream-project", "u1")
    assert command.json("project", "list") == [
        {
            "project_id": "p1",
            "name": "cn-north-4",
            "enterprise_project_id": "0",
            "upstream_project_id": "u1",
        }
    ]
    command("project", "remove", "p1")
    assert command.json("project", "list") == []


def test_a_project_without_a_name_is_called_by_its_id(command, empty):
    command("project", "add", "p1")
    assert command.json("project", "list")[0]["name"] == "p1"


def test_a_project_is_added_once(command, empty):
    command("project", "add", "p1")
    assert "p1" in command.refused("project", "add", "p1")


def test_an_id_that_breaks_its_rule_is_refused(command, empty):
    assert "project_id" in command.refused("project", "add", "p/1")


def test_a_project_with_users_is_not_removed(command, begun):
    assert "plant-1" in command.refused("project", "remove", "plant-1")


def test_apps_are_added_listed_and_removed(command, begun):
    command("app", "add", "line-a", "--project", "plant-1")
    command("app", "add", "line-b", "--project", "plant-1", "--default")
    defaults = {
        row["app_id"]: row["is_default"]
        for row in command.json("app", "list", "--project", "plant-1")
    }
    assert defaults["line-b"] is True
    assert defaults["line-a"] is False
    command("app", "remove", "line-a", "--project", "plant-1")
    rows = command.json("app", "list", "--project", "plant-1")
    assert "line-a" not in {row["app_id"] for row in rows}


def test_an_app_of_no_project_is_refused(command, empty):
    assert "p9" in command.refused("app", "add", "line-a", "--project", "p9")


def test_a_list_for_people_is_a_table(command, empty):
    command("project", "add", "p1")
    assert command("project", "list").stdout.splitlines() == [
        "project_id  name  enterprise_project_id  upstream_project_id",
        "p1          p1    0                      -",
    ]


def test_what_was_added_or_removed_is_one_json_document(command, begun):
    assert command.json("project", "add", "p1", "--name", "here") == {
        "project_id": "p1",
        "name": "here",
        "enterprise_project_id": "0",
        "upstream_project_id": None,
    }
    app = {"project_id": "p1", "app_id": "line-a"}
    assert command.json("app", "add", "line-a", "--project", "p1") == app | {"is_default": False}
    gone = command.json("app", "remove", "line-a", "--project", "p1")
    assert gone == app | {"removed": True}
    assert command.json("project", "remove", "p1") == {"project_id": "p1", "removed": True}
