"""Answers: what a service says to its client, its no among it, and what a download promises."""

from __future__ import annotations

import json
import re
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.advice import EXPORT_AGAIN, LATER, with_advice
from scripts.cli import Refused
from scripts.exits import CANNOT_TELL
from scripts.talk import plain

if TYPE_CHECKING:
    from email.message import Message
    from http.client import HTTPResponse
    from urllib.error import HTTPError

PASSING = frozenset({429, 502, 503, 504})
"""Statuses of a service, or of a proxy before it, that may answer in a moment."""

LOST = (HTTPException, OSError)
"""What is raised where a connection, or an answer, does not come about."""

_FILE_LOST = "The file is not available"
"""How the service's message begins where its store answers, and the file is not there as it was."""

_TAG = re.compile(r'(?:W/)?"([0-9a-f]{64})"')
_NAME = re.compile(r'filename="(\w[\w.-]*)"', re.ASCII)


class Declined(Refused):
    """The service's own no: its status, code, and the seconds it says to wait, if it does."""

    def __init__(self, told: str, status: int, code: str | None, retry_after: float | None) -> None:
        super().__init__(told)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class FileLost(Declined):
    """The service answers, and does not have the file: to ask for it again does not bring it."""


class NoAnswer(Refused):
    """Nothing came back: whether it was done cannot be told."""

    exit_code = CANNOT_TELL
    retry_after: float | None = None


class Replaced(Exception):
    """The file is another one now (contract, rule 4)."""


class Offer(NamedTuple):
    """What a download gives: its bytes' size and SHA-256, whose they are, and a name for them.

    One that is `granted` may be downloaded without another grant.
    """

    size: int
    sha256: str
    task_id: str
    name: str
    granted: bool = False

    @property
    def etag(self) -> str:
        """By which a broken transfer goes on."""
        return f'"{self.sha256}"'

    def document(self) -> dict[str, Any]:
        """What is told of it."""
        return {"size": self.size, "sha256": self.sha256, "export_task_id": self.task_id}


def read(answer: HTTPResponse, most: int | None = None) -> bytes:
    """What comes next of an answer, nothing at its end. Raises NoAnswer where it breaks off."""
    try:
        return answer.read(most)
    except LOST as error:
        raise no_answer("The answer broke off", error) from error


def hash_in(headers: Message) -> str | None:
    """The SHA-256 that the ETag is, if it is one."""
    tag = _TAG.fullmatch(headers["etag"] or "")
    return tag[1] if tag else None


def offer_of(headers: Message, task_id: str) -> Offer:
    """What the headers of a file promise. Raises Refused where they promise too little."""
    sha256, size = hash_in(headers), headers["content-length"] or ""
    if sha256 is None or not size.isdigit():
        raise Refused("The service does not say the file's size and SHA-256: nothing is fetched.")
    named = _NAME.search(headers["content-disposition"] or "")
    name = named[1] if named else f"{task_id}.xls"
    return Offer(int(size), sha256, headers["x-export-task-id"] or task_id, name)


def declined(error: HTTPError) -> Declined:
    """The answer in one line: message, code, request id, what to do next."""
    wait = error.headers["retry-after"] or ""
    retry_after = float(wait) if wait.isascii() and wait.isdigit() else None
    told, code = _words(error)
    request_id = error.headers["x-request-id"]
    marks = ", ".join(filter(None, (code, request_id and f"request {plain(request_id)}")))
    if told.startswith(_FILE_LOST):
        line = f"The file is lost or damaged in the service's store ({marks}). {EXPORT_AGAIN}"
        return FileLost(line, error.code, code, retry_after)
    line = with_advice(f"{told} ({marks})" if marks else told, code)
    if retry_after:
        line = line.replace(LATER, f"Try again in {retry_after:g} s.")
    return Declined(line, error.code, code, retry_after)


def _words(error: HTTPError) -> tuple[str, str | None]:
    """What the body says; of an answer that is not the service's, its status."""
    try:
        told = json.loads(error.read())
        return plain(told["error_msg"]), plain(told["error_code"])
    except (*LOST, ValueError, TypeError, KeyError):
        to = error.headers["location"]
        elsewhere = f": it points to {plain(to)}. Check EXPORT_TASKS_ENDPOINT" if to else ""
        return f"The service answers {error.code} {plain(error.reason)}{elsewhere}.", None


def no_answer(what: str, error: Exception) -> NoAnswer:
    """That nothing came back, and why."""
    cause = getattr(error, "reason", error)
    why = plain(getattr(cause, "strerror", None) or str(cause) or type(cause).__name__)
    return NoAnswer(f"{what}: {why.rstrip('.')}.")
