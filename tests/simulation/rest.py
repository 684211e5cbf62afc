"""At rest: nothing acknowledged is lost, and tables and files are what the log says, no more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from projections.changes import Changes, nothing
from projections.position import apply
from projections.schema import TABLES
from tests.simulation.node import CATCH_UP_SECONDS, Node, Parts
from tests.simulation.world import Broken, World

if TYPE_CHECKING:
    from sqlite_utils import Database

    from tests.judge import TaskSeen


def runs(task: TaskSeen) -> bool:
    """Is it still to end?"""
    return task.status == "Processing" and task.evicted is None


def check_nothing_lost(world: World) -> None:
    """Every acknowledged create is there, once; every acknowledged delete stays."""
    tasks = world.judge.tasks
    for request_id, (task_id, owner) in world.acked.items():
        task = tasks.get(task_id)
        if task is None or task.owner != tuple(owner) or task.request_id != request_id:
            raise Broken(f"the acknowledged task {task_id} is not in the log")
    for task_id in world.deleted_tasks:
        if tasks[task_id].evicted is None:
            raise Broken(f"the task {task_id}, whose delete was acknowledged, is there")
    if world.open_files:
        raise Broken(f"{world.open_files} files were not closed")


def check_files(world: World) -> None:
    """The current files are there with their bytes, and nothing that should have been swept."""
    current = {file.key: file for file in world.judge.current.values()}
    for key, file in current.items():
        stored = world.objects.get(key)
        if stored is None or stored.sha256 != file.sha256:
            raise Broken(f"the current file {key} is gone, or another")
    since = world.options.sweep_after + world.options.sweep_every + 2 * CATCH_UP_SECONDS
    lately = world.true_time() - timedelta(seconds=since)
    young = {key for key, at in world.superseded.items() if at > lately}
    left = [
        key
        for key in world.objects
        if key not in current and key not in young and _known(world, key)
    ]
    spools = [key for key in world.spools if _known(world, key)]
    if left or spools:
        raise Broken(f"not swept: {left} {spools}")


def _known(world: World, key: str) -> bool:
    return key.partition("/")[0] in world.judge.tasks


def check_tables(world: World) -> None:
    """On every node: the tables, a fold of the whole log, and what the judge saw are the same."""
    fold = Changes(nothing)
    events = world.log.select_notifications(1, 1_000_000)
    apply(events, fold)
    wanted: dict[str, dict[Any, Any]] = {table: {} for table in TABLES}
    for (table, key), row in fold.rows.items():
        if row is not None:
            wanted[table][key] = row
    for node in world.nodes:
        _check_tables_of(world, node, wanted)
    _tables_are_what_the_judge_saw(world, wanted)


def _check_tables_of(world: World, node: Node, wanted: dict[str, dict[Any, Any]]) -> None:
    """What a keeper of the node, just started, finds in them."""
    parts, actor = Parts(node, "keeper"), world.kernel.current
    assert actor
    home, actor.process = actor.process, parts.process
    try:
        with parts.follower.caught_up() as database:
            found = {table: _rows(database, table) for table in TABLES}
    finally:
        actor.process = home
    for table, rows in wanted.items():
        if found[table] != rows:
            raise Broken(f"{node.name}: {table} is {found[table]}, the fold says {rows}")


def _rows(database: Database, table: str) -> dict[Any, Any]:
    columns = TABLES[table].key
    rows = (dict(row) for row in database.conn.execute(f"SELECT * FROM {table}"))
    return {tuple(row[column] for column in columns): row for row in rows}


def _tables_are_what_the_judge_saw(world: World, rows: dict[str, dict[Any, Any]]) -> None:
    judge = world.judge
    if rows["quarantine"]:
        raise Broken(f"quarantined: {rows['quarantine']}")
    kept = {t.task_id: t.status for t in judge.tasks.values() if t.evicted is None}
    told = {row["task_id"]: row["status"] for row in rows["tasks"].values()}
    if kept != told:
        raise Broken(f"the tables hold {told}, the log {kept}")
    current = sorted(file.key for file in judge.current.values())
    if sorted(row["current"] for row in rows["results"].values()) != current:
        raise Broken(f"the tables' current files are not {current}")
    for owner in judge.owners.values():
        row = rows["quotas"].get(owner.key, {"kept": 0, "unfinished": 0})
        if (row["kept"], row["unfinished"]) != (len(owner.kept), len(owner.unfinished)):
            raise Broken(f"the quota of {owner.key} is {row}")
