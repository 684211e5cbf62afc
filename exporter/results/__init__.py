"""Result files: immutable, each under a key of its own, safely kept before anybody is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from exporter.bucket import SCHEME, Bucket
from exporter.disk import ResultsFailed as ResultsFailed
from exporter.disk import hash_file as hash_file
from exporter.results.local import SPOOL as SPOOL
from exporter.results.local import LocalResults as LocalResults
from exporter.results.s3 import S3Results
from exporter.results.store import CHUNK_BYTES as CHUNK_BYTES
from exporter.results.store import HOLD as HOLD
from exporter.results.store import MARKER as MARKER
from exporter.results.store import Listed as Listed
from exporter.results.store import OpenResult as OpenResult
from exporter.results.store import ResultExists as ResultExists
from exporter.results.store import ResultMissing as ResultMissing
from exporter.results.store import ResultsClaimed as ResultsClaimed
from exporter.results.store import ResultsHeld as ResultsHeld
from exporter.results.store import parse_key as parse_key
from exporter.results.store import result_key as result_key

if TYPE_CHECKING:
    from exporter.results.store import Results as Results

_FILE = "file://"


def open_results(url: str, spools: Path) -> Results:
    """The results at `file:///absolute/folder` or `s3://bucket/prefix`; nothing is asked yet.

    Those of a bucket are written in the folder `spools` first; those of a folder beside it.
    ValueError for any other address.
    """
    if url.startswith(SCHEME):
        return S3Results(Bucket(url), spools)
    path = unquote(url.removeprefix(_FILE))
    if not url.startswith(_FILE) or not path.startswith("/") or "\0" in path:
        raise ValueError(
            f"results cannot be kept at {url!r}: give file:///absolute/folder or s3://bucket/prefix"
        )
    return LocalResults(Path(path))
