"""Schedule: one seed's run, from the first process to the verdict."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from eventsourcing.popo import POPOApplicationRecorder

from domain.commands import SetLimits
from domain.conditions import OwnerId
from domain.ledger import Ledger
from projections.changes import Changes, nothing
from projections.position import Position, apply
from projections.schema import TABLES
from tests.simulation.chaos import Chaos
from tests.simulation.clients import Client
from tests.simulation.kernel import OutOfSteps
from tests.simulation.stores import Book, hash_spool
from tests.simulation.threads import simulated
from tests.simulation.world import Broken, World, Direct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventsourcing.persistence import ApplicationRecorder

    from tests.simulation.options import Options

SETTLING_SECONDS = 400.0
"""Virtual seconds after the faults in which every task must end."""


@dataclass(slots=True)
class Outcome:
    """What a schedule came to; `wrong` is None where no rule was broken."""

    seed: int
    wrong: str | None
    calls: int
    events: int
    faults: Counter[str] = field(default_factory=Counter)
    situations: Counter[str] = field(default_factory=Counter)
    digest: str = ""


def play(
    options: Options,
    log: Callable[[], ApplicationRecorder] | None = None,
    tell: Callable[[str], object] | None = None,
    *,
    digest: bool = False,
) -> Outcome:
    """Runs one schedule and judges it; to be called within `staged`."""
    world = World(options, log or POPOApplicationRecorder, tell)
    wrong = None
    pace = patch.multiple(
        "exporter.exporter", IDLE_SECONDS=options.idle, AWAY_SECONDS=2 * options.idle
    )
    listener = Listener(world)
    logger = logging.getLogger("exporter")
    logger.addHandler(listener)
    try:
        with pace:
            _run(world)
    except (Broken, OutOfSteps) as error:
        wrong = f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 (whatever the product lets out is a finding)
        wrong = f"crash: {type(error).__name__}: {error}"
        if tell:
            logging.getLogger("simulation").exception("crash")
    finally:
        logger.removeHandler(listener)
        world.over = True
        world.kernel.end()
        for node in world.nodes:
            node.tables.close()
    situations = world.situations + world.judge.situations
    log_digest = world.digest() if tell or log or digest else ""
    world.release()
    return Outcome(
        options.seed, wrong, world.calls, world.judge.heard, world.faults, situations, log_digest
    )


class Listener(logging.Handler):
    """What the exporters log is seen, and told."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.INFO)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.said(str(record.msg), record.args or ())  # type: ignore[arg-type]
        if self._world._tell:
            self._world.tell(f"says: {record.getMessage()}")


def staged():
    """The product's threads and workbooks are the simulator's meanwhile."""
    from contextlib import ExitStack

    stack = ExitStack()
    stack.enter_context(simulated())
    for name, stand_in in (
        ("exporter.attempt.Workbook", Book),
        ("exporter.attempt.hash_file", hash_spool),
        ("exporter.attempt.pack", lambda path, name: _packed(path)),
    ):
        stack.enter_context(patch(name, stand_in))
    for name in ("exporter", "projections", "domain", "api"):
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).propagate = False
    stack.enter_context(
        patch.multiple("exporter.failures", FIRST_WAIT=0.5, LONGEST_WAIT=4.0)
    )
    return stack


def _packed(path: Any) -> Any:
    return path


def _run(world: World) -> None:
    options = world.options
    world.owners = [OwnerId("p1", f"u{number}") for number in range(options.owners)]
    ledger = Ledger(world.journal(Direct(world), world.true_time))
    ledger.begin(world.operator())
    ledger.set_limits(
        SetLimits(options.unfinished, options.kept, options.interval, world.operator())
    )
    for node in world.nodes:
        node.start()
    for owner in world.owners:
        for number in range(options.clients):
            Client(world, owner, number).start()
    Chaos(world).start()
    world.kernel.spawn(world.outside, "director", lambda: _direct(world))
    world.kernel.run()


def _direct(world: World) -> None:
    """Waits until the clients are done; then, in a calm schedule, for everything to end."""
    kernel = world.kernel
    while world.clients:
        kernel.sleep(0.5)
    world.judge.rest()
    _nothing_lost(world)
    if world.options.calm:
        _settle(world)
    world.kernel.stop()


def _settle(world: World) -> None:
    """No faults any more: every task ends, every follower catches up, every dead file goes."""
    world.faulty = False
    world.tell("the faults are over")
    for node in world.nodes:
        node.skew = 0.0
    until = world.kernel.now + SETTLING_SECONDS
    while running := [t.task_id for t in world.judge.tasks.values() if _runs(t)]:
        if world.kernel.now > until:
            raise Broken(f"{running} do not end")
        world.kernel.sleep(world.options.lease / 4)
    world.kernel.sleep(world.options.sweep_after + 2 * world.options.sweep_every + 5)
    world.met("all at rest")
    _nothing_lost(world)
    _files_are_those_of_the_log(world)
    check_tables(world)


def _runs(task: Any) -> bool:
    return task.status == "Processing" and task.evicted is None


def _nothing_lost(world: World) -> None:
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


def _files_are_those_of_the_log(world: World) -> None:
    """The current files are there with their bytes, and nothing that should have been swept."""
    current = {file.key: file for file in world.judge.current.values()}
    for key, file in current.items():
        stored = world.objects.get(key)
        if stored is None or stored.sha256 != file.sha256:
            raise Broken(f"the current file {key} is gone, or another")
    lately = world.true_time() - timedelta(seconds=world.options.sweep_after)
    young = {key for key, at in world.superseded.items() if at > lately}
    left = [key for key in world.objects if key not in current and key not in young and _known(world, key)]
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
        if node.keeper.process.dead:
            node.keeper.process.dead = False
        actor = world.kernel.current
        assert actor
        home, actor.process = actor.process, node.keeper.process
        try:
            with node.keeper.follower.caught_up() as database:
                for table, rows in wanted.items():
                    columns = TABLES[table].key
                    found = {
                        tuple(row[column] for column in columns): dict(row)
                        for row in database.conn.execute(f"SELECT * FROM {table}")
                    }
                    if found != rows:
                        raise Broken(f"{node.name}: {table} is {found}, the fold says {rows}")
        finally:
            actor.process = home
    _tables_are_what_the_judge_saw(world, wanted)


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
