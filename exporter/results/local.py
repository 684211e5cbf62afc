"""Results in a folder of the local disk, synced before anybody is told."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Self

from exporter.disk import (
    ResultsFailed,
    copy,
    create_folder,
    create_once,
    link,
    storing,
    sync,
)
from exporter.hold import Hold
from exporter.results.spools import Spools, file_name, listed_files, moment
from exporter.results.store import (
    CHUNK_BYTES,
    HOLD,
    MARKER,
    ResultExists,
    ResultMissing,
    ResultsClaimed,
    ResultsHeld,
    check_range,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from exporter.results.store import Listed

SPOOL = ".spool"
"""The folder in which attempts write; on the file system of the results, so that a link will do."""


class LocalResults:
    """Results in one flat folder, which is made when first written to."""

    keeps_spools = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hold = Hold(folder / HOLD)
        self._spools = Spools(folder / SPOOL)

    def put(self, key: str, source: Path) -> None:
        final = self._path(key)
        with storing():
            create_folder(self.folder)
            source.chmod(0o600)
            sync(source)
            try:
                self._place(key, source, final)
            except FileExistsError as error:
                raise ResultExists(key) from error
            source.unlink(missing_ok=True)

    def spool(self, key: str) -> Path:
        return self._spools.make(key)

    def open(self, key: str) -> LocalResult:
        try:
            with storing():
                return LocalResult(self._path(key))
        except ResultsFailed as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise ResultMissing(key) from error
            raise

    def list(self) -> Iterator[Listed]:
        yield from listed_files(self.folder, spool=False)
        yield from self._spools.list()

    def delete(self, key: str, *, spool: bool = False) -> None:
        path = self._path(key)
        if spool:
            self._spools.delete(key)
        elif self._hold.is_held():
            raise ResultsHeld(key)
        else:
            with storing():
                path.unlink(missing_ok=True)

    def hold(self) -> AbstractContextManager[None]:
        return self._hold.held()

    def where(self, key: str, *, spool: bool = False) -> str:
        return str(self._spools.path(key) if spool else self._path(key))

    def marker(self) -> str | None:
        with storing():
            try:
                return (self.folder / MARKER).read_text("utf-8")
            except FileNotFoundError:
                return None

    def claim(self, marker: str) -> None:
        with storing():
            if not create_once(self.folder / MARKER, marker.encode()):
                self._expect(marker)

    def _expect(self, marker: str) -> None:
        if (existing := self.marker()) != marker:
            raise ResultsClaimed(existing)

    def _path(self, key: str) -> Path:
        return self.folder / file_name(key)

    def _place(self, key: str, source: Path, final: Path) -> None:
        try:
            link(source, final)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            staged = self.spool(key)
            copy(source, staged)
            link(staged, final)
            staged.unlink(missing_ok=True)


class LocalResult:
    """A result file, held open: a descriptor keeps its bytes, whatever becomes of the name."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        status = os.fstat(self._file.fileno())
        self.size, self.modified = status.st_size, moment(status.st_mtime)

    def read_range(self, start: int, length: int) -> Iterator[bytes]:
        check_range(self.size, start, length)
        return self._chunks(start, start + length)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            with storing():
                chunk = os.pread(self._file.fileno(), min(CHUNK_BYTES, end - start), start)
            if not chunk:
                raise ResultsFailed("the stored result is shorter than it was", passing=False)
            yield chunk
            start += len(chunk)
