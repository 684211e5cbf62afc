"""An upstream: another installation's API in a process of its own, which can be told to misbehave.

`python -m tests.upstream` serves the API of EXPORT_TASKS_HOME and prints its address.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import uvicorn

from tests.service import SOON, Home

if TYPE_CHECKING:
    from pathlib import Path

QUIET: dict[str, Any] = {
    "delay": 0.0, "together": 0, "faults": [], "append": [], "retry_after": "1"
}  # fmt: skip
TOGETHER_SECONDS = 20.0


class Upstream(Home):
    """A home whose API misbehaves as `plan` says."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.upstream"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        self.endpoint = self._process.stdout.readline().decode().strip()

    @property
    def source(self) -> str:
        """As the setting of an installation that reads here."""
        return f"iotda+{self.endpoint}"

    @property
    def keys(self) -> dict[str, str]:
        """The environment of such an installation."""
        return {
            "HUAWEICLOUD_SDK_AK": self.begun["access_key"],
            "HUAWEICLOUD_SDK_SK": self.begun["secret_key"],
        }

    def plan(self, **plan: Any) -> None:
        """What happens from now on: `delay` seconds before each answer; `together`, so many calls
        have to be under way at once before the first is answered; `faults`, one a call until
        none is left ("429", "500", "reset", "cut", "trickle", "garbage", "302", "proxy" for the 404
        of one whose service is away, "" for none),
        `retry_after` with each refusal; `append`, rows that a batch task gets, [id, rows], one
        before each call.
        """
        sent = Request(f"{self.endpoint}/plan", json.dumps({**QUIET, **plan}).encode())
        with urlopen(sent) as answer:
            assert answer.status == 200

    def seen(self) -> dict[str, Any]:
        """Calls since the last plan, answers by what was done, and how many ran at once at most."""
        with urlopen(f"{self.endpoint}/seen") as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def close(self) -> None:
        """Ends it."""
        super().close()
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(SOON)
        assert self._process.stdout
        self._process.stdout.close()


class Misbehaving:
    """The API, and what is planned to go wrong with it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._plan, self._running = dict(QUIET), 0
        self._seen: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/plan":
            self._plan, self._seen = json.loads((await receive())["body"]), {"most": 0, "calls": 0}
            await _answer(send, 200, {})
        elif scope["path"] == "/seen":
            await _answer(send, 200, self._seen)
        else:
            await self._call(scope, receive, send)

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        self._running += 1
        self._seen["calls"] = self._seen.get("calls", 0) + 1
        self._seen["most"] = max(self._seen.get("most", 0), self._running)
        fault = self._plan["faults"].pop(0) if self._plan["faults"] else ""
        self._seen[fault] = self._seen.get(fault, 0) + 1
        try:
            if self._plan["append"]:
                await asyncio.to_thread(_append, *self._plan["append"].pop(0))
            await asyncio.sleep(self._plan["delay"])
            await self._others()
            await self._misbehave(fault, scope, receive, send)
        finally:
            self._running -= 1

    async def _others(self) -> None:
        until = monotonic() + TOGETHER_SECONDS
        while self._seen.get("most", 0) < self._plan["together"] and monotonic() < until:
            await asyncio.sleep(0.01)

    async def _misbehave(self, fault: str, scope: Any, receive: Any, send: Any) -> None:
        if fault == "":
            await self._app(scope, receive, send)
        elif fault in ("reset", "cut"):
            if fault == "cut":
                await _answer(send, 200, {}, length=1000)
            receive.__self__.transport.abort()
        elif fault == "trickle":
            await _trickle(send)
        elif fault == "garbage":
            await _answer(send, 200, "{")
        elif fault == "proxy":
            await _answer(send, 404, "<html>404 page not found</html>")
        else:
            status, _, code = fault.partition(" ")
            body = {"error_code": code, "error_msg": "for a test"} if code else {}
            await _answer(send, int(status), body, retry_after=self._plan["retry_after"])


def _append(task_id: str, rows: int) -> None:
    from api.settings import Settings
    from exporter.sources.batches import Batches
    from tests.workshop import lines_of

    with Batches(Settings.read().source) as batches:
        batches.append(task_id, lines_of(rows, "Fail"))


async def _answer(
    send: Any, status: int, content: Any, length: int | None = None, retry_after: str = ""
) -> None:
    body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    headers = [(b"content-length", b"%d" % (length or len(body)))]
    headers += [(b"retry-after", retry_after.encode())] if retry_after else []
    headers += [(b"location", b"/elsewhere")] if status // 100 == 3 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    with suppress(RuntimeError):  # a body that is shorter than was said
        await send({"type": "http.response.body", "body": body, "more_body": length is not None})


async def _trickle(send: Any) -> None:
    """An answer that is one, byte by byte: no two of them are far apart, but all of them are."""
    body = b" " * 50 + b'{"page": {"count": 1}}'
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for each in body:
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": bytes([each]), "more_body": True})


async def _serve() -> None:
    from api.app import create_app
    from api.settings import Settings

    app = Misbehaving(create_app(Settings.read()))
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(os.read, 0, 1)  # until the parent is gone
    server.should_exit = True
    await running


if __name__ == "__main__":
    asyncio.run(_serve())
