"""Clients: threads that ask for everything there is to ask for, until they are told to stop."""

from __future__ import annotations

import json
from random import Random
from threading import Event, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from tests.torture.bad import BAD
from tests.torture.downloading import download, head
from tests.torture.records import Exchange
from tests.torture.wire import HOST, Answer, Wire, signed
from tests.web_service import login

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.torture.clock import Clock
    from tests.torture.people import Household, Owner
    from tests.torture.records import Records

THINKING = 0.06
"""Seconds between two requests of a client, on average."""

AWAY = 0.2
"""Seconds before the next try where no answer came."""

NEVER = "0" * 24


class Load:
    """What all clients share."""

    def __init__(
        self, household: Household, records: Records, clock: Clock, ports: list[int], seed: int
    ) -> None:
        self.household, self.records, self.clock = household, records, clock
        self.ports, self.seed = ports, seed
        self.over = Event()
        self.samples: dict[str, bytes] = {}
        self.tokens: list[str] = []

    def run(self, clients: int) -> list[Client]:
        """Starts them."""
        started = [Client(self, number) for number in range(clients)]
        for each in started:
            each.start()
        return started


class Client(Thread):
    """One of them: a request to whichever node, some thinking, the next request."""

    def __init__(self, load: Load, number: int) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self.load = load
        self.random = Random(f"{load.seed} client {number}")
        self._wires = {port: Wire(port) for port in load.ports}

    def run(self) -> None:
        """Asks until it is over."""
        kinds, weights = list(KINDS), [weight for _, weight in KINDS.values()]
        while not self.load.over.wait(self.random.expovariate(1 / THINKING)):
            kind = self.random.choices(kinds, weights)[0]
            KINDS[kind][0](self, self.load.household.choose(self.random))
        self.hang_up()

    def hang_up(self) -> None:
        """Closes its connections."""
        for wire in self._wires.values():
            wire.close()

    def ask(
        self,
        kind: str,
        owner: Owner,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        task_id: str = "",
        most: int = -1,
    ) -> tuple[Exchange, Answer | None]:
        """A signed request and its answer, recorded."""
        content = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        request = signed(owner, method, path, query, content, headers)
        sent = (method, request.uri, request.header_params, content, most)
        exchange, answer = self.send(kind, owner, sent, task_id, query)
        if kind == "create":
            exchange.batch = body["resource_condition"]["task_id"]
        return exchange, answer

    def send(
        self,
        kind: str,
        owner: Owner,
        request: tuple[str, str, dict[str, str], bytes, int],
        task_id: str = "",
        query: dict[str, Any] | None = None,
    ) -> tuple[Exchange, Answer | None]:
        """A request as it stands and its answer, recorded."""
        off, before = self.load.clock.off, self.load.clock.now()
        port = self.random.choice(self.load.ports)
        exchange = Exchange(kind, owner, monotonic(), task_id, query or {}, port=port)
        answer = self._wires[port].send(*request)
        exchange.received, after = monotonic(), self.load.clock.now()
        exchange.earliest, exchange.stepped = min(before, after), off != self.load.clock.off
        if answer is None:
            sleep(AWAY)
        else:
            _take(exchange, answer)
        self.load.records.note(exchange, answer)
        return exchange, answer

    def expect(self, exchange: Exchange, allowed: dict[int, tuple[str, ...]]) -> None:
        """Notes an answer that this request cannot have; a 503 can be had by all."""
        codes = {**allowed, 503: ("IOTDA.000007",)}
        if exchange.status is not None and exchange.code not in codes.get(exchange.status, ()):
            self.load.records.wrong(exchange, f"not an answer to this: {exchange.task_id}")


def create(client: Client, owner: Owner) -> None:
    """Asks for an export; the answer's id is remembered, and at times looked for at once."""
    body = owner.batch(client.random).body()
    exchange, answer = client.ask("create", owner, "POST", owner.tasks, body=body)
    client.expect(exchange, {201: ("",), 403: ("IOTDA.014701",)})
    if answer is not None and answer.status == 201:
        task = answer.document
        exchange.task_id = task["export_task_id"]
        _check_task(client, exchange, task)
        owner.known.append(exchange.task_id)
        if client.random.random() < 0.5:
            list_tasks(client, owner)
        else:
            show(client, owner, exchange.task_id)


def list_tasks(client: Client, owner: Owner) -> None:
    """All of them, in one page."""
    _list(client, owner, {"limit": 50})


def list_some(client: Client, owner: Owner) -> None:
    """A page of them: after a marker, of some conditions, of a status."""
    query: dict[str, Any] = {"limit": client.random.choice((1, 3, 10, 50))}
    if client.random.random() < 0.5:
        query["marker"] = _one(client, owner)
    if client.random.random() < 0.3:
        condition = owner.batch(client.random).body()["resource_condition"]
        query["resource_condition"] = json.dumps(condition)
    if client.random.random() < 0.4:
        query["status"] = client.random.choice(("Processing", "Success", "Failed"))
    _list(client, owner, query)


def show(client: Client, owner: Owner, task_id: str = "") -> None:
    """One task."""
    task_id = task_id or _one(client, owner)
    path = f"{owner.tasks}/{task_id}"
    exchange, answer = client.ask("show", owner, "GET", path, task_id=task_id)
    client.expect(exchange, {200: ("",), 404: ("IOTDA.014702",)})
    if answer is not None and answer.status == 200:
        task = answer.document
        exchange.shown = ((task["export_task_id"], task["status"]),)
        _check_task(client, exchange, task)


def history(client: Client, owner: Owner) -> None:
    """A task's events; they stay when it is gone."""
    task_id = _one(client, owner)
    path = f"{owner.tasks}/{task_id}/events"
    exchange, answer = client.ask("history", owner, "GET", path, task_id=task_id)
    client.expect(exchange, {200: ("",)} if task_id != NEVER else {404: ("IOTDA.014702",)})
    if answer is not None and answer.status == 200:
        told = [event["version"] for event in answer.document["events"]]
        exchange.size = len(told)
        if told != list(range(1, len(told) + 1)):
            client.load.records.wrong(exchange, f"a history with gaps: {told}")


def quota(client: Client, owner: Owner) -> Exchange:
    """The owner's numbers."""
    path = f"/v5/iot/{owner.project}/export-quota"
    exchange, answer = client.ask("quota", owner, "GET", path)
    client.expect(exchange, {200: ("",)})
    if answer is not None and answer.status == 200:
        exchange.query = {name: answer.document[name] for name in ("kept", "unfinished")}
    return exchange


def delete(client: Client, owner: Owner) -> None:
    """Removes a task; at times one that is gone."""
    task_id = _one(client, owner)
    path = f"{owner.tasks}/{task_id}"
    exchange, _ = client.ask("delete", owner, "DELETE", path, task_id=task_id)
    client.expect(exchange, {204: ("",), 404: ("IOTDA.014702",)})


def foreign(client: Client, owner: Owner) -> None:
    """Another owner's task is as if it were not there."""
    other = client.load.household.choose(client.random)
    if other is owner or not other.known:
        return
    task_id = client.random.choice(list(other.known))
    method, path = client.random.choice(
        (("GET", ""), ("GET", "/file"), ("GET", "/events"), ("DELETE", ""))
    )
    exchange, _ = client.ask("foreign", owner, method, f"{owner.tasks}/{task_id}{path}")
    client.expect(exchange, {404: ("IOTDA.014702",)})


def bad(client: Client, owner: Owner) -> None:
    """A request that must be refused, and how is known."""
    make, status, code = client.random.choice(BAD)
    exchange, _ = client.send("bad", owner, (*make(owner), -1))
    client.expect(exchange, {status: (code,)})


def by_token(client: Client, owner: Owner) -> None:
    """A token for the password, and a list by it. A login that was cut off counts as a try."""
    body = _json(login(owner.name, owner.password, id=owner.project))
    sent = {"Host": HOST, "Content-Type": "application/json", "Content-Length": str(len(body))}
    exchange, answer = client.send("login", owner, ("POST", "/v3/auth/tokens", sent, body, -1))
    client.expect(exchange, {201: ("",), 401: ("APIGW.0301",)})
    if answer is None or answer.status != 201:
        return
    token = answer.headers["x-subject-token"]
    client.load.tokens.append(token)
    headers, query = {"Host": HOST, "X-Auth-Token": token}, {"limit": 50}
    request = ("GET", f"{owner.tasks}?limit=50", headers, b"", -1)
    _listed(client, owner, *client.send("list", owner, request, query=query))


def projects(client: Client, owner: Owner) -> None:
    """The user's projects."""
    exchange, answer = client.ask("projects", owner, "GET", "/v3/projects")
    client.expect(exchange, {200: ("",)})
    if answer is not None and answer.status == 200:
        found = [each["id"] for each in answer.document["projects"]]
        if found != [owner.project]:
            client.load.records.wrong(exchange, f"projects {found}")


KINDS: dict[str, tuple[Callable[[Client, Owner], object], int]] = {
    "create": (create, 24),
    "list": (list_tasks, 14),
    "list some": (list_some, 10),
    "show": (show, 14),
    "history": (history, 4),
    "quota": (quota, 4),
    "download": (download, 14),
    "head": (head, 3),
    "delete": (delete, 5),
    "foreign": (foreign, 3),
    "bad": (bad, 4),
    "projects": (projects, 1),
    "by token": (by_token, 1),
}


def _list(client: Client, owner: Owner, query: dict[str, Any]) -> None:
    _listed(client, owner, *client.ask("list", owner, "GET", owner.tasks, query))


def _listed(client: Client, owner: Owner, exchange: Exchange, answer: Answer | None) -> None:
    client.expect(exchange, {200: ("",)})
    if answer is not None and answer.status == 200:
        tasks = answer.document["export_tasks"]
        exchange.shown = tuple((each["export_task_id"], each["status"]) for each in tasks)
        exchange.size = answer.document["page"]["count"]
        owner.done.extend(task for task, status in exchange.shown if status == "Success")


def _one(client: Client, owner: Owner) -> str:
    """A task of the owner's that once was there; now and then one that never was."""
    known = list(owner.known)
    return client.random.choice(known) if known and client.random.random() < 0.97 else NEVER


def _take(exchange: Exchange, answer: Answer) -> None:
    exchange.status = answer.status
    exchange.request_id = answer.headers.get("x-request-id", "")
    if answer.status >= 400:
        told = answer.document
        exchange.code = str(told.get("error_code")) if isinstance(told, dict) else ""


def _check_task(client: Client, exchange: Exchange, task: dict[str, Any]) -> None:
    status, progress = task["status"], task["progress"]
    ended = status != "Processing"
    right = {"Processing": 1 <= progress <= 99, "Success": progress == 100}.get(status, True)
    if not right or ended != (task["end_time"] is not None):
        client.load.records.wrong(exchange, f"a task that contradicts itself: {task}")


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
