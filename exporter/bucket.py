"""Bucket: a folder of an S3 bucket, and all that is ever done in one."""

from __future__ import annotations

import re
from functools import cached_property
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.disk import ResultsFailed, storing
from exporter.s3 import failing, is_missing, opened
from exporter.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from obstore import ObjectMeta

SCHEME = "s3://"

PART_BYTES = 5 * 1024 * 1024
"""The parts of an upload; the least that S3 takes. It takes 10,000: files of 48 GiB."""

PARTS_AT_ONCE = 2
LIST_PAGE = 1000

_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)/?")


class Object(NamedTuple):
    """An object by its name below the folder; `etag` tells its bytes from any others."""

    name: str
    size: int
    modified: datetime
    etag: str


class Bucket:
    """Objects by names below `s3://bucket/prefix`; endpoint and keys come from `AWS_…` variables.

    Nothing is asked before it is used. ValueError for an address of another form, and
    for variables that make no sense. Every method raises ResultsFailed where the store fails: all
    its faults may pass, or be mended.
    """

    def __init__(self, url: str) -> None:
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError(f"{url!r} is not of the form s3://bucket/prefix")
        self.url = url.rstrip("/")
        self._bucket, self._prefix = match[1], match[2].strip("/")
        self._store = opened(self._bucket, self._prefix or None)

    @cached_property
    def uploads(self) -> Uploads:
        """What was begun to be uploaded, and not ended."""
        return Uploads(opened(self._bucket, None), self._prefix and f"{self._prefix}/")

    def find(self, name: str) -> Object | None:
        """The object; None where there is none."""
        from obstore import head

        try:
            with failing():
                return _object(head(self._store, name))
        except ResultsFailed as error:
            if not is_missing(error):
                raise
        # An answer without a body does not tell whether the object is missing or the bucket.
        self.read(name)
        return None

    def read(self, name: str) -> bytes | None:
        """A small object's bytes; None where there is none."""
        from obstore import get

        try:
            with failing():
                return bytes(get(self._store, name).bytes())
        except ResultsFailed as error:
            if is_missing(error):
                return None
            raise

    def create(self, name: str, content: bytes) -> bool:
        """Keeps a small object; false where the name is taken: of several who try, one does."""
        from obstore import put
        from obstore.exceptions import AlreadyExistsError

        try:
            with failing():
                put(self._store, name, content, mode="create")
        except ResultsFailed as error:
            if isinstance(error.__cause__, AlreadyExistsError):
                return False
            raise
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Keeps a small object, in the place of whatever was there."""
        from obstore import put

        with failing():
            put(self._store, name, content)

    def upload(self, name: str, source: Path) -> None:
        """Keeps a file, in parts: whole when this returns, and not to be seen before.

        In a thread, so that a signal that comes meanwhile is heeded. (`mode="create"` would take
        twice the file in memory.)
        """
        from obstore import put

        with storing():
            size = source.stat().st_size
        try:
            with failing():
                _aside(
                    lambda: put(
                        self._store,
                        name,
                        source,
                        chunk_size=PART_BYTES,
                        max_concurrency=PARTS_AT_ONCE,
                    )
                )
        except ResultsFailed:
            # It may have been done, and the answer lost.
            found = self.find(name)
            if found is None or found.size != size:
                raise

    def pieces(self, found: Object, start: int, end: int, least: int) -> Iterator[bytes]:
        """The object's bytes from `start` to before `end`, in pieces of `least` bytes or more.

        They are all of the object that was found. A stream that breaks is taken up where it broke,
        unless nothing comes any more.
        """
        while start < end:
            before = start
            try:
                for piece in self._stream(found, start, end, least):
                    yield piece
                    start += len(piece)
            except ResultsFailed as error:
                if start == before or not error.passing:
                    raise

    def objects(self, folder: str | None = None) -> Iterator[Object]:
        """Every object below a folder, or all. (Some stores list the empty folder itself.)"""
        from obstore import list as pages

        with failing():
            for page in pages(self._store, folder, chunk_size=LIST_PAGE):
                yield from (_object(each) for each in page if each["path"] != folder)

    def names(self, folder: str) -> list[str]:
        """The last parts of the names right below a folder, sorted."""
        from obstore import list_with_delimiter

        with failing():
            found = list_with_delimiter(self._store, folder)
        paths = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        return sorted(path.rsplit("/", 1)[-1] for path in paths if path != folder)

    def delete(self, name: str) -> None:
        """Removes an object; nothing happens where it is gone."""
        from obstore import delete

        try:
            with failing():
                delete(self._store, name)
        except ResultsFailed as error:
            if not is_missing(error):
                raise

    def _stream(self, found: Object, start: int, end: int, least: int) -> Iterator[bytes]:
        from obstore import get
        from obstore.exceptions import PreconditionError

        try:
            with failing():
                options: Any = {"range": (start, end), "if_match": found.etag}
                yield from get(self._store, found.name, options=options).stream(least)
        except ResultsFailed as error:
            if isinstance(error.__cause__, PreconditionError) or is_missing(error):
                raise ResultsFailed(
                    "the stored result was removed while it was read", passing=False
                ) from error
            raise


def _object(meta: ObjectMeta) -> Object:
    return Object(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"] or "")


def _aside(work: Callable[[], object]) -> None:
    """Does it in a thread, and waits for that in a way that signals can interrupt."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # raised again below
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
