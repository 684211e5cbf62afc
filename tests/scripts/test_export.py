"""`export` and `quota`: one's own exports over HTTP, against a service that runs."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import xlrd

from api import advice
from scripts.group import command_line
from tests.client import client_of, serving, started
from tests.gated import Gated
from tests.installation import Installation
from tests.invoked import invoke, refused, told
from tests.ports import kept_port
from tests.service import Home, eventually
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.client import Given
    from tests.database import Database

ROWS = 2_000
NOWHERE = "0" * 24


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with serving(tmp_path_factory.mktemp("export")) as home:
        yield home


@pytest.fixture(scope="module")
def user(home: Home) -> Given:
    return client_of(home, home.services[0].endpoint)


@pytest.fixture(scope="module")
def batch(home: Home) -> str:
    return home.batch(ROWS)


@pytest.fixture(scope="module")
def task(user: Given, batch: str) -> str:
    """An export task whose file is there."""
    lines = invoke(user, "export", "create", batch, "--wait", "--json").stdout.splitlines()
    return json.loads(lines[-1])["export_task_id"]


class Held:
    """A home whose exports of a long batch task are held at half, until that is let go on."""

    def __init__(self, home: Home, source: Gated) -> None:
        self.user = client_of(home, home.services[0].endpoint)
        self.batch, self.shut, self.go_on = source.long, source.shut, source.open

    def create(self) -> str:
        return told(self.user, "export", "create", self.batch)["export_task_id"]


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("held")
    with (
        closing(Gated(database)) as source,
        serving(folder, "--project", "plant-1", source=source.url) as home,
    ):
        yield Held(home, source)


@pytest.fixture
def held(holding: Held) -> Iterator[Held]:
    holding.shut()
    yield holding
    holding.go_on()


# A task from its creation to its end


def test_a_new_task_is_told_and_how_to_watch_it(user, batch):
    done = invoke(user, "export", "create", batch)
    (task_id,) = [
        line.split()[1] for line in done.stdout.splitlines() if line.startswith("export_task_id")
    ]
    assert f"export watch {task_id}" in done.stderr
    assert invoke(user, "export", "watch", task_id).stdout.splitlines()[-1].startswith("Success")


def test_a_new_task_is_printed_as_the_service_answers_it(user, batch):
    task = told(user, "export", "create", batch)
    assert (task["status"], task["progress"], task["app_type"]) == ("Processing", 1, "GLOBAL")
    shown = told(user, "export", "show", task["export_task_id"])
    assert shown["create_time"] == task["create_time"]
    invoke(user, "export", "watch", task["export_task_id"])


def test_an_app_limits_a_task_and_an_instance_is_sent(user, home, batch):
    app = home.begun["app_id"]
    lines = invoke(
        user, "export", "create", batch, "--app", app, "--instance", "i-1", "--wait", "--json",
        exit_code=1,
    ).stdout.splitlines()  # fmt: skip
    task = json.loads(lines[-1])
    assert (task["app_type"], task["app_id"]) == ("APP", app)
    assert task["error_code"] == "IOTDA.014705"
    told_ = told(user, "export", "list", "--app", app)
    assert [each["export_task_id"] for each in told_] == [task["export_task_id"]]


def test_one_command_leads_from_a_batch_task_to_the_file(user, batch, tmp_path):
    done = invoke(user, "export", "create", batch, "--download", "-o", str(tmp_path), "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert xlrd.open_workbook(last["file"]).sheet_by_name("details").nrows == ROWS + 1


def test_watching_tells_each_change_in_a_line(held):
    watching = started(held.user, "export", "watch", held.create())
    first = watching.stdout.readline()
    held.go_on()
    lines = [first.rstrip(), *watching.communicate(timeout=60)[0].splitlines()]
    assert len(lines) == len(set(lines)) > 1
    assert lines[-1].split() == ["Success", "100", "%", "60,000", "of", "60,000", "rows"]


def test_watching_shows_a_bar_on_a_terminal_but_lines_on_a_dumb_one(user, home):
    for kind, moves in (("xterm", True), ("dumb", False)):
        shown = on_a_terminal(user, kind, "export", "create", home.batch(60_000), "--wait")
        assert ("\x1b" in shown) == moves
        assert shown.count("60,000 of 60,000 rows") == 1


def on_a_terminal(user: Given, kind: str, *arguments: str) -> str:
    environment = {name: value for name, value in user.items() if value is not None}
    terminal = Terminal(command_line(*arguments), environment | {"TERM": kind})
    assert terminal.end() == 0, terminal.shown
    return terminal.shown


def test_watching_a_task_that_fails_is_exit_1_with_the_reason(user):
    task_id = told(user, "export", "create", "abc")["export_task_id"]
    done = invoke(user, "export", "watch", task_id, exit_code=1)
    assert done.stdout.splitlines()[-1].startswith("Failed")
    (line,) = done.stderr.splitlines()
    assert "IOTDA.014705" in line
    assert advice.ADVICE["IOTDA.014705"].todo in line


def test_watching_goes_on_over_a_service_that_is_started_again(tmp_path):
    home = Home(tmp_path)
    task_id = Installation(home).create(home.batch(50))
    port = kept_port(home)
    service = home.serve("--exporters", "0", port=port)
    watching = started(client_of(home, service.endpoint), "export", "watch", task_id)
    assert watching.stdout.readline().startswith("Processing")
    service.kill_everything()
    assert "Trying again" in watching.stderr.readline()
    home.serve(port=port)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, err
    assert out.splitlines()[-1].startswith("Success")
    home.close()


def test_watching_is_interrupted_by_ctrl_c(held):
    task_id = held.create()
    watching = started(held.user, "export", "watch", task_id)
    assert watching.stdout.readline().startswith("Processing")
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert err.strip() == f"It goes on: export-tasks export watch {task_id}"
    held.go_on()
    invoke(held.user, "export", "watch", task_id)


@pytest.mark.parametrize("how", ["--wait", "--download"])
def test_a_create_that_is_interrupted_says_that_the_export_goes_on(held, how, tmp_path):
    creating = started(held.user, "export", "create", held.batch, how, cwd=tmp_path)
    task_id = creating.stderr.readline().split()[-1].rstrip(".")
    assert creating.stdout.readline().startswith("Processing")
    creating.send_signal(signal.SIGINT)
    _, err = creating.communicate(timeout=60)
    assert creating.returncode == 130
    assert err.strip() == f"It goes on: export-tasks export watch {task_id}"
    held.go_on()
    invoke(held.user, "export", "watch", task_id)


def test_a_task_is_deleted_and_then_it_is_not_there(user, batch):
    task_id = told(user, "export", "create", batch)["export_task_id"]
    kept = told(user, "export", "delete", task_id, "--dry-run")
    assert kept["export_task_id"] == task_id
    assert told(user, "export", "show", task_id)["export_task_id"] == task_id
    assert invoke(user, "export", "delete", task_id).stdout == ""
    line = refused(user, "export", "show", task_id)
    assert "IOTDA.014702" in line
    assert line.endswith("See what there is: export-tasks export list")


# Lists and quota


def test_the_list_is_all_tasks_newest_first_over_as_many_pages_as_there_are(tmp_path):
    home = Home(tmp_path)
    home.run("limits", "set", "--kept", "200", "--unfinished", "200")
    place = Installation(home)
    ids = [place.create(f"{number:x}") for number in range(1, 103)][::-1]
    user = client_of(home, home.serve("--exporters", "0").endpoint)
    listed = [each["export_task_id"] for each in told(user, "export", "list")]
    assert listed == ids
    for limit in (1, 50, 51, 100, 102, 103):
        some = told(user, "export", "list", "--limit", str(limit))
        assert [each["export_task_id"] for each in some] == ids[:limit]
    home.close()


def test_the_list_is_narrowed_to_a_batch_task_and_a_status(user, task, batch):
    assert told(user, "export", "list", "--batch-task", batch, "--status", "Failed", "--app", "x")\
        == []  # fmt: skip
    found = told(user, "export", "list", "--batch-task", batch, "--status", "Success")
    assert task in {each["export_task_id"] for each in found}
    assert {each["resource_condition"]["task_id"] for each in found} == {batch}


def test_an_empty_list_is_an_empty_json_list(user):
    assert invoke(user, "export", "list", "--batch-task", "ff", "--json").stdout == "[]\n"


def test_the_quota_is_told_beside_its_limits(user, task):
    numbers = told(user, "quota")
    assert numbers["limits"]["unfinished"] == 5
    lines = invoke(user, "quota").stdout.splitlines()
    assert lines[1].split() == ["kept", str(numbers["kept"]), "of", "50"]
    assert lines[2].split() == ["next_download", "now"]


# What goes wrong


def line_of(user: Given, *arguments: str, exit_code: int = 1, **changed: Any) -> str:
    """The one line on stderr of a command that fails so."""
    changed = {f"EXPORT_TASKS_{name.upper()}": value for name, value in changed.items()}
    done = invoke(user | changed, *arguments, exit_code=exit_code)
    (line,) = done.stderr.splitlines()
    assert done.stdout == ""
    return line


def test_a_wrong_key_is_told_with_code_request_and_what_to_do(user):
    line = line_of(user, "quota", sk="another")
    assert line.startswith("export-tasks: Incorrect IAM authentication information")
    assert "(APIGW.0301, request " in line
    assert line.endswith("Check EXPORT_TASKS_AK and EXPORT_TASKS_SK, and this machine's clock.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"project": "elsewhere"}, "Check EXPORT_TASKS_PROJECT."),
        ({"project": ""}, "EXPORT_TASKS_PROJECT is not set"),
        ({"ak": ""}, "EXPORT_TASKS_AK is not set"),
        ({"ak": "ключ"}, "EXPORT_TASKS_AK holds what no access key does"),
        ({"sk": ""}, "EXPORT_TASKS_SK is not set"),
        ({"sk_file": "/nowhere/sk"}, "are both given"),
        ({"sk": "", "sk_file": "/nowhere/sk"}, "/nowhere/sk cannot be read"),
        ({"security_token": "a\nb"}, "EXPORT_TASKS_SECURITY_TOKEN holds what no"),
        ({"endpoint": "ftp://127.0.0.1"}, "EXPORT_TASKS_ENDPOINT must be http://"),
        ({"endpoint": "http://u:p@127.0.0.1"}, "EXPORT_TASKS_ENDPOINT must be http://"),
        ({"endpoint": "http://127.0.0.1:x"}, "EXPORT_TASKS_ENDPOINT must be http://"),
    ],
    ids=str,
)
def test_a_variable_that_is_missing_or_wrong_is_named(user, changed, said):
    assert said in line_of(user, "export", "list", **changed)


def test_a_service_that_does_not_answer_is_exit_4(user, task, tmp_path):
    nowhere = "http://127.0.0.1:1"
    for arguments in (
        ("quota",),
        ("export", "create", "abc"),
        ("export", "watch", task, "--patience", "0"),
        ("export", "download", task, "--patience", "0", "-o", str(tmp_path)),
    ):
        line = line_of(user, *arguments, exit_code=4, endpoint=nowhere)
        assert f"{nowhere} (EXPORT_TASKS_ENDPOINT) does not answer: Connection refused." in line
        assert line.endswith("export-tasks export list") == (arguments[1:2] == ("create",))


def test_a_secret_key_is_read_from_a_file_and_a_temporary_key_is_taken(user, home, tmp_path):
    made = json.loads(home.run("key", "add", "admin", "--expires", "1h", "--json"))
    (tmp_path / "sk").write_text(made["secret_key"] + "\n")
    changed = {
        "EXPORT_TASKS_AK": made["access_key"],
        "EXPORT_TASKS_SK": None,
        "EXPORT_TASKS_SK_FILE": str(tmp_path / "sk"),
    }
    token = {"EXPORT_TASKS_SECURITY_TOKEN": made["security_token"]}
    assert told(user | changed | token, "quota")["limits"]["kept"] == 50
    assert "APIGW.0301" in refused(user | changed, "quota")


def test_nothing_that_is_printed_holds_the_secret_key(user, task):
    secret = user["EXPORT_TASKS_SK"]
    for arguments, code in ((("quota",), 0), (("export", "show", NOWHERE), 1)):
        assert secret not in invoke(user, *arguments, exit_code=code).output


def test_what_the_service_says_cannot_steer_a_terminal(user):
    line = line_of(user, "export", "create", "\x1b[31m")
    assert "\x1b" not in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "create"),
        ("export", "create", "abc", "-o", "x.xls"),
        ("export", "create", "abc", "--download", "-o", "-", "--json"),
        ("export", "download", NOWHERE, "-o", "-", "--json"),
        ("export", "list", "--limit", "0"),
        ("export", "list", "--status", "success"),
        ("export", "watch", NOWHERE, "--patience", "long"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2(user, arguments):
    assert invoke(user, *arguments, exit_code=2).stdout == ""


def test_neither_server_nor_event_library_nor_sdk_is_imported_for_it(user):
    heavy = {"uvicorn", "starlette", "eventsourcing", "rich", "huaweicloudsdkcore", "asyncio"}
    code = (
        "import sys; from scripts.cli import cli\n"
        "try: cli(['export', 'list'])\n"
        f"finally: print('heavy:', sorted({heavy!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    environment = {name: value for name, value in user.items() if value is not None}
    done = subprocess.run(
        [*command_line()[:2], "-c", code],
        env=environment | {"PYTHONPATH": command_line()[-1]},
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1] == "heavy: []"


def test_requests_go_through_the_proxy_that_the_environment_names(user, home):
    service = home.services[0].endpoint
    through = {"EXPORT_TASKS_ENDPOINT": "http://tasks.example.com", "http_proxy": service}
    assert "IOTDA" in refused(user | through, "export", "show", "x" * 24)
    assert eventually(lambda: told(user | {"no_proxy": "127.0.0.1", "http_proxy": "x:1"}, "quota"))
