"""Places of results, one of each kind, and what others may do in them behind our back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.bucket import Bucket

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.results import Results


class Place(Protocol):
    """Where results are kept: its address, one that cannot be used, and how that is said."""

    url: str
    broken_url: str
    fault: str

    def lay(self, name: str, content: bytes) -> None:
        """Puts something there, in the place of whatever there was; a key's `/` is a `/`."""

    def lose(self, name: str) -> None:
        """Removes something."""

    def names(self) -> set[str]:
        """Of everything that is there."""


class Folder:
    """A folder of the local disk."""

    fault = "the place of the results is not a folder"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder}"
        self.broken_url = f"file://{folder}-in-the-way"
        folder.with_name(f"{folder.name}-in-the-way").touch()

    def lay(self, name: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(name).write_bytes(content)

    def lose(self, name: str) -> None:
        self._path(name).unlink()

    def names(self) -> set[str]:
        there = self.folder.iterdir() if self.folder.exists() else ()
        files = [each.name for each in there if each.is_file()]
        return {name.replace("-", "/", 1) if name[0] != "." else name for name in files}

    def _path(self, name: str) -> Path:
        return self.folder / name.replace("/", "-", 1)


class BucketFolder:
    """A folder of a bucket."""

    fault = "the bucket does not exist"

    def __init__(self, url: str) -> None:
        self.url = url
        self.broken_url = "s3://not-there/results"
        self._bucket = Bucket(url)

    def lay(self, name: str, content: bytes) -> None:
        self._bucket.replace(name, content)

    def lose(self, name: str) -> None:
        self._bucket.delete(name)

    def names(self) -> set[str]:
        return {each.name for each in self._bucket.objects()}


def put(results: Results, key: str, content: bytes = b"content") -> None:
    """A result of these bytes, as an exporter puts it there."""
    source = results.spool(key)
    source.write_bytes(content)
    results.put(key, source)


def content(results: Results, key: str) -> bytes:
    """All bytes of a result."""
    with results.open(key) as result:
        return b"".join(result.read_range(0, result.size))
