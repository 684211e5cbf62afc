"""Result files: immutable, each under a key of its own, safely kept before anybody is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.bucket import SCHEME, Bucket
from exporter.disk import ResultsFailed, folder_of, hash_file
from exporter.results.local import SPOOL, LocalResults
from exporter.results.s3 import S3Results
from exporter.results.store import (
    CHUNK_BYTES,
    HOLD,
    MARKER,
    Listed,
    OpenResult,
    ResultExists,
    ResultMissing,
    Results,
    ResultsClaimed,
    ResultsHeld,
    parse_key,
    result_key,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CHUNK_BYTES",
    "HOLD",
    "MARKER",
    "SPOOL",
    "Listed",
    "LocalResults",
    "OpenResult",
    "ResultExists",
    "ResultMissing",
    "Results",
    "ResultsClaimed",
    "ResultsFailed",
    "ResultsHeld",
    "S3Results",
    "hash_file",
    "open_results",
    "parse_key",
    "result_key",
]


def open_results(url: str, spools: Path) -> Results:
    """The results at `file:///absolute/folder` or `s3://bucket/prefix`; nothing is asked yet.

    Those of a bucket are written in the folder `spools` first; those of a folder beside it.
    ValueError for any other address.
    """
    if url.startswith(SCHEME):
        return S3Results(Bucket(url), spools)
    folder = folder_of(url)
    if folder is None:
        raise ValueError(
            f"results cannot be kept at {url!r}: give file:///absolute/folder or s3://bucket/prefix"
        )
    return LocalResults(folder)
