"""`batch`: what the local source has."""

import json

import pytest

from exporter.sources import open_source
from tests.own_tables import in_postgres

LINES = "\n".join(
    [
        json.dumps({"task_id": "abc", "task_name": "upgrade", "task_type": "firmwareUpgrade"}),
        json.dumps({"target": "d1", "status": "Success", "output": "=1+1"}),
        json.dumps({"target": "d2", "status": "Fail", "error": {"error_code": "IOTDA.014016"}}),
    ]
)
CSV = "target,status,output,error_code,error_msg\nd1,Success,设备,,\n"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "lines.jsonl").write_text(LINES)
    return str(tmp_path / "lines.jsonl")


def details(home, task_id: str) -> list:
    source = open_source(f"sqlite:///{home}/source.sqlite")
    return [row for page in source.pages(task_id) for row in page]


def test_a_file_of_json_lines_is_imported(command, begun, home, file):
    assert command.json("batch", "import", file, "--project", "plant-1") == {"task_id": "abc"}
    assert details(home, "abc") == [
        ("d1", "Success", "=1+1", None, None),
        ("d2", "Fail", None, "IOTDA.014016", None),
    ]


def test_csv_is_imported_from_stdin(command, begun, home):
    arguments = ("batch", "import", "-", "--project", "plant-1", "--format", "csv")
    told = command.json(*arguments, given=CSV)
    assert details(home, told["task_id"]) == [("d1", "Success", "设备", None, None)]


def test_a_broken_line_is_refused_by_its_number_and_nothing_is_in(command, begun, tmp_path):
    (tmp_path / "broken").write_text(LINES + "\n{")
    told = command.refused("batch", "import", str(tmp_path / "broken"), "--project", "plant-1")
    assert "4" in told
    assert command.json("batch", "list") == []


def test_a_project_that_does_not_exist_is_refused(command, begun, file):
    assert "plant-9" in command.refused("batch", "import", file, "--project", "plant-9")


def test_an_app_that_the_project_does_not_have_is_refused(command, begun, file):
    told = command.refused("batch", "import", file, "--project", "plant-1", "--app", "nope")
    assert "nope" in told


def test_a_file_that_is_not_there_is_wrong_usage(command, begun):
    command("batch", "import", "nowhere.jsonl", "--project", "plant-1", exit_code=2)


def test_a_batch_task_runs_on_and_is_finished(command, begun, home, tmp_path):
    running = json.dumps({"task_id": "abc", "task_name": "u", "task_type": "t"})
    running = running[:-1] + ', "status": "Processing"}\n'
    command("batch", "import", "-", "--project", "plant-1", given=running)
    more = json.dumps({"target": "d3", "status": "Success"})
    assert command.json("batch", "append", "abc", "-", given=more)["added"] == 1
    assert command.json("batch", "finish", "abc")["status"] == "Success"
    assert "abc" in command.refused("batch", "append", "abc", "-", given=more)
    assert len(details(home, "abc")) == 1


def test_a_generated_one_is_listed_shown_and_removed(command, begun):
    task_id = command.json("batch", "generate", "--project", "plant-1", "--rows", "50")["task_id"]
    (listed,) = command.json("batch", "list", "--project", "plant-1")
    assert (listed["task_id"], listed["total"]) == (task_id, 50)
    shown = command.json("batch", "show", task_id)
    assert sum(shown["by_status"].values()) == 50
    command("batch", "remove", task_id)
    assert command.json("batch", "list") == []
    assert task_id in command.refused("batch", "show", task_id)


def test_no_rows_is_a_batch_task_too(command, begun):
    command("batch", "generate", "--project", "plant-1", "--rows", "0")
    command("batch", "generate", "--project", "plant-1", "--rows", "-1", exit_code=2)


@pytest.mark.parametrize("name", ["n", "é" * 128])
def test_a_made_up_batch_task_is_called_what_it_is_told_to_be(command, begun, name):
    made = ("batch", "generate", "--project", "plant-1", "--rows", "1")
    task_id = command.json(*made, "--name", name)["task_id"]
    assert command.json("batch", "show", task_id)["task_name"] == name


@pytest.mark.parametrize("name", ["", "é" * 129])
def test_a_name_that_no_batch_task_may_have_is_refused(command, begun, name):
    refused = ("batch", "generate", "--project", "plant-1", "--rows", "1", "--name", name)
    assert "task_name" in command.refused(*refused)
    assert command.json("batch", "list") == []


def test_an_app_that_the_file_names_must_be_the_projects(command, begun):
    line = '{"task_name": "n", "app_id": "%s"}\n'
    told = command.refused("batch", "import", "-", "--project", "plant-1", given=line % "nosuch")
    assert "The app 'nosuch' of the project does not exist." in told
    command("batch", "import", "-", "--project", "plant-1", given=line % "default")


def test_batch_tasks_of_somebodys_own_database_are_listed_and_never_changed(
    command, empty, database, monkeypatch
):
    own = in_postgres(database)
    own.put(1, 2)
    monkeypatch.setenv("EXPORT_TASKS_SOURCE", own.url)
    (listed,) = command.json("batch", "list")
    assert (listed["task_id"], listed["total"]) == ("a1", 2)
    assert command.json("batch", "show", "a1")["total"] == 2
    assert "never changed" in command.refused("batch", "remove", "a1")
    own.close()
