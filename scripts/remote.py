"""Remote: a service's export tasks, asked for over signed HTTP.

Nothing but the standard library: the official SDK takes half a second to import.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from api.access.signatures import RawRequest, sign
from scripts.advice import LATER, with_advice
from scripts.cli import Refused
from scripts.talk import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from http.client import HTTPResponse

    from scripts.account import Account

    Task = dict[str, Any]

CALL_SECONDS = 60.0
"""How long the service may be silent."""

PAGE = 50
"""Tasks in an answer, at most (contract, section 1 List)."""

PASSING = frozenset({429, 502, 503, 504})
"""Statuses of a service, or of a proxy before it, that may answer in a moment."""

PARTIAL = 206
TOO_SOON = "IOTDA.014704"
_LOST = (HTTPException, OSError)
_TAG = re.compile(r'(?:W/)?"([0-9a-f]{64})"')
_NAME = re.compile(r'filename="(\w[\w.-]*)"', re.ASCII)


class Declined(Refused):
    """The service's own no: its status, code, and the seconds it says to wait, if it does."""

    def __init__(self, told: str, status: int, code: str | None, retry_after: float | None) -> None:
        super().__init__(told)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class NoAnswer(Refused):
    """Nothing came back: whether it was done cannot be told."""

    exit_code = 4
    retry_after: float | None = None


class Replaced(Exception):
    """The file is another one now (contract, rule 4)."""


class Offer(NamedTuple):
    """What a download gives: its bytes' size and SHA-256, whose they are, and a name for them."""

    size: int
    sha256: str
    task_id: str
    name: str

    @property
    def etag(self) -> str:
        """By which a broken transfer goes on."""
        return f'"{self.sha256}"'

    def document(self) -> dict[str, Any]:
        """What is told of it."""
        return {"size": self.size, "sha256": self.sha256, "export_task_id": self.task_id}


class _NoRedirect(HTTPRedirectHandler):
    """A signature is for the host that it names."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follows none."""


class Remote:
    """The calls of one account. Proxies and certificates: as `urllib` takes them.

    Every call raises Declined where the service says no, and NoAnswer where it says nothing.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._tasks = f"/v5/iot/{quote(account.project, safe='')}/export-tasks"
        self._opener = build_opener(_NoRedirect)

    def create(self, body: dict[str, Any], instance: str | None) -> Task:
        """A new task."""
        headers = {"content-type": "application/json"} | _if_given("instance-id", instance)
        return self._told("POST", self._tasks, body=json.dumps(body).encode(), headers=headers)

    def tasks(self, most: int | None, wanted: dict[str, str]) -> Iterator[Task]:
        """The newest tasks that are as wanted, at most so many."""
        marker: dict[str, str] = {}
        while most is None or most > 0:
            limit = PAGE if most is None else min(PAGE, most)
            page = self._told("GET", self._tasks, wanted | {"limit": str(limit)} | marker)
            yield from page["export_tasks"]
            if len(page["export_tasks"]) < limit:
                return
            marker = {"marker": page["page"]["marker"]}
            most = None if most is None else most - limit

    def show(self, task_id: str) -> Task:
        """One task, with what a download would give."""
        return self._told("GET", self._task(task_id))

    def delete(self, task_id: str) -> None:
        """Removes a task."""
        self._sent("DELETE", self._task(task_id)).close()

    def quota(self) -> dict[str, Any]:
        """The user's own numbers beside their limits."""
        return self._told("GET", f"{self._tasks.removesuffix('export-tasks')}export-quota")

    def offer(self, task_id: str) -> Offer:
        """What a download would give now; nothing is granted for it."""
        with self._sent("HEAD", self._task(task_id) + "/file") as answer:
            return _offer(answer.headers, task_id)

    def open(self, task_id: str, offer: Offer, start: int) -> HTTPResponse:
        """The file's bytes from `start` on, to be read by `read`.

        Raises:
            Replaced: they are no longer those of the offer.
        """
        resume = {"range": f"bytes={start}-", "if-range": offer.etag} if start else {}
        answer = self._sent("GET", self._task(task_id) + "/file", headers=resume)
        if hash_in(answer.headers) != offer.sha256 or (start and answer.status != PARTIAL):
            answer.close()
            raise Replaced
        return answer

    def _task(self, task_id: str) -> str:
        return f"{self._tasks}/{quote(task_id, safe='')}"

    def _told(
        self, method: str, path: str, query: dict[str, str] | None = None, **sent: Any
    ) -> Task:
        with self._sent(method, path, query, **sent) as answer:
            try:
                told: Task = json.loads(read(answer))
            except ValueError as error:
                raise Refused(
                    f"{self._account.endpoint} does not answer as an export-task service does. "
                    "Check EXPORT_TASKS_ENDPOINT."
                ) from error
        return told

    def _sent(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        request = self._signed(method, path, query or {}, body, headers or {})
        try:
            answer: HTTPResponse = self._opener.open(request, timeout=CALL_SECONDS)
        except HTTPError as error:
            with error:
                raise _declined(error) from error
        except _LOST as error:
            raise NoAnswer(f"{self._account.endpoint} does not answer: {_why(error)}.") from error
        return answer

    def _signed(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> Request:
        account = self._account
        url = account.endpoint + path + ("?" + urlencode(query, quote_via=quote) if query else "")
        parts = urlsplit(url)
        headers = {
            "host": account.host,
            "x-sdk-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            "accept-encoding": "identity",
            **_if_given("x-security-token", account.security_token),
            **headers,
        }
        listed = tuple((name.encode(), value.encode()) for name, value in headers.items())
        raw = RawRequest(method, parts.path.encode(), parts.query.encode(), listed, body)
        proof = sign(raw, account.access_key, account.secret_key).decode()
        return Request(  # noqa: S310 (http or https: the account's endpoint is)
            url, body or None, headers | {"authorization": proof}, method=method
        )


def read(answer: HTTPResponse, most: int | None = None) -> bytes:
    """What comes next of an answer, nothing at its end. Raises NoAnswer where it breaks off."""
    try:
        return answer.read(most)
    except _LOST as error:
        raise NoAnswer(f"The answer broke off: {_why(error)}.") from error


def hash_in(headers: Message) -> str | None:
    """The SHA-256 that the ETag is, if it is one."""
    tag = _TAG.fullmatch(headers["etag"] or "")
    return tag[1] if tag else None


def _if_given(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}


def _offer(headers: Message, task_id: str) -> Offer:
    sha256, size = hash_in(headers), headers["content-length"] or ""
    if sha256 is None or not size.isdigit():
        raise Refused("The service does not say the file's size and SHA-256: nothing is fetched.")
    named = _NAME.search(headers["content-disposition"] or "")
    name = named[1] if named else f"{task_id}.xls"
    return Offer(int(size), sha256, headers["x-export-task-id"] or task_id, name)


def _declined(error: HTTPError) -> Declined:
    """The answer in one line: message, code, request id, what to do next."""
    wait = error.headers["retry-after"] or ""
    retry_after = float(wait) if wait.isascii() and wait.isdigit() else None
    told, code = _words(error)
    request_id = error.headers["x-request-id"]
    marks = ", ".join(filter(None, (code, request_id and f"request {plain(request_id)}")))
    line = with_advice(f"{told} ({marks})" if marks else told, code)
    if retry_after:
        line = line.replace(LATER, f"Try again in {retry_after:g} s.")
    return Declined(line, error.code, code, retry_after)


def _words(error: HTTPError) -> tuple[str, str | None]:
    """What the body says; of an answer that is not the service's, its status."""
    try:
        told = json.loads(error.read())
        return plain(told["error_msg"]), plain(told["error_code"])
    except (*_LOST, ValueError, TypeError, KeyError):
        to = error.headers["location"]
        elsewhere = f": it points to {plain(to)}. Check EXPORT_TASKS_ENDPOINT" if to else ""
        return f"The service answers {error.code} {plain(error.reason)}{elsewhere}.", None


def _why(error: Exception) -> str:
    return plain(str(getattr(error, "reason", error)) or type(error).__name__).rstrip(".")
