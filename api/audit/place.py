"""Place: where checkpoints, keys and tiles are kept, each under a name of its own, for auditors.

keys/<key name>                                          what verifies a node's signatures
checkpoints/<incarnation>/<size, 12 digits>-<key name>   a signed note
tiles/<incarnation>/tile/0/x001/x234/067                 the hashes of 256 events
tiles/<incarnation>/tile/0/x001/x234/067.p/<width>       of fewer: the last tile
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from api.audit.given import CHECKPOINTS, KEYS, TILES, tile_name
from api.audit.leaves import TILE
from domain.refusals import Refusal
from exporter.bucket import SCHEME, Bucket
from exporter.disk import ResultsFailed, create_once, folder_of, names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHECKPOINT = re.compile(r"([0-9]{12})-([^/+\s]+)")
_PART = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._-]*")


class PlaceFailed(Refusal):
    """A place could not be read or written to; the text says what and why."""


class Taken(PlaceFailed):
    """There is something else under the name already, and nothing is ever replaced."""


class Place(Protocol):
    """Where things are kept by name. Every method raises PlaceFailed where the place fails."""

    def put(self, name: str, content: bytes) -> None:
        """Keeps it; when this returns, it outlives a loss of power.

        Nothing happens where just that is there already; Taken where something else is.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """What is kept under the name; None where nothing is."""
        ...

    def list(self, folder: str) -> list[str]:
        """The last parts of the names right below a folder, sorted; what is none of ours is not
        among them.
        """
        ...

    def remove(self, name: str) -> None:
        """Removes it, if it is there."""
        ...


class CheckpointName(NamedTuple):
    """A checkpoint by its name: of which incarnation, over how many events, by which key."""

    incarnation: str
    size: int
    key: str

    @classmethod
    def all_in(cls, place: Place, incarnation: str) -> Iterator[Self]:
        """Every checkpoint of an incarnation, the smallest first."""
        for name in place.list(f"{CHECKPOINTS}/{incarnation}"):
            if match := _CHECKPOINT.fullmatch(name):
                yield cls(incarnation, int(match[1]), match[2])

    @property
    def name(self) -> str:
        """Under which it is kept."""
        return f"{CHECKPOINTS}/{self.incarnation}/{self.size:012}-{self.key}"


class LocalPlace:
    """A folder, which is made when first written to; files for their owner alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes) -> None:
        path = self._path(name)
        with self._failing():
            if not path.exists() and create_once(path, content):
                return
            if path.read_bytes() != content:
                raise Taken(f"{path} is there already, and is not what was to be kept.")

    def get(self, name: str) -> bytes | None:
        try:
            with self._failing():
                return self._path(name).read_bytes()
        except PlaceFailed as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def list(self, folder: str) -> list[str]:
        with self._failing():
            return [name for name in names(self._path(folder)) if not name.startswith(".")]

    def remove(self, name: str) -> None:
        with self._failing():
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / _checked(name)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PlaceFailed(f"{self.folder} cannot be used: {error}.") from error


class BucketPlace:
    """A folder of a bucket, for any number of nodes: each name is kept once, whoever comes first.

    Nothing is ever replaced, so that the bucket may forbid it too.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, name: str, content: bytes) -> None:
        with self._failing():
            if not self._bucket.create(_checked(name), content) and self.get(name) != content:
                where = f"{self._bucket.url}/{name}"
                raise Taken(f"{where} is there already, and is not what was to be kept.")

    def get(self, name: str) -> bytes | None:
        with self._failing():
            return self._bucket.read(_checked(name))

    def list(self, folder: str) -> list[str]:
        with self._failing():
            found = self._bucket.names(_checked(folder))
        return [name for name in found if _PART.fullmatch(name)]

    def remove(self, name: str) -> None:
        with self._failing():
            self._bucket.delete(_checked(name))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except ResultsFailed as error:
            raise PlaceFailed(f"{self._bucket.url} cannot be used: {error}.") from error


def open_place(url: str) -> Place:
    """The place at `file:///absolute/folder` or `s3://bucket/prefix`.

    ValueError for any other address.
    """
    if url.startswith(SCHEME):
        return BucketPlace(Bucket(url))
    folder = folder_of(url)
    if folder is None:
        raise ValueError(f"nothing can be kept at {url!r}: give file:///FOLDER or s3://…")
    return LocalPlace(folder)


def _checked(name: str) -> str:
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        raise PlaceFailed(f"{name!r} is no name of anything that is kept.")
    return name


def key_name(key: str) -> str:
    """Where a verifier key is kept."""
    return f"{KEYS}/{key}"


def tile(incarnation: str, number: int, width: int = TILE) -> str:
    """Where the hashes of the events from 256 * `number` on are kept."""
    partial = "" if width == TILE else f".p/{width}"
    return f"{TILES}/{incarnation}/tile/0/{tile_name(number)}{partial}"
