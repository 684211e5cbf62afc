"""Remote: a service's export tasks, asked for over signed HTTP.

Nothing but the standard library: the official SDK takes half a second to import.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from api.access.signatures import RawRequest, sign
from scripts.answers import (
    LOST,
    Declined,
    NoAnswer,
    Replaced,
    declined,
    hash_in,
    no_answer,
    offer_of,
    read,
)
from scripts.cli import Refused
from scripts.shapes import QUOTA, TASK, TASKS, fits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse

    from scripts.account import Account
    from scripts.answers import Offer
    from scripts.shapes import Shape

    Task = dict[str, Any]

CALL_SECONDS = 60.0
"""How long the service may be silent."""

PAGE = 50
"""Tasks in an answer, at most (contract, section 1 List)."""

NO_CONTENT, PARTIAL, UNAVAILABLE = 204, 206, 503


class _NoRedirect(HTTPRedirectHandler):
    """A signature is for the host that it names."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follows none."""


class Remote:
    """The calls of one account. Proxies and certificates: as `urllib` takes them.

    Every call raises Declined where the service says no, NoAnswer where it says nothing, and
    Refused where it is another service that answers.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._tasks = f"/v5/iot/{quote(account.project, safe='')}/export-tasks"
        self._opener = build_opener(_NoRedirect)

    def create(self, body: dict[str, Any], instance: str | None) -> Task:
        """A new task. It is asked for once: an answer that is lost may have been a task."""
        headers = {"content-type": "application/json"} | _if_given("instance-id", instance)
        try:
            return self._told(
                TASK, "POST", self._tasks, body=json.dumps(body).encode(), headers=headers
            )
        except NoAnswer as error:
            raise NoAnswer(f"{error.message} Was it created? export-tasks export list") from error

    def tasks(self, most: int | None, wanted: dict[str, str]) -> Iterator[Task]:
        """The newest tasks that are as wanted, at most so many."""
        marker: dict[str, str] = {}
        while most is None or most > 0:
            limit = PAGE if most is None else min(PAGE, most)
            page = self._told(TASKS, "GET", self._tasks, wanted | {"limit": str(limit)} | marker)
            yield from page["export_tasks"]
            if len(page["export_tasks"]) < limit:
                return
            marker = {"marker": page["page"]["marker"]}
            most = None if most is None else most - limit

    def show(self, task_id: str) -> Task:
        """One task, with what a download would give."""
        return self._told(TASK, "GET", self._task(task_id))

    def delete(self, task_id: str) -> None:
        """Removes a task."""
        with self._sent("DELETE", self._task(task_id)) as answer:
            if answer.status != NO_CONTENT:
                raise self._another()

    def quota(self) -> dict[str, Any]:
        """The user's own numbers beside their limits."""
        return self._told(QUOTA, "GET", f"{self._tasks.removesuffix('export-tasks')}export-quota")

    def offer(self, task_id: str) -> Offer:
        """What a download would give now; nothing is granted for it.

        Where the service fails it is asked to download after all: the answer to a HEAD cannot say
        whether its store is away or the file is lost.
        """
        path = self._task(task_id) + "/file"
        try:
            with self._sent("HEAD", path) as answer:
                return offer_of(answer.headers, task_id)
        except Declined as no:
            if no.status != UNAVAILABLE:
                raise
        with self._sent("GET", path) as answer:
            return offer_of(answer.headers, task_id)._replace(granted=True)

    def open(self, task_id: str, offer: Offer, start: int) -> HTTPResponse:
        """The file's bytes from `start` on, to be read by `read`.

        Raises:
            Replaced: they are no longer those of the offer.
        """
        resumes = start or offer.granted
        resume = {"range": f"bytes={start}-", "if-range": offer.etag} if resumes else {}
        answer = self._sent("GET", self._task(task_id) + "/file", headers=resume)
        if hash_in(answer.headers) != offer.sha256 or (start and answer.status != PARTIAL):
            answer.close()
            raise Replaced
        return answer

    def _task(self, task_id: str) -> str:
        return f"{self._tasks}/{quote(task_id, safe='')}"

    def _told(
        self, shape: Shape, method: str, path: str, query: dict[str, str] | None = None, **sent: Any
    ) -> Task:
        with self._sent(method, path, query, **sent) as answer:
            try:
                told: Task = json.loads(read(answer))
            except ValueError as error:
                raise self._another() from error
        if not fits(told, shape):
            raise self._another()
        return told

    def _another(self) -> Refused:
        return Refused(
            f"{self._account.endpoint} does not answer as an export-task service does. "
            "Check EXPORT_TASKS_ENDPOINT."
        )

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
                raise declined(error) from error
        except LOST as error:
            told = f"{self._account.endpoint} (EXPORT_TASKS_ENDPOINT) does not answer"
            raise no_answer(told, error) from error
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


def _if_given(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}
