"""Result checks: every current file is there, and every file that is there is known."""

from __future__ import annotations

from contextlib import closing
from shlex import quote
from typing import TYPE_CHECKING

from api.belonging import NotOurs, must_be
from api.upkeep.copies import Measure, measure_chunks, result_chunks
from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from domain.task import task_stream
from exporter.bucket import SCHEME
from exporter.results import ResultMissing, ResultsFailed, open_results, parse_key
from exporter.s3 import for_operators

if TYPE_CHECKING:
    from api.settings import Settings
    from api.upkeep.findings import Report
    from exporter.results import Listed, Results
    from projections.changes import Row
    from projections.replay import Replay


KEEP = "keep it: the log is in doubt, and the one before, if it comes back, may know this file"
GONE = "is not there"
MANY = 20
"""More files than these are not missing one by one."""


def check_results(settings: Settings, replay: Replay, report: Report, *, deep: bool) -> None:
    """Compares the place of the results with the log; the replay ends at the log's head."""
    try:
        results = open_results(settings.results, settings.spools)
        # Listed before the log is read on: whoever made a file had its claim recorded before.
        listed = list(results.list())
        replay.advance()
        if not _is_claimed(settings, results, replay, report):
            _find_orphans(results, listed, replay, report)
            _find_missing(settings, results, replay, report, deep=deep)
    except (ValueError, ResultsFailed) as error:
        report.find(
            "results_unreachable",
            f"EXPORT_TASKS_RESULTS ({settings.results}): {for_operators(error)}.",
            "export-tasks config show",
        )


def _is_claimed(settings: Settings, results: Results, replay: Replay, report: Report) -> bool:
    ours = Journal(replay.recorder).latest(Log, LOG_STREAM).results
    try:
        if ours is not None:
            must_be(results.marker(), ours, settings.results)
    except NotOurs as error:
        mend = "set EXPORT_TASKS_RESULTS to this log's own place; export-tasks config show"
        report.find("results_claimed", str(error), mend)
        return True
    return False


def _find_orphans(results: Results, listed: list[Listed], replay: Replay, report: Report) -> None:
    """Files of tasks that the log never heard of: a sweep lets them lie, since it cannot judge."""
    tasks = {row["task_id"]: row for row in replay.rows("tasks").values()}
    known = {key for (key,) in replay.rows("files")}
    dead, doubtful = 0, report.doubts_log
    for each in listed:
        task_id, _ = parse_key(each.key) or ("", 0)
        if task_id not in tasks and not _ever_was(task_id, replay):
            where = results.where(each.key, spool=each.spool)
            report.find(
                "orphan_file",
                f"{where} is of a task that is not in the log.",
                KEEP if doubtful else f"{_tool(where)}rm {quote(where)}",
            )
        elif each.key not in known and tasks.get(task_id, {}).get("status") != "Processing":
            dead += 1
    if dead:
        report.notes.append(f"{dead} files of ended attempts: the next sweep removes them.")


def _find_missing(
    settings: Settings, results: Results, replay: Replay, report: Report, *, deep: bool
) -> None:
    current = replay.current_files()
    wrong = {key: why for key, row in current.items() if (why := _fault(results, key, row, deep))}
    if wrong:
        # A file may have been superseded, or its tasks deleted, and swept, since the log was read.
        replay.advance()
    wrong = {key: wrong[key] for key in wrong.keys() & replay.current_files().keys()}
    gone = [key for key, why in wrong.items() if why == GONE]
    if len(gone) > MANY or (len(gone) > 1 and len(gone) == len(current)):
        _find_many_missing(settings, results, gone, len(current), report)
        wrong = {key: why for key, why in wrong.items() if why != GONE}
    for key in wrong:
        report.find(
            "missing_result",
            f"{results.where(key)}, the file of task {current[key]['task_id']}, {wrong[key]}.",
            _give_back(results, key),
        )


def _find_many_missing(
    settings: Settings, results: Results, gone: list[str], current: int, report: Report
) -> None:
    """In one finding: a place in which so much is missing may be the wrong one."""
    report.find(
        "missing_result",
        f"{len(gone)} of {current} current files are not in {settings.results}: is "
        "EXPORT_TASKS_RESULTS right?",
        f"export-tasks config show; if it is right, for each as for this one: "
        f"{_give_back(results, gone[0])}",
    )


def _give_back(results: Results, key: str) -> str:
    where = results.where(key)
    return (
        f"{_tool(where)}cp BACKUP/results/{key.replace('/', '-')} {quote(where)} (or the user "
        "exports the same again: the new file replaces it)"
    )


def _fault(results: Results, key: str, row: Row, deep: bool) -> str | None:
    try:
        if deep:
            found = measure_chunks(result_chunks(results, key))
            same = found == Measure(row["size"], row["sha256"])
        else:
            with closing(results.open(key)) as file:
                same = file.size == row["size"]
    except ResultMissing:
        return GONE
    return None if same else "is another file than was made"


def _tool(where: str) -> str:
    """With which program files are handled there."""
    return "aws s3 " if where.startswith(SCHEME) else ""


def _ever_was(task_id: str, replay: Replay) -> bool:
    """Read tables hold kept tasks alone; of removed ones there are events."""
    return bool(replay.recorder.select_events(task_stream(task_id), limit=1))
