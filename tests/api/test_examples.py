"""Every example in the API's document: what it asks is asked, what it says comes."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from api.access.tokens import TOKEN_LIVES
from api.envelope import ALWAYS
from api.openapi import problems_of
from api.problems import (
    FAILED_NOT_STORED,
    FAILED_SOURCE,
    FAILED_TOO_LARGE,
    INSTANCE,
    INTERNAL,
    METHOD,
    NO_API,
    PROBLEMS,
)
from api.reference.advice import ADVICE, anchor
from api.reference.examples import EXAMPLES
from api.reference.parameters import APP, PROJECT, SIZE, TOLD
from api.requests import BODY_MOST
from api.routes import CALLS
from exporter.biff8.records import TooLarge
from exporter.failures import failure
from exporter.results import ResultsFailed
from exporter.sources import SourceFailed
from exporter.workbook import SHEET_ROWS
from tests.facts import OPERATOR
from tests.plant import CALL_OF, DOCUMENT, JSON, OPERATIONS, PASSWORD, World
from tests.policies import policy
from tests.web_service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.problems import Problem
    from api.requests import Call

DESCRIBED = [call for call in CALLS if call.tag]


@pytest.fixture
def world(service: Service) -> World:
    return World(service)


def checked(schema: dict[str, Any], value: Any) -> None:
    """Raises where a value is not what a schema of the document says."""
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(value)


def answered(name: str, answer: Any) -> dict[str, Any]:
    """What the document says of an answer, which has just the headers that it tells."""
    told = OPERATIONS[name][2]["responses"][str(answer.status_code)]
    if "$ref" in told:
        told = DOCUMENT["components"]["responses"][told["$ref"].rpartition("/")[2]]
    headers = {key.lower() for key in told["headers"]}
    needed = {key.lower() for key, header in told["headers"].items() if header.get("required", 1)}
    usual = {*ALWAYS, "content-type", "content-length", "cache-control", "connection"}
    assert needed <= set(answer.headers) <= headers | usual
    for key, rules in TOLD.items():
        if key.lower() in headers & set(answer.headers):
            checked(rules["schema"], answer.headers[key])
    types = list(told.get("content", {})) or [None]
    assert types == [answer.headers.get("content-type")] or answer.request.method == "HEAD"
    return told


# What succeeds


def prepared(world: World, name: str) -> None:
    """Before a call's examples: the task that they are about."""
    if name not in ("CreateExportTask", "CreateToken"):
        world.stand()
    if name == "CreateToken":
        world.give_password()
        world.service.story.clock.pass_by(seconds=8)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_example_asks_is_answered_as_the_example_says(world, name):
    prepared(world, name)
    answer = world.ask(name)
    told = answered(name, answer)
    assert str(answer.status_code) == next(iter(OPERATIONS[name][2]["responses"]))
    for content in told.get("content", {}).values():
        if "example" in content:
            checked(content["schema"], answer.json())
            assert world.told(answer) == content["example"]


@pytest.mark.parametrize("name", [each for each in OPERATIONS if EXAMPLES.get(each)])
def test_every_parameter_of_a_query_may_be_sent_as_its_example(world, name):
    prepared(world, name)
    answer = world.ask(name, also=True)
    assert answer.status_code < 300, answer.text
    told = answered(name, answer)
    for content in told.get("content", {}).values():
        if "example" in content:
            checked(content["schema"], answer.json())


@pytest.mark.parametrize("header", ["Range", "If-Range", "If-None-Match"])
def test_every_header_of_a_download_may_be_sent_as_its_example(world, header):
    world.stand()
    assert header in CALL_OF["ShowExportTask"].headers
    (example,) = [
        each["example"]
        for each in OPERATIONS["ShowExportTask"][2]["parameters"]
        if each["name"] == header
    ]
    answer = world.ask("ShowExportTask", headers={header: example})
    assert answer.status_code == {"Range": 206, "If-Range": 200}.get(header, 304)
    answered("ShowExportTask", answer)
    for name in ("ETag", "Last-Modified", "X-Export-Task-Id"):
        assert answer.headers[name] == TOLD[name]["example"]


def test_the_headers_of_an_answer_are_as_their_examples_say(world):
    world.stand()
    whole = world.ask("ShowExportTask")
    world.service.story.clock.pass_by(seconds=30)
    part = world.ask("ShowExportTask", headers={"Range": "bytes=0-1023"})
    for name in CALL_OF["ShowExportTask"].told[200]:
        assert whole.headers[name] == TOLD[name]["example"]
    assert part.headers["Content-Range"] == TOLD["Content-Range"]["example"]


def test_every_example_of_the_document_is_what_its_schema_says():
    for _, _, operation in OPERATIONS.values():
        for each in operation.get("parameters", ()):
            content = each["content"][JSON] if "content" in each else each
            checked(content["schema"], content["example"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            checked(content["schema"], content["example"])
    for example in DOCUMENT["components"]["examples"].values():
        checked({"$ref": "#/components/schemas/Error"}, example["value"])
    for header in TOLD.values():
        checked(header["schema"], header["example"])


# What is refused


class Refusals:
    """How each problem of the table is brought about, with the request of a call's examples."""

    def __init__(self, world: World, call: Call) -> None:
        self.world, self.call = world, call
        self.house = world.service.house

    def of(self, problem: Problem) -> Any:
        """The answer that tells of the problem."""
        return getattr(self, f"_{problem.status}_{problem.code.replace('.', '_').lower()}")()

    def _ask(self, **changes: Any) -> Any:
        return self.world.ask(self.call.name, **changes)

    def _sending(self, **fields: Any) -> Any:
        """With other fields, in the body or in the query."""
        made = self.world.request(self.call.name)
        if self.call.body:
            return self._ask(json={**made["json"], **fields})
        return self._ask(params={**made["params"], **fields})

    def _400_iotda_000006(self) -> Any:
        if self.call.name == "ListProjects":
            return self._ask(params=[("name", "a"), ("name", "b")])
        return self._sending(**WRONG[self.call.name])

    def _400_iotda_000008(self) -> Any:
        return self._ask(json=None, content=b"{", headers={"Content-Type": JSON})

    def _400_iotda_000017(self) -> Any:
        return self._sending(limit=0)

    def _400_iotda_000018(self) -> Any:
        return self._sending(marker="x")

    def _401_apigw_0301(self) -> Any:
        made = self.world.request(self.call.name)
        if self.call.login:
            made["json"] = json.loads(json.dumps(made["json"]).replace(PASSWORD, "guessed"))
        return self.world.service.http.request(made.pop("method"), made.pop("path"), **made)

    def _401_apigw_0307(self) -> Any:
        clock, now = self.world.service.story.clock, self.world.service.story.clock.now
        clock.now = datetime.fromisoformat("2026-11-30T12:00:00Z") - TOKEN_LIVES
        made = self.world.request(self.call.name)
        user = self.world.service.household.queries.user(self.world.ada.user_id)
        tokens = self.world.service.household.tokens
        token = tokens.issue(user.user_id, PROJECT, user.password_version, clock.now)
        clock.now = max(now, datetime.fromisoformat("2026-11-30T12:00:01Z"))
        headers = {"X-Auth-Token": token.text}
        return self.world.service.http.request(
            made["method"], made["path"], params=made["params"], headers=headers
        )

    def _403_iotda_000021(self) -> Any:
        return self._ask(path=self.call.path.replace("{project_id}", "nowhere"))

    def _403_iotda_000022(self) -> Any:
        return self._ask(who=self.world.somebody("ben", admin=False, policy=policy()))

    def _403_iotda_001000(self) -> Any:
        return self._sending(app_id="nowhere")

    def _403_iotda_001007(self) -> Any:
        self.world.service.app("p1", "of-another")
        return self._sending(app_id="of-another")

    def _403_iotda_001005(self) -> Any:
        register = self.world.service.household.register
        register.remove_app(PROJECT, APP, OPERATOR)
        self.world.service.app(PROJECT, "a")
        self.world.service.app(PROJECT, "b")
        return self._sending(app_id=None)

    def _403_iotda_001006(self) -> Any:
        self.world.service.household.register.remove_app(PROJECT, APP, OPERATOR)
        return self._sending(app_id=None)

    def _403_iotda_014701(self) -> Any:
        for _ in range(5):
            assert self._ask().status_code == 201
        return self._ask()

    def _403_iotda_014711(self) -> Any:
        return self._ask(headers={"Instance-Id": "another"})

    def _403_iotda_014703(self) -> Any:
        self.world.create()
        return self._ask()

    def _403_iotda_014704(self) -> Any:
        self.world.stand()
        assert self._ask().status_code == 200
        return self._ask()

    def _404_iotda_014702(self) -> Any:
        return self._ask()

    def _404_iotda_014705(self) -> Any:
        return self._ask(path=self.world.request(self.call.name)["path"][:-1] + "0")

    def _404_apigw_0101(self) -> Any:
        return self._ask()

    def _413_apigw_0201(self) -> Any:
        return self._ask(json=None, content=b" " * (BODY_MOST + 1))

    def _416_iotda_000006(self) -> Any:
        self.world.stand()
        return self._ask(headers={"Range": f"bytes={SIZE}-"})

    def _503_iotda_000007(self) -> Any:
        made = self.world.request(self.call.name)
        log = self.world.service.household.log.path
        log.rename(log.with_name("away"))
        log.mkdir()
        self.house.ledger.journal.recorder.datastore.close()
        if self.call.open:
            return self._ask()
        user_id = self.world.ada.user_id
        now = self.world.service.story.clock()
        token = self.world.service.household.tokens.issue(user_id, PROJECT, 1, now)
        headers = {**made["headers"], "X-Auth-Token": token.text}
        return self.world.service.http.request(
            made["method"], made["path"], params=made["params"], headers=headers
        )


WRONG = {
    "CreateExportTask": {"app_id": "no app"},
    "ListExportTasks": {"app_id": "no app"},
    "ShowOneExportTask": {"at": "noon"},
    "ListBatchTasks": {"app_id": "no app"},
    "ShowBatchTask": {"offset": 501},
    "CreateToken": {"auth": {}},
    "Readyz": {},
}
"""A field of each call that breaks its rule."""

REMOTE = {"source": "iotda+https://iotda.example", "source_region": "cn-north-4"}
SETTINGS = {INSTANCE: {"instances": "instance-1"}, NO_API: REMOTE}
"""Of an installation in which a problem comes."""

PAIRS = [
    pytest.param(call, problem, id=f"{call.name} {problem.status} {problem.code}")
    for call in DESCRIBED
    for status in call.statuses
    for problem in problems_of(call, status)
]
FIRST = {each.values[1]: each.values[0] for each in reversed(PAIRS)}
"""Of each problem the call whose answer its example is."""


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a service with settings of its own."""
    for name in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"):
        monkeypatch.setenv(name, "key")
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(closing(Service(tmp_path, **settings)))


@pytest.mark.parametrize(("call", "problem"), PAIRS)
def test_a_call_is_refused_as_the_document_says(installation, call, problem):
    world = World(installation(**SETTINGS.get(problem, {})))
    answer = Refusals(world, call).of(problem)
    assert (answer.status_code, answer.json()["error_code"]) == (problem.status, problem.code)
    (content,) = answered(call.name, answer)["content"].values()
    checked(content["schema"], answer.json())
    (example,) = (DOCUMENT["components"]["examples"][anchor(problem)]["value"],)
    assert content["examples"][anchor(problem)]["$ref"].endswith(f"/{anchor(problem)}")
    if call is FIRST[problem] and problem is not NO_API:
        assert answer.json() == example


@pytest.mark.parametrize(
    ("problem", "ask"),
    [
        (NO_API, lambda service: service.http.get("/nowhere")),
        (METHOD, lambda service: service.http.patch("/livez")),
        (INTERNAL, lambda service: service.http.get("/readyz")),
    ],
)
def test_what_any_request_may_be_told_is_told_as_its_example_says(service, problem, ask):
    service.house.queries.quarantined = None  # a bug
    answer = ask(service)
    assert answer.status_code == problem.status
    assert answer.json() == DOCUMENT["components"]["examples"][anchor(problem)]["value"]


def test_every_problem_of_the_table_is_brought_about_above():
    of_tasks = {each for each in PROBLEMS if each.status is None}
    assert {*FIRST, NO_API, METHOD, INTERNAL} | of_tasks == set(PROBLEMS)
    assert set(ADVICE) == set(PROBLEMS)


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (FAILED_SOURCE, SourceFailed("The source has two batch tasks of that id.", passing=False)),
        (FAILED_TOO_LARGE, TooLarge(f"more than {255 * SHEET_ROWS:,} rows")),
        (FAILED_NOT_STORED, ResultsFailed("the object store does not answer", passing=True)),
    ],
)
def test_what_a_failed_task_is_told_is_as_its_example_says(problem, error):
    found = failure(error)
    assert (found.code, found.message) == (problem.code, ADVICE[problem].message)


def test_a_code_of_a_failed_task_is_one_of_the_documents(world):
    task = DOCUMENT["components"]["schemas"]["ExportTask"]["properties"]
    codes = {each.code for each in PROBLEMS if each.status is None} | {INTERNAL.code}
    assert set(task["error_code"]["anyOf"][0]["enum"]) == codes
