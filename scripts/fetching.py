"""Fetching: a file downloaded whole; a broken transfer goes on where it stopped.

Bytes go to a `.part` beside the target, named by the hash that they are to have; it takes the
target's name once size and SHA-256 are right, and not before.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, BinaryIO

from domain.codes import TOO_SOON
from scripts.answers import Declined, NoAnswer, Replaced, read
from scripts.cli import Refused
from scripts.patience import ask
from scripts.talk import progress, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse

    from scripts.answers import Offer
    from scripts.options import Manner
    from scripts.remote import Remote

CHUNK = 64 * 1024
HASH_SHOWN = 12


def fetch(remote: Remote, task_id: str, to: Path | None, manner: Manner) -> tuple[Offer, Path]:
    """The task's file, in the folder or under the name `to`; what it is, and where.

    Without `to` it takes the service's name for it, here. A file that is there already is not
    fetched again.

    Raises:
        Declined, NoAnswer: there is no file, it is too soon, or the service is away; what came is
            kept, and the next call goes on from there.
        Refused: the bytes are not those that were offered; none of them are kept.
        OSError: the file cannot be written.
    """
    while True:
        offer = ask(lambda: _offer(remote, task_id), manner.patience)
        target = _target(to, offer.name)
        if _is(target, offer):
            say("It is there already.")
            return offer, target
        try:
            _to_file(remote, task_id, offer, target, manner)
        except Replaced:
            say("The file was replaced by a newer one: that is fetched.")
            continue
        return offer, target


def fetch_to_stdout(remote: Remote, task_id: str, manner: Manner) -> Offer:
    """The task's file to stdout, in order, each byte once.

    Raises:
        As `fetch`; and Refused where the file was replaced after some of it was written.
    """
    offer = ask(lambda: _offer(remote, task_id), manner.patience)
    sink = _Hashing(sys.stdout.buffer)
    try:
        _transfer(remote, task_id, offer, sink, manner)
    except Replaced:
        if not sink.tell():
            return fetch_to_stdout(remote, task_id, manner)
        raise Refused("The file was replaced meanwhile: what was written is not whole.") from None
    sink.file.flush()
    if sink.digest.hexdigest() != offer.sha256:
        raise Refused("What was written is not what was offered: its SHA-256 is another.")
    return offer


class _Hashing:
    """A stream that cannot be read again: what is written is counted and hashed."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest, self._size = file, hashlib.sha256(), 0

    def tell(self) -> int:
        """Bytes written."""
        return self._size

    def write(self, chunk: bytes) -> None:
        """Writes them, and counts them once they are written."""
        self.file.write(chunk)
        self.digest.update(chunk)
        self._size += len(chunk)


def _offer(remote: Remote, task_id: str) -> Offer:
    """What there is; where there is no file, the task itself says why: a HEAD has no words."""
    try:
        return remote.offer(task_id)
    except Declined as no:
        if no.status not in (401, 403, 404):
            raise
        task = remote.show(task_id)
        status = task["status"]
        next_ = "watch" if status == "Processing" else "show"
        raise Refused(
            f"The export task is {status}: there is no file. "
            f"See: export-tasks export {next_} {task_id}"
        ) from no


def _target(to: Path | None, name: str) -> Path:
    if to is None:
        return Path(name)
    return to / name if to.is_dir() else to


def _to_file(remote: Remote, task_id: str, offer: Offer, target: Path, manner: Manner) -> None:
    part = target.with_name(f"{target.name}.{offer.sha256[:HASH_SHOWN]}.part")
    with _alone(part) as file:
        if file.tell() > offer.size:
            file.truncate(0)
            file.seek(0)
        if file.tell():
            say(f"Going on at byte {file.tell():,} of {offer.size:,}.")
        try:
            _transfer(remote, task_id, offer, file, manner)
        except Replaced:
            part.unlink()
            raise
        file.flush()
        os.fsync(file.fileno())
        if not _is(part, offer):
            part.unlink()
            raise Refused(
                "What came is not what was offered: its SHA-256 is another. Nothing is kept; "
                "give the command again."
            )
        part.replace(target)
    _drop_parts_of(target)


def _drop_parts_of(target: Path) -> None:
    """What is left of earlier files that were to have this name."""
    for part in target.parent.glob(f"{escape(target.name)}.{'[0-9a-f]' * HASH_SHOWN}.part"):
        part.unlink(missing_ok=True)


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The part, to be gone on with; nobody else writes to it meanwhile."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"Another download writes to {part}: let it end.") from error
        try:
            yield file
        finally:
            if not file.tell():
                part.unlink(missing_ok=True)


def _is(path: Path, offer: Offer) -> bool:
    """Does the file hold what is offered?"""
    if not path.is_file() or path.stat().st_size != offer.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == offer.sha256


def _transfer(remote: Remote, task_id: str, offer: Offer, sink: Any, manner: Manner) -> None:
    """Everything from where the sink is to the end, over as many connections as it takes."""
    with progress("downloading", offer.size) as advance:
        transfer = _Transfer(remote, task_id, offer, sink, advance, wait=manner.wait)
        while sink.tell() < offer.size:
            ask(transfer.go_on, manner.patience)


@dataclass(frozen=True, slots=True)
class _Transfer:
    """Bytes of an offer on their way to a sink."""

    remote: Remote
    task_id: str
    offer: Offer
    sink: Any
    advance: Callable[[int], None]
    wait: bool

    def go_on(self) -> None:
        """One connection's worth of it, or the wait for its grant.

        Raises NoAnswer where there came not a single byte; Declined, Replaced.
        """
        start = self.sink.tell()
        try:
            with self.remote.open(self.task_id, self.offer, start) as answer:
                self._receive(answer)
        except NoAnswer:
            if self.sink.tell() == start:
                raise
        except Declined as no:
            self._wait_for_grant(no)

    def _receive(self, answer: HTTPResponse) -> None:
        while chunk := read(answer, min(CHUNK, self.offer.size - self.sink.tell())):
            self.sink.write(chunk)
            self.advance(self.sink.tell())
        if self.sink.tell() < self.offer.size:
            raise NoAnswer("The answer broke off.")

    def _wait_for_grant(self, no: Declined) -> None:
        if no.code != TOO_SOON or not self.wait or not no.retry_after:
            raise no
        say(f"The next download is granted in {no.retry_after:g} s: waiting.")
        sleep(no.retry_after)
