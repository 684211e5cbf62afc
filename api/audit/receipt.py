"""Receipt: what proves, years later, that a task with this file's hash was in the log."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from api.audit.leaves import path_length
from api.audit.log import Log
from domain.refusals import Refusal
from domain.task import Task, task_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.audit.given import Signed
    from api.audit.stored import Events, Row

COMPLETED = Task.Completed.TOPIC


class NotSealed(Refusal):
    """The event is in the log, and no checkpoint covers it yet."""


class NotAsSealed(Refusal):
    """The log is not what the checkpoints say: nothing in it can be vouched for."""


def receipt(events: Events, task_id: str, sealed: Sequence[Signed]) -> str:
    """A receipt as one line of JSON, for `verify.py`.

    It holds the task's `task.completed` event, its rank, its inclusion proof (RFC 6962, joined)
    and a signed note. Of the checkpoints that cover it, the one with the shortest proof is taken.

    Raises:
        Refusal: no such task was completed.
        NotSealed, NotAsSealed: it cannot be proven yet, or at all.
        CannotRead: the event store cannot be read.
    """
    log = Log(events, (task_stream(task_id).hex, COMPLETED))
    if not log.found:
        raise Refusal(f"The event log holds no completed export task '{task_id}'.")
    rank, row = log.found[0]
    signed = _shortest(rank, log, sealed)
    document = _document(task_id, rank, row, signed, log)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _shortest(rank: int, log: Log, sealed: Sequence[Signed]) -> Signed:
    covering = [each for each in sealed if each.size > rank and _is_of(each, log)]
    if not covering:
        raise NotSealed(
            "No checkpoint covers the event yet; there will be one in at most a minute."
        )
    roots = log.leaves.roots(each.size for each in covering)
    holding = [each for each in covering if roots.get(each.size) == each.checkpoint.root]
    if not holding:
        raise NotAsSealed("The log is not what was sealed: export-tasks audit verify")
    return min(holding, key=lambda each: path_length(rank, each.size))


def _is_of(each: Signed, log: Log) -> bool:
    """Could the log hold what it seals? What a restore took away proves nothing here."""
    known = log.lineage.knows(each.incarnation)
    return known and not (
        log.has_ended(each.incarnation) and each.size > log.kept(each.incarnation)
    )


def _document(task_id: str, rank: int, row: Row, signed: Signed, log: Log) -> dict[str, Any]:
    _, _, version, topic, state = row
    return {
        "task": task_id,
        "rank": rank,
        "version": version,
        "topic": topic,
        "state": state.decode(),
        "path": b64encode(b"".join(log.leaves.path(rank, signed.size))).decode(),
        "note": signed.note,
    }
