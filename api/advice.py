"""Advice: what to do about an export that failed, by its error code."""

from __future__ import annotations

from typing import NamedTuple

from domain import codes


class Advice(NamedTuple):
    """Why in a few words, what its owner can do, and what operators can where many fail so."""

    why: str
    todo: str
    remedy: str


ADVICE = {
    codes.NO_BATCH_TASK: Advice(
        "The batch task is not there",
        "Look at the batch task's id, and at the app where the export is limited to one; where the "
        "batch tasks are the cloud's, the operator names its project (export-tasks project add "
        "--upstream-project). Then create the export again.",
        "Most often a wrong id. If all of a project's exports fail so, look whether it is mapped "
        "to the right project of the cloud (export-tasks project list).",
    ),
    codes.SOURCE_UNREADABLE: Advice(
        "The source could not be read",
        "It did not answer, or not as it should, for longer than an export waits. Create the "
        "export again; if that fails too, the operator finds why: export-tasks doctor.",
        "Look whether the source answers: export-tasks doctor. Once it does, retry what is still "
        "wanted.",
    ),
    codes.RESULT_TOO_LARGE: Advice(
        "The result is too large for the format",
        "Excel's .xls format holds no more. Limit the export to one app, or export smaller batch "
        "tasks.",
        "Nothing to mend here: the format holds no more. Its owner may export smaller batch tasks, "
        "or one app's.",
    ),
    codes.ROWS_DIFFER: Advice(
        "Rows read and rows counted differ",
        "The source said another number of rows than it gave, so the file would not have been "
        "whole. Create the export again; if it fails again, the source loses or doubles rows.",
        "The source counted other rows than it gave. Retry one; if it fails again, the source "
        "loses or doubles rows, and whoever runs it should know.",
    ),
    codes.DIED_TOO_OFTEN: Advice(
        "Its exporters died too often",
        "Nothing is wrong with your request. Tell the operator: the exporters' last words are in "
        "the service's log. Most often there was too little memory or disk.",
        "Look at the service's log for how the exporters ended, and at memory and disk "
        "(export-tasks doctor). Then retry.",
    ),
    codes.NOT_STORED: Advice(
        "The file could not be stored",
        "The result store is full or away. Tell the operator (export-tasks doctor), and create the "
        "export again afterwards.",
        "The result store is full or away: export-tasks doctor. Once it takes files again, retry "
        "what is still wanted.",
    ),
}

UNKNOWN = Advice(
    "It failed",
    "Create the export again; if it fails again, tell the operator.",
    "This version of export-tasks does not know the code. Look at a task's history.",
)


def advice(code: str | None) -> Advice:
    """What to do about a failed task; of a code that this version does not know, in general."""
    return ADVICE.get(code or "", UNKNOWN)
