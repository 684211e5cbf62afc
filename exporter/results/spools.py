"""Spools: the local files that attempts write before they put them; what crashes leave of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.disk import create_folder, names, storing
from exporter.results.store import Listed, check_key, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def file_name(key: str) -> str:
    """The name of a key's file in a flat folder. ValueError where it is no key.

    A folder for each task would have to be removed when empty, and a put could lose that race.
    """
    check_key(key)
    return key.replace("/", "-")


def listed_files(folder: Path, *, spool: bool) -> Iterator[Listed]:
    """What a flat folder holds under our keys. Raises ResultsFailed where it cannot be read."""
    with storing():
        for name in names(folder):
            yield from _listed(folder / name, name.replace("-", "/", 1), spool=spool)


def moment(seconds: float) -> datetime:
    """A file's time."""
    return datetime.fromtimestamp(seconds, UTC)


class Spools:
    """A folder of half-made files, made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the file that is to be put under the key is written. Makes nothing."""
        return self.folder / file_name(key)

    def make(self, key: str) -> Path:
        """The same, in a folder that is there. Raises ResultsFailed."""
        path = self.path(key)
        with storing():
            create_folder(path.parent)
        return path

    def list(self) -> Iterator[Listed]:
        """All of them. Raises ResultsFailed."""
        return listed_files(self.folder, spool=True)

    def delete(self, key: str) -> None:
        """Removes one; nothing happens where it is gone. Raises ResultsFailed."""
        path = self.path(key)
        with storing():
            path.unlink(missing_ok=True)


def _listed(path: Path, key: str, *, spool: bool) -> Iterator[Listed]:
    if parse_key(key) is None:
        return
    try:
        status = path.stat()
    except FileNotFoundError:  # deleted, or put, since the folder was read
        return
    yield Listed(key, status.st_size, moment(status.st_mtime), spool)
