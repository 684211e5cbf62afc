"""Load: clients of a running service that ask without a pause, and count whatever fails."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from select import select
from threading import Event, Thread
from time import sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNFINISHED_MOST, CREATED_MOST = 8, 900
PIECE = 64 * 1024


class Kept:
    """A connection that is kept from one request to the next; no request is sent twice."""

    def __init__(self, endpoint: str, token: str = "", source: str = "") -> None:
        self.endpoint = endpoint
        address = (source, 0) if source else None
        self._http = HTTPConnection(urlsplit(endpoint).netloc, timeout=60, source_address=address)
        self._headers = {"X-Auth-Token": token} if token else {}

    def ask(self, method: str, path: str, body: Any = None, pause: float = 0.0, **headers: str):
        """Status, headers and body; the body is read piece by piece, with a pause after each."""
        if self._http.sock and select([self._http.sock], [], [], 0)[0]:
            self._http.close()  # as every pool of connections does
        content = None if body is None else json.dumps(body)
        self._http.request(method, path, content, self._headers | headers)
        answer = self._http.getresponse()
        pieces = []
        while piece := answer.read(PIECE):
            pieces.append(piece)
            sleep(pause)
        return answer.status, answer.headers, b"".join(pieces)

    def close(self) -> None:
        """Hangs up."""
        self._http.close()


class Load:
    """What clients of one user did: how often it went well, what failed, which tasks they made."""

    def __init__(self, endpoint: str, token: str, project: str) -> None:
        self._endpoint, self._token = endpoint, token
        self._tasks = f"/v5/iot/{project}/export-tasks"
        self._over = Event()
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self.created: list[str] = []

    @contextmanager
    def going_on(self, batch: str, finished: str) -> Iterator[None]:
        """Lists, creates exports of `batch`, downloads the file of `finished`, looks for health."""
        kinds = [self._list, self._list, self._create(batch)]
        kinds += [self._download(finished), self._download(finished), self._look]
        threads = [Thread(target=self._go_on, args=(kind,)) for kind in kinds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def create(self, batch: str, kept: Kept | None = None) -> str:
        """Asks for an export of a batch task; the new task's id."""
        wanted = {"resource_type": "BatchTask", "resource_condition": {"task_id": batch}}
        own = kept or Kept(self._endpoint, self._token)
        status, _, body = own.ask("POST", self._tasks, wanted)
        assert status == 201, (status, body)
        if not kept:
            own.close()
        found: str = json.loads(body)["export_task_id"]
        return found

    def _go_on(self, ask: Callable[[Kept], str]) -> None:
        kept = Kept(self._endpoint, self._token)
        while not self._over.is_set():
            try:
                self.done[ask(kept)] += 1
            except (OSError, HTTPException, AssertionError) as error:
                self.failures.append(f"{ask.__qualname__}: {error!r}")
                kept.close()
        kept.close()

    def _list(self, kept: Kept) -> str:
        status, _, body = kept.ask("GET", f"{self._tasks}?limit=5")
        assert status == 200, (status, body)
        return "list"

    def _look(self, _: Kept) -> str:
        new = Kept(self._endpoint)
        status, _, body = new.ask("GET", "/readyz")
        new.close()
        assert status == 200, (status, body)
        sleep(0.02)
        return "readyz"

    def _create(self, batch: str) -> Callable[[Kept], str]:
        def create(kept: Kept) -> str:
            status, _, body = kept.ask("GET", f"{self._tasks}?status=Processing&limit=1")
            assert status == 200, (status, body)
            waiting = json.loads(body)["page"]["count"]
            if waiting >= UNFINISHED_MOST or len(self.created) >= CREATED_MOST:
                sleep(0.1)
                return "wait"
            self.created.append(self.create(batch, kept))
            return "create"

        return create

    def _download(self, task: str) -> Callable[[Kept], str]:
        def download(kept: Kept) -> str:
            path = f"{self._tasks}/{task}/file"
            status, headers, body = kept.ask("GET", path, pause=0.02)
            assert status == 200, (status, body[:200])
            assert headers["etag"] == f'"{sha256(body).hexdigest()}"', "cut or mixed"
            return "download"

        return download


def token_of(endpoint: str, name: str, password: str, project: str, source: str = "") -> str:
    """A token for a password, asked for from an address."""
    user = {"name": name, "password": password, "domain": {"name": "default"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    kept = Kept(endpoint, source=source)
    body = {"auth": {"identity": identity, "scope": {"project": {"id": project}}}}
    status, headers, answer = kept.ask("POST", "/v3/auth/tokens", body)
    kept.close()
    assert status == 201, answer
    return headers["x-subject-token"]
