"""Results in a bucket: written on the local disk, then put there in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from exporter.disk import storing
from exporter.results.bucket_hold import BucketHold
from exporter.results.spools import Spools
from exporter.results.store import (
    CHUNK_BYTES,
    HOLD,
    MARKER,
    Listed,
    ResultExists,
    ResultMissing,
    ResultsClaimed,
    ResultsHeld,
    check_key,
    check_range,
    parse_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from exporter.bucket import Bucket, Object
    from exporter.uploads import Upload


class S3Results:
    """Results in a bucket that is there; spools in a folder of this machine, and as uploads that
    were not ended, of any.

    A key is looked for before it is put. Two puts of one key at the same time could both succeed,
    but no two attempts have one key: it holds a nonce.
    """

    keeps_spools = False

    def __init__(self, bucket: Bucket, spools: Path) -> None:
        self.bucket, self.spools = bucket, Spools(spools)
        self._hold = BucketHold(bucket, HOLD)
        self._unfinished: list[Upload] = []

    def put(self, key: str, source: Path) -> None:
        check_key(key)
        if self.bucket.find(key):
            raise ResultExists(key)
        self.bucket.upload(key, source)
        with storing():
            source.unlink()

    def spool(self, key: str) -> Path:
        return self.spools.make(key)

    def open(self, key: str) -> S3Result:
        check_key(key)
        found = self.bucket.find(key)
        if found is None:
            raise ResultMissing(key)
        return S3Result(self.bucket, found)

    def list(self) -> Iterator[Listed]:
        for each in self.bucket.objects():
            if parse_key(each.name):
                yield Listed(each.name, each.size, each.modified, spool=False)
        yield from self.spools.list()
        self._unfinished = [each for each in self.bucket.uploads.list() if parse_key(each.name)]
        for upload in self._unfinished:
            yield Listed(upload.name, 0, upload.begun, spool=True)

    def delete(self, key: str, *, spool: bool = False) -> None:
        check_key(key)
        if spool:
            self._delete_spools(key)
        elif self._hold.is_held():
            raise ResultsHeld(key)
        else:
            self.bucket.delete(key)

    def _delete_spools(self, key: str) -> None:
        """Those of this machine, and what was listed of uploads."""
        self.spools.delete(key)
        for upload in self._unfinished:
            if upload.name == key:
                self.bucket.uploads.abort(upload)

    def hold(self) -> AbstractContextManager[None]:
        return self._hold.held()

    def where(self, key: str, *, spool: bool = False) -> str:
        check_key(key)
        return str(self.spools.path(key)) if spool else f"{self.bucket.url}/{key}"

    def marker(self) -> str | None:
        content = self.bucket.read(MARKER)
        return None if content is None else content.decode(errors="replace")

    def claim(self, marker: str) -> None:
        if not self.bucket.create(MARKER, marker.encode()) and (found := self.marker()) != marker:
            raise ResultsClaimed(found)


class S3Result:
    """A result as it was when it was opened: bytes of another object are never among its own.

    Where it is deleted while it is read, what the store still gives is read, and then it fails.
    """

    def __init__(self, bucket: Bucket, found: Object) -> None:
        self._bucket, self._found = bucket, found
        self.size, self.modified = found.size, found.modified
        self._closed = False

    def read_range(self, start: int, length: int) -> Iterator[bytes]:
        check_range(self.size, start, length)
        return self._chunks(start, start + length)

    def close(self) -> None:
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        if self._closed:
            raise ValueError("the result is closed")
        yield from self._bucket.pieces(self._found, start, end, CHUNK_BYTES)
