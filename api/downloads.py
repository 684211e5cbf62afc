"""Downloads: a task's current file, streamed, resumable, one in an interval (contract, 2.5)."""

from __future__ import annotations

import logging
from email.utils import format_datetime
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from anyio import fail_after, to_thread
from starlette.responses import Response, StreamingResponse

from api.exports import kept_task, task_id
from api.problems import RANGE, UNAVAILABLE, Rejected
from api.ranges import Part, Unsatisfiable, is_unchanged, part_of
from domain.commands import GrantDownload
from domain.refusals import NoFile
from exporter.results import ResultMissing
from exporter.tracing import span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio import CapacityLimiter
    from starlette.types import Message, Receive, Scope, Send

    from api.requests import Asked
    from exporter.results import OpenResult
    from projections.rows import FileRow

STALLED_SECONDS = 60.0
"""How long a client may take nothing of what is sent before it is given up."""

MEDIA_TYPE = "application/octet-stream;charset=iso-8859-1"

_LOGGER = logging.getLogger(__name__)


def download(asked: Asked) -> Response:
    """The file, whole or in part. Judged in the contract's order: 404, no file, 304, 416, 403."""
    file = _current_file(asked)
    asked.tell(task=task_id(asked), task_request_id=asked.house.ledger.request_of(task_id(asked)))
    headers = _headers(file)
    if is_unchanged(headers["etag"], asked.joined("if-none-match")):
        return Response(None, 304, {k: headers[k] for k in ("etag", "last-modified", *_CACHE)})
    if asked.request.method == "HEAD":
        _open(asked, file).close()
        return Response(None, 200, headers | {"content-length": str(file.size)})
    part = _part(asked, file, headers["etag"])
    opened = _open(asked, file)
    try:
        chunks = opened.read_range(part.start, part.length)
        if not part.partial:
            chunks = _proven(file, chunks)
        first = next(chunks, b"")
        _grant(asked, file, headers["etag"], part)
    except BaseException:
        opened.close()
        raise
    return _Sent(_Bytes(first, chunks, opened, asked.house.downloads), part, file.size, headers)


class _Bytes(NamedTuple):
    """The bytes to send: the first chunk is read, the others come one by one from a thread."""

    first: bytes
    rest: Iterator[bytes]
    opened: OpenResult
    threads: CapacityLimiter

    async def stream(self) -> AsyncIterator[bytes]:
        chunk = self.first
        while chunk:
            yield chunk
            chunk = await to_thread.run_sync(next, self.rest, b"", limiter=self.threads)


class _Sent(StreamingResponse):
    """A part of a file on its way; the file is let go of however that ends."""

    def __init__(self, content: _Bytes, part: Part, size: int, headers: dict[str, str]) -> None:
        headers = headers | {"content-length": str(part.length)}
        if part.partial:
            last = part.start + part.length - 1
            headers["content-range"] = f"bytes {part.start}-{last}/{size}"
        super().__init__(content.stream(), 206 if part.partial else 200, headers)
        self._opened = content.opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_time(message: Message) -> None:
            with fail_after(STALLED_SECONDS):
                await send(message)

        try:
            with span("download"):
                await super().__call__(scope, receive, in_time)
        finally:
            self._opened.close()


def _proven(file: FileRow, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The whole file; its last bytes only where all are those that were made.

    Raises:
        Rejected: they are not: damage. Of a short file nothing was sent by then.
    """
    digest, left = sha256(), file.size
    for chunk in chunks:
        digest.update(chunk)
        left -= len(chunk)
        if not left and digest.hexdigest() != file.sha256:
            _LOGGER.error("the result file %s of task %s holds other bytes", file.key, file.task_id)
            raise _not_available()
        yield chunk


_CACHE = ("cache-control", "x-export-task-id")


def _headers(file: FileRow) -> dict[str, str]:
    name = f"{file.task_id}-{file.completed_at:%Y%m%dT%H%M%SZ}{PurePosixPath(file.key).suffix}"
    return {
        "content-type": MEDIA_TYPE,
        "content-disposition": f'attachment; filename="{name}"',
        "etag": f'"{file.sha256}"',
        "last-modified": format_datetime(file.completed_at.replace(microsecond=0), usegmt=True),
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "x-export-task-id": file.task_id,
    }


def _current_file(asked: Asked) -> FileRow:
    """The file that is current for the task's conditions.

    Raises:
        NoSuchTask: the owner has no such task.
        NoFile: it is not `Success`.
    """
    task = kept_task(asked)
    file = asked.house.queries.current_file(task.conditions) if task.status == "Success" else None
    if file is None:
        raise NoFile(kept_task(asked).status)
    return file


def _part(asked: Asked, file: FileRow, etag: str) -> Part:
    try:
        return part_of(
            file.size,
            asked.joined("range"),
            asked.joined("if-range"),
            etag,
            if_match=asked.joined("if-match"),
            if_unmodified_since=asked.joined("if-unmodified-since"),
        )
    except Unsatisfiable:
        headers = {"content-range": f"bytes */{file.size}"}
        message = f"Invalid input. 'Range' must lie within the {file.size} bytes of the file."
        raise Rejected(RANGE, message, headers) from None


def _open(asked: Asked, file: FileRow) -> OpenResult:
    """The file's bytes.

    Raises:
        Rejected: they are not there, or others are: damage, unless the file was just replaced.
    """
    try:
        opened = asked.house.results.open(file.key)
    except ResultMissing:
        raise _damaged(asked, file, "is gone from the result store") from None
    if opened.size != file.size:
        opened.close()
        raise _damaged(asked, file, f"has {opened.size} bytes, not {file.size}")
    return opened


def _damaged(asked: Asked, file: FileRow, how: str) -> Rejected:
    if _current_file(asked).key == file.key:
        _LOGGER.error("the result file %s of task %s %s", file.key, file.task_id, how)
    return _not_available()


def _not_available() -> Rejected:
    return Rejected(UNAVAILABLE, "The file is not available; try again.", {"retry-after": "1"})


def _grant(asked: Asked, file: FileRow, etag: str, part: Part) -> None:
    """Records the download, unless it goes on with a broken one.

    Raises:
        DownloadTooSoon: the last one is less than the interval ago.
        TooSlow: it was not recorded in time.
    """
    ledger = asked.house.ledger
    resumes = part.partial and asked.joined("if-range") is not None
    if resumes and ledger.may_resume(asked.owner, etag):
        return
    command = GrantDownload(asked.owner, task_id(asked), file.key, etag, asked.caller())
    ledger.grant_download(command)
