"""The log of a whole run: what it tells of one request, and what it never tells."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.cli import ROOMS
from scripts.client import Client
from tests.load import Kept, token_of
from tests.service import Home, eventually

NAME, PASSWORD = "Grace-whose-name-is-not-told", "a planted password, 17 words"
WRONG = "a wrong password that may be right elsewhere"
ROWS = [f"planted-row-{number}" for number in range(5)]
IN_THE_QUERY, IN_THE_PATH = "planted-in-a-query", "planted-in-a-path"
IN_A_BODY, IN_A_HEADER = "planted-in-a-body", "planted-in-a-header"
PEER = "127.0.0.7"


def batch(home: Home) -> str:
    """A batch task whose every text is planted."""
    first, second, third, fourth, fifth = ROWS
    lines = [
        {"task_name": first, "task_type": "softwareUpgrade", "status": "Success"},
        {"target": second, "status": "Success", "output": third + "\x01"},
        {"target": fourth, "status": "Fail", "error": {"error_code": "E1", "error_msg": fifth}},
    ]
    given = "".join(json.dumps(line) + "\n" for line in lines)
    arguments = ("--project", home.project, "--format", "jsonl", "--json")
    return json.loads(home.run("batch", "import", "-", *arguments, given=given))["task_id"]


class Run:
    """A service that was asked all kinds of things, and its log."""

    def __init__(self, folder: Path) -> None:
        home = Home(folder, log_level="debug", secret_key="a planted secret key of 32 bytes")
        try:
            self._go_through(home)
        finally:
            home.close()

    def _go_through(self, home: Home) -> None:
        who = ("user", "add", NAME, "--project", home.project, "--admin", "--password-stdin")
        made = json.loads(home.run(*who, "--json", given=PASSWORD))
        self.user_id = made["user_id"]
        service = home.serve()
        self.token = token_of(service.endpoint, NAME, PASSWORD, home.project, PEER)
        self.secrets = [PASSWORD, WRONG, self.token, made["secret_key"], home.begun["secret_key"]]
        planted = batch(home)
        self._ask(Kept(service.endpoint, self.token, PEER), home.project, planted)
        client = Client(service.endpoint, made["access_key"], made["secret_key"], home.project)
        client.create(planted)
        with pytest.raises(AssertionError):
            token_of(service.endpoint, NAME, WRONG, home.project, PEER)
        assert service.stop() == 0
        self.text = service.text()
        self.lines = [json.loads(line) for line in self.text.splitlines() if line[0] == "{"]

    def _ask(self, kept: Kept, project: str, batch: str) -> None:
        tasks = f"/v5/iot/{project}/export-tasks"
        condition = {"resource_type": "BatchTask", "resource_condition": {"task_id": batch}}
        status, headers, body = kept.ask("POST", tasks, condition)
        assert status == 201
        self.task, self.request_id = json.loads(body)["export_task_id"], headers["x-request-id"]
        for path in (f"{tasks}?app_id={IN_THE_QUERY}", f"{tasks}/{IN_THE_PATH}", f"/{IN_THE_PATH}"):
            kept.ask("GET", path)
        assert kept.ask("POST", tasks, {"resource_type": IN_A_BODY})[0] == 400
        other = Kept(kept.endpoint, IN_A_HEADER, PEER)
        assert other.ask("GET", tasks)[0] == 401
        other.close()
        show = f"{tasks}/{self.task}"
        eventually(lambda: json.loads(kept.ask("GET", show)[2])["status"] == "Success")
        status, headers, self.file = kept.ask("GET", f"{show}/file")
        assert status == 200
        self.download_id = headers["x-request-id"]
        kept.ask("DELETE", show)
        kept.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("run"))


def of(lines: list[dict[str, Any]], message: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["message"] == message]


def test_by_one_request_id_one_finds_the_request_its_facts_the_export_and_the_download(run):
    found = [line for line in run.lines if run.request_id in json.dumps(line)]
    created, download = of(found, "request")
    assert (created["method"], created["status"], created["by"]) == ("POST", 201, run.user_id)
    assert created["request_id"] == run.request_id
    facts = of(found, "event appended")
    topics = [line["topic"] for line in facts]
    assert topics[:3] == ["owner.admitted", "task.created", "task.progressed"]
    assert topics[-2:] == ["task.completed", "task.evicted"]
    assert {line["task"] for line in facts} == {run.task}
    positions = [line["position"] for line in facts]
    assert positions == sorted(positions)
    (began,) = of(found, "an attempt begins")
    assert (began["task"], began["attempt"]) == (run.task, 1)
    assert download["request_id"] == run.download_id
    assert (download["route"].rpartition("/")[2], download["bytes"]) == ("file", len(run.file))


def test_the_processes_that_the_trail_leads_through_are_several(run):
    found = [line for line in run.lines if run.request_id in json.dumps(line)]
    assert len({line["pid"] for line in found}) == 2


def test_every_request_and_every_fact_has_its_line(run):
    requests, facts = of(run.lines, "request"), of(run.lines, "event appended")
    ids = [line["request_id"] for line in requests]
    assert len(set(ids)) == len(ids) > 10
    assert {401, 404, 400, 201, 204, 200} <= {line["status"] for line in requests}
    assert {"downloads.granted", "task.evicted", "owner.released"} <= {f["topic"] for f in facts}
    positions = [line["position"] for line in facts]
    assert sorted(positions) == list(range(min(positions), max(positions) + 1))


def test_a_key_that_measures_names_its_unit(run):
    names = {name for line in run.lines for name in line}
    assert "duration_s" in names
    assert not {name for name in names if name in ("duration", "size", "seconds", "ms", "time_ms")}


def test_the_page_tells_of_every_key_and_of_no_other(run):
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
    (table,) = re.findall(r"\| key \|.*?\n((?:\|.*\n)+)", page)
    cells = [line.split("|")[1] for line in table.splitlines()[1:]]
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    ours = [line for line in run.lines if line["logger"].split(".")[0] in ROOMS]
    assert {name for line in ours for name in line} | {"exception", "cut"} == told


@pytest.mark.parametrize(
    "planted",
    [*ROWS, IN_THE_QUERY, IN_THE_PATH, IN_A_BODY, IN_A_HEADER, NAME, PEER, "planted secret key"],
)
def test_what_users_send_and_export_is_never_told(run, planted):
    assert planted not in run.text


def test_no_secret_is_told_in_any_writing(run):
    for secret in run.secrets:
        written = secret.encode()
        forms = [secret, written.hex(), base64.b64encode(written).decode().rstrip("=")]
        assert [form for form in forms if form in run.text] == []


def test_what_is_looked_for_would_be_found(run):
    assert run.user_id in run.text
    assert run.task in run.text
