"""Advice: what to do about an export that failed, by its error code."""

from __future__ import annotations

from typing import NamedTuple


class Advice(NamedTuple):
    """Why in a few words, and what to do."""

    why: str
    todo: str


ADVICE = {
    "IOTDA.014705": Advice(
        "The batch task is not there",
        "Look at the batch task's id, and at the app where the export is limited to one; where the "
        "batch tasks are the cloud's, the operator names its project (export-tasks project add "
        "--upstream-project). Then create the export again.",
    ),
    "IOTDA.014706": Advice(
        "The source could not be read",
        "It did not answer, or not as it should, for longer than an export waits. Create the "
        "export again; if that fails too, the operator finds why: export-tasks doctor.",
    ),
    "IOTDA.014707": Advice(
        "The result is too large for the format",
        "Excel's .xls format holds no more. Limit the export to one app, or export smaller batch "
        "tasks.",
    ),
    "IOTDA.014708": Advice(
        "Rows read and rows counted differ",
        "The source said another number of rows than it gave, so the file would not have been "
        "whole. Create the export again; if it fails again, the source loses or doubles rows.",
    ),
    "IOTDA.014709": Advice(
        "Its exporters died too often",
        "Nothing is wrong with your request. Tell the operator: the exporters' last words are in "
        "the service's log. Most often there was too little memory or disk.",
    ),
    "IOTDA.014710": Advice(
        "The file could not be stored",
        "The result store is full or away. Tell the operator (export-tasks doctor), and create the "
        "export again afterwards.",
    ),
}

UNKNOWN = Advice("It failed", "Create the export again; if it fails again, tell the operator.")


def advice(code: str | None) -> Advice:
    """What to do about a failed task; of a code that this version does not know, in general."""
    return ADVICE.get(code or "", UNKNOWN)
