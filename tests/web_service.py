"""A service: the API over a household's stores, its clock in the test's hands, and clients."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager, suppress
from hashlib import sha256
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import uvicorn
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.values import is_shared
from domain.commands import CompleteTask
from exporter.results import open_results
from tests.facts import BATCH, OPERATOR, a_file
from tests.household import SECRET_KEY, Household

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = "/v5/iot/p1"
TASKS = PROJECT + "/export-tasks"
BODY = {"resource_type": "BatchTask", "resource_condition": {"task_id": BATCH}}
NOWHERE = "0" * 24


class Service:
    """The API of a household, in this process."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.household = Household(folder, settings.get("events"))
        self.story = self.household.story
        settings = {"home": folder, "secret_key": SECRET_KEY.decode(), **settings}
        self.settings = Settings.read({}, **settings)
        self.results = open_results(self.settings.results, self.settings.spools)
        self.http = TestClient(create_app(self.settings), raise_server_exceptions=False)
        self.http.__enter__()
        self.house = self.http.app_state["house"]
        self.house.ledger.journal.clock = self.story.clock
        self.asked_on_loop: list[str] = []
        if is_shared(self.settings.events):
            self._notice(self.house.ledger.journal, "clock")
            self._notice(self.house.ledger.journal.recorder.datastore, "get_connection")
        for probe in (self.house.health.log, self.house.health.results):
            probe.fresh = 0  # every question is asked anew

    def _notice(self, part: Any, question: str) -> None:
        """A question to a store elsewhere, on the event loop, keeps everybody waiting."""
        ask = getattr(part, question)

        def noticed(*given: Any) -> Any:
            with suppress(RuntimeError):
                asyncio.get_running_loop()
                self.asked_on_loop.append(question)
            return ask(*given)

        setattr(part, question, noticed)

    def client(self, name: str = "Ann", **changes: Any) -> Client:
        """Somebody new with a key."""
        return Client(self, self.household.add(name, **changes))

    def app(self, project_id: str, app_id: str, default: bool = False) -> None:
        """An operator adds an app."""
        self.household.register.add_app(project_id, app_id, default, OPERATOR)

    def finish(self, task_id: str, content: bytes = b"workbook", **changes: Any) -> str:
        """An exporter makes the file; its key is returned."""
        task = self.story.ledger.task(task_id)
        claim = self.story.claim(task)
        digest = sha256(content).hexdigest()
        file = a_file(task, claim, size=len(content), sha256=digest, **changes)
        spool = self.results.spool(file.key)
        spool.write_bytes(content)
        self.results.put(file.key, spool)
        self.story.ledger.complete(CompleteTask(claim, file, file.rows))
        return file.key

    def close(self) -> None:
        """Stops it."""
        self.http.__exit__()
        self.household.close()
        assert not self.asked_on_loop


class Client:
    """Somebody who signs requests as the official SDK does."""

    def __init__(self, service: Service, credentials: Any) -> None:
        self.service, self.made = service, credentials
        self.user_id = credentials.user_id
        self.access_key = credentials.access_key
        self._token = credentials.security_token
        self._credentials = BasicCredentials(credentials.access_key, credentials.secret_key, "p1")

    def signed(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | list | None = None,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> SdkRequest:
        """A request, signed at the service's time."""
        now = self.service.story.clock().strftime("%Y%m%dT%H%M%SZ")
        token = {"X-Security-Token": self._token} if self._token else {}
        pairs = list(query.items()) if isinstance(query, dict) else list(query or [])
        request = SdkRequest(
            method=method,
            host="testserver",
            resource_path=path,
            query_params=pairs,
            header_params={"X-Sdk-Date": now, **token, **(headers or {})},
            body=body,
        )
        Signer(self._credentials).sign(request)
        return request

    def ask(self, method: str, path: str, query=None, body: Any = b"", headers=None, **unsigned):
        """The answer to a signed request; `unsigned` headers are added to it."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if content:
            headers = {"Content-Type": "application/json", **(headers or {})}
        request = self.signed(method, path, query, content, headers)
        extra = {name.replace("_", "-"): value for name, value in unsigned.items()}
        return self.service.http.request(
            method, request.uri, content=content or None, headers=request.header_params | extra
        )

    def by_token(self, method: str, path: str, project_id: str = "p1", **request: Any):
        """The answer to a request that is sent as it stands, with a token."""
        household = self.service.household
        user = household.queries.user(self.user_id)
        now = self.service.story.clock()
        token = household.tokens.issue(self.user_id, project_id, user.password_version, now)
        headers = {"X-Auth-Token": token.text} | dict(request.pop("headers", None) or {})
        return self.service.http.request(method, path, headers=headers, **request)

    def get(self, path: str = TASKS, query=None, **unsigned: str):
        """A signed GET."""
        return self.ask("GET", path, query, **unsigned)

    def post(self, body: Any = BODY, headers=None, path: str = TASKS):
        """A signed create."""
        return self.ask("POST", path, body=body, headers=headers)

    def create(self, batch: str = BATCH, **changes: Any) -> str:
        """Creates a task and returns its id."""
        answer = self.post({**BODY, "resource_condition": {"task_id": batch}, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json()["export_task_id"]

    def finished(self, content: bytes = b"workbook", batch: str = BATCH) -> str:
        """Creates a task that an exporter finishes at once."""
        task_id = self.create(batch)
        self.service.finish(task_id, content)
        return task_id

    def download(self, task_id: str, method: str = "GET", **headers: str):
        """Asks for a task's file."""
        return self.ask(method, f"{TASKS}/{task_id}/file", **headers)


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The API at an address of its own, until the end of the block."""
    config = uvicorn.Config(
        create_app(settings), port=0, log_config=None, access_log=False, ws="none", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = monotonic() + 60
        while not server.started:
            assert monotonic() < until
            assert thread.is_alive()
            sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def login(name: str, password: str, domain: str = "default", /, **project: str) -> dict[str, Any]:
    """The body of a login, by default for the first project."""
    user = {"name": name, "password": password, "domain": {"name": domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": project or {"id": "p1"}}}}


def refused(answer, status: int, code: str, *words: str) -> str:
    """Checks an error as a client sees it, and returns its message."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error_code", "error_msg"}
    assert body["error_code"] == code
    assert answer.headers["content-type"] == "application/json"
    for word in words:
        assert word in body["error_msg"]
    return body["error_msg"]
