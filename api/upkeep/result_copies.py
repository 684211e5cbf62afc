"""Result copies: the files that a log names, copied to another place and measured on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.upkeep.copies import CopyFailed, Measure, measure_chunks, result_chunks, write
from api.upkeep.manifest import Absent
from exporter.disk import ResultsFailed
from exporter.results import ResultExists, ResultMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.results import Results
    from projections.replay import Replay

    Tell = Callable[[str], object]

TOLD_EVERY = 500
"""Result files between two words about how far it is."""


class _NotTheFile(Exception):
    """Why a file cannot be had."""


def copy_results(
    results: Results, replay: Replay, copies: Results, tell: Tell
) -> tuple[dict[str, Measure], list[Absent]]:
    """Copies files that are current, and superseded ones that were not swept yet.

    Says which are there now, and which current ones are lost. What an earlier run copied is not
    copied again.

    Raises:
        CopyFailed: the place of the copies fails; the text names it.
        OSError: a file cannot be written.
    """
    current = replay.current_files()
    files = {key: row for (key,), row in replay.rows("files").items()}
    copied: dict[str, Measure] = {}
    absent: list[Absent] = []
    for number, (key, row) in enumerate(files.items()):
        if number % TOLD_EVERY == 0:
            tell(f"copying result files: {number} of {len(files)}")
        expected = Measure(row["size"], row["sha256"])
        try:
            _copy(results, key, expected, copies)
            copied[key] = expected
        except _NotTheFile as why:
            absent += [Absent(key, row["task_id"], str(why))] if key in current else []
        except ResultsFailed as error:
            raise CopyFailed(f"{copies.where(key)} cannot be made: {error}.") from error
    return copied, absent


def _copy(results: Results, key: str, expected: Measure, copies: Results) -> None:
    """Copies a file whose bytes are what the log says. Raises _NotTheFile."""
    if _found(copies, key) == expected:
        copies.delete(key, spool=True)  # of a run that was cut off right after it was put
        return
    spool = copies.spool(key)
    try:
        found = _read(results, key, spool)
        if found != expected:
            why = f"it is another file: {found.size} bytes, SHA-256 {found.sha256}"
            raise _NotTheFile(why)
        copies.put(key, spool)
    except ResultExists as error:
        raise _NotTheFile("another file is where its copy should be") from error
    finally:
        spool.unlink(missing_ok=True)


def _read(results: Results, key: str, spool: Path) -> Measure:
    try:
        return write(result_chunks(results, key), spool)
    except ResultMissing as error:
        raise _NotTheFile("it is not there") from error
    except ResultsFailed as error:
        raise _NotTheFile(f"it cannot be read: {error}") from error


def _found(copies: Results, key: str) -> Measure | None:
    """What is there already: its size alone would let in any file that is as long."""
    try:
        return measure_chunks(result_chunks(copies, key))
    except ResultMissing:
        return None
