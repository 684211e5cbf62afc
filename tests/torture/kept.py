"""Kept: result files where they are kept, read by their keys without the product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from obstore.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Kept(Protocol):
    """A place of result files."""

    def names(self) -> set[str]:
        """The keys of all that are there, and the names of what is no result."""

    def content(self, key: str) -> bytes | None:
        """A file's bytes; None where it is not there."""


class KeptInFolder:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> set[str]:
        found = (path.name for path in self._folder.rglob("*") if path.is_file())
        return {name.replace("-", "/", 1) for name in found if not name.startswith(".")}

    def content(self, key: str) -> bytes | None:
        path = self._folder / key.replace("/", "-", 1)
        return path.read_bytes() if path.exists() else None


class KeptInBucket:
    """A folder of a bucket: `s3://bucket/prefix`."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._store = S3Store(
            bucket,
            prefix=prefix,
            endpoint=environment["AWS_ENDPOINT_URL"],
            access_key_id=environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region=environment["AWS_REGION"],
            client_options={"allow_http": True},
        )

    def names(self) -> set[str]:
        found = (each["path"] for page in self._store.list() for each in page)
        return {name for name in found if not name.startswith(".")}

    def content(self, key: str) -> bytes | None:
        try:
            return bytes(self._store.get(key).bytes())
        except FileNotFoundError:
            return None
