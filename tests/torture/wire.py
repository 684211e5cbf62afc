"""Wire: one signed request after the other over a connection that stays open where it can."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer import signer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse

    from tests.torture.people import Owner

HOST = "127.0.0.1"
PATIENCE = 20.0
"""Seconds that a client waits for an answer: it may be a stopped process that has to give it."""

CHUNK = 32 * 1024
FILE = "application/octet-stream;charset=iso-8859-1"

# The SDK has no types.
_Signer: Any = signer.Signer
_Request: Any = SdkRequest
_Credentials: Any = BasicCredentials


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `whole` is false where a file was broken off."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

    @property
    def document(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def sha256(self) -> str:
        """Of the body."""
        return sha256(self.body).hexdigest()


def signed(
    owner: Owner,
    method: str,
    path: str,
    query: Mapping[str, Any] | None = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Any:
    """A request as the official SDK signs it: `uri` and `header_params` go over the wire."""
    given = {"X-Sdk-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), **(headers or {})}
    if body:
        given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **given}
    request = _Request(
        method=method,
        host=HOST,
        resource_path=path,
        query_params=list((query or {}).items()),
        header_params=given,
        body=body,
    )
    _Signer(_Credentials(owner.access_key, owner.secret_key, owner.project)).sign(request)
    return request


class Wire:
    """A client's connection; for one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: HTTPConnection | None = None

    def send(
        self, method: str, uri: str, headers: Mapping[str, str], body: bytes = b"", most: int = -1
    ) -> Answer | None:
        """The answer; None where none came whole, which is no fault where a process was killed.

        Of a file what came is an answer, too; at most `most` bytes of it are read.
        """
        try:
            return self._exchange(method, uri, headers, body, most)
        except (OSError, HTTPException):
            self.close()
            return None

    def close(self) -> None:
        """Hangs up."""
        if self._connection:
            with suppress(OSError):
                self._connection.close()
        self._connection = None

    def _exchange(
        self, method: str, uri: str, headers: Mapping[str, str], body: bytes, most: int
    ) -> Answer | None:
        connection = self._connection = self._connection or HTTPConnection(
            HOST, self._port, timeout=PATIENCE
        )
        connection.putrequest(method, uri, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        content, whole = _read(answer, most)
        if not whole:
            self.close()
        if not whole and named.get("content-type") != FILE:
            return None
        return Answer(answer.status, named, content, whole)


def _read(answer: HTTPResponse, most: int) -> tuple[bytes, bool]:
    """The body, as far as it comes and is wanted; and whether that is all of it."""
    content = bytearray()
    try:
        while most < 0 or len(content) < most:
            chunk = answer.read(CHUNK)
            if not chunk:
                return bytes(content), answer.length in (0, None)
            content += chunk
    except (OSError, HTTPException):
        return bytes(content), False
    return bytes(content[:most]), False
