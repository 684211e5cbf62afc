"""Downloading: whole files, broken transfers that are resumed, each byte accounted for."""

from __future__ import annotations

from hashlib import sha256
from time import sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.torture.clients import Client
    from tests.torture.people import Owner
    from tests.torture.records import Exchange
    from tests.torture.wire import Answer

RESUMED = 0.35
"""So many downloads are broken off on purpose."""

TRIES = 6
LATELY = 20
"""Tasks seen as done lately: older ones may be deleted by now."""

BETWEEN = 0.3
SAMPLES = 12
SAMPLE_MOST = 600_000
"""The largest workbook, in bytes, that is kept to be opened at the end."""

REFUSALS = {
    404: ("IOTDA.014702",),
    403: ("IOTDA.014703", "IOTDA.014704"),
}


def download(client: Client, owner: Owner) -> None:
    """A file, whole; or its beginning, and the rest by ranges with If-Range."""
    task_id = _one_that_is_done(client, owner)
    if not task_id:
        return
    most = client.random.randrange(1, 60_000) if client.random.random() < RESUMED else -1
    path = f"{owner.tasks}/{task_id}/file"
    exchange, answer = client.ask("download", owner, "GET", path, task_id=task_id, most=most)
    client.expect(exchange, {200: ("",), **REFUSALS})
    if answer is not None and answer.status == 200:
        _read(exchange, answer)
        begun = answer.body
        if answer.whole:
            _finished(client, exchange, begun)
        else:
            _resume(client, owner, task_id, exchange.etag, begun)


def head(client: Client, owner: Owner) -> None:
    """What a download would say of the file."""
    task_id = _one_that_is_done(client, owner)
    if not task_id:
        return
    path = f"{owner.tasks}/{task_id}/file"
    exchange, answer = client.ask("head", owner, "HEAD", path, task_id=task_id)
    if exchange.status not in (None, 200, 403, 404, 503):
        client.load.records.wrong(exchange, "not an answer to this")
    if answer is not None and answer.status == 200:
        _read(exchange, answer)
        exchange.size = int(answer.headers["content-length"])


def _resume(client: Client, owner: Owner, task_id: str, etag: str, begun: bytes) -> None:
    """Goes on where it broke off, as long as it is the same file."""
    path = f"{owner.tasks}/{task_id}/file"
    for _ in range(TRIES):
        headers = {"Range": f"bytes={len(begun)}-", "If-Range": etag}
        exchange, answer = client.ask(
            "resume", owner, "GET", path, headers=headers, task_id=task_id
        )
        exchange.query = {"resumes": etag}
        client.expect(exchange, {200: ("",), 206: ("",), **REFUSALS, 416: ("IOTDA.000006",)})
        if answer is None or answer.status == 503:
            sleep(BETWEEN)
            continue
        if answer.status not in (200, 206):
            break
        _read(exchange, answer)
        if answer.status == 206:
            _check_range(client, exchange, answer, len(begun))
        else:  # another file by now
            begun, etag = b"", exchange.etag
        begun += answer.body
        if answer.whole:
            _finished(client, exchange, begun)
            break


def _read(exchange: Exchange, answer: Answer) -> None:
    exchange.file = answer.headers.get("x-export-task-id", "")
    exchange.etag = answer.headers.get("etag", "")


def _check_range(client: Client, exchange: Exchange, answer: Answer, start: int) -> None:
    told = answer.headers.get("content-range", "")
    if not told.startswith(f"bytes {start}-") or exchange.etag != exchange.query["resumes"]:
        client.load.records.wrong(exchange, f"another range than asked for: {told}")


def _finished(client: Client, exchange: Exchange, content: bytes) -> None:
    exchange.sha256, exchange.size = sha256(content).hexdigest(), len(content)
    if f'"{exchange.sha256}"' != exchange.etag:
        client.load.records.wrong(exchange, f"the bytes are not those of {exchange.etag}")
    samples = client.load.samples
    if len(content) < SAMPLE_MOST and len(samples) < SAMPLES:
        samples.setdefault(exchange.sha256, content)


def _one_that_is_done(client: Client, owner: Owner) -> str:
    ids = list(owner.done)[-LATELY:] if client.random.random() < 0.9 else list(owner.known)
    return client.random.choice(ids) if ids else ""
