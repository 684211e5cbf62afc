"""Wire: requests signed beforehand, sent over connections that stay open; nothing in between."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer import signer

from scripts.benchmarks.figures import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.benchmarks.homes import Server, User

CONNECTIONS = 8
"""As many requests are under way at any time: the server never waits for its client."""

HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")
"""In a second; the least CPU time that is told is one."""

# The SDK has no types.
_Signer: Any = signer.Signer


class Unexpected(Exception):
    """An answer of another status than was measured; it is the text."""


class Answer(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes


def signed(user: User, method: str, path: str, body: bytes = b"") -> bytes:
    """A whole request as it goes over the wire, signed by the official SDK's signer."""
    headers = {
        "X-Sdk-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    request = SdkRequest(
        method=method,
        host=HOST,
        resource_path=path,
        query_params=[],
        header_params=headers,
        body=body,
    )
    credentials = BasicCredentials(user.access_key, user.secret_key, user.owner.project_id)
    _Signer(credentials).sign(request)
    lines = [f"{name}: {value}" for name, value in request.header_params.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


class Wire:
    """Connections to a server; every request gets the answer that is expected, or it is over."""

    def __init__(self, server: Server, connections: int = CONNECTIONS) -> None:
        self._server, self._number = server, connections
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._connections = [
            self._open.enter_context(_Connection(self._server.port)) for _ in range(self._number)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def exchange(self, requests: Sequence[bytes], status: int) -> tuple[Sample, list[bytes]]:
        """Sends them all in turn; `cpu` is the server's.

        Raises:
            Unexpected: an answer of another status.
        """
        began, ticks = perf_counter(), _ticks_of(self._server.pid)
        answers = self._answers(requests)
        seconds = perf_counter() - began
        cpu = max(1, _ticks_of(self._server.pid) - ticks) / TICKS
        for answer in answers:
            if answer.status != status:
                raise Unexpected(f"{answer.status} {answer.body.decode()}")
        return Sample(len(requests), seconds, cpu), [answer.body for answer in answers]

    def _answers(self, requests: Sequence[bytes]) -> list[Answer]:
        answers = []
        for number, request in enumerate(requests):
            connection = self._connections[number % self._number]
            if number >= self._number:
                answers.append(connection.receive())
            connection.send(request)
        under_way = range(len(answers), len(requests))
        return [*answers, *(self._connections[n % self._number].receive() for n in under_way)]


class _Connection:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, request: bytes) -> None:
        self._socket.sendall(request)

    def receive(self) -> Answer:
        """The next answer; it must say its length."""
        status, length = int(self._answers.readline().split()[1]), 0
        while (line := self._answers.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return Answer(status, self._answers.read(length))


def _ticks_of(pid: int) -> int:
    """The CPU time that a process has used, of all its threads, in the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
