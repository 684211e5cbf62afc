"""Schedule: one seed's run, from the first process to the verdict."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

from eventsourcing.popo import POPOApplicationRecorder

from domain.commands import SetLimits
from domain.ledger import Ledger
from tests.simulation.chaos import Chaos
from tests.simulation.clients import Client
from tests.simulation.kernel import OutOfSteps
from tests.simulation.rest import check_files, check_nothing_lost, check_tables, runs
from tests.simulation.stores import Book, hash_spool
from tests.simulation.threads import simulated
from tests.simulation.world import Broken, Direct, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventsourcing.persistence import ApplicationRecorder

    from tests.simulation.options import Options

SETTLING_SECONDS = 400.0
"""Virtual seconds after the faults in which every task must end."""

RESTING_SECONDS = 30.0
"""Virtual seconds between two looks of an exporter for tasks when all have ended."""


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
    resumable = patch("domain.downloads.RESUMABLE", timedelta(seconds=options.resumable))
    listener = Listener(world)
    logger = logging.getLogger("exporter")
    logger.addHandler(listener)
    try:
        with pace, resumable:
            _run(world)
    except (Broken, OutOfSteps) as error:
        wrong = f"{type(error).__name__}: {error}"
    except Exception as error:  # whatever the product lets out is a finding
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
        super().__init__(logging.DEBUG)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.said(record)
        if self._world.telling:
            self._world.tell(f"says: {record.getMessage()}")


@contextmanager
def staged() -> Iterator[None]:
    """The product's threads, workbooks and waits are the simulator's meanwhile."""
    with (
        simulated(),
        patch("exporter.attempt.Workbook", Book),
        patch("exporter.attempt.hash_file", hash_spool),
        patch("exporter.attempt.pack", lambda path, name: path),
        patch.multiple("exporter.failures", FIRST_WAIT=0.5, LONGEST_WAIT=4.0),
        _heard("exporter", "projections", "domain", "api"),
    ):
        yield


@contextmanager
def _heard(*names: str) -> Iterator[None]:
    """What these log is for the simulator alone."""
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.propagate) for logger in loggers]
    nowhere = logging.NullHandler()
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(nowhere)
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
            logger.removeHandler(nowhere)


def _run(world: World) -> None:
    options = world.options
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
    check_nothing_lost(world)
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
    while running := [t.task_id for t in world.judge.tasks.values() if runs(t)]:
        if world.kernel.now > until:
            raise Broken(f"{running} do not end")
        world.kernel.sleep(world.options.lease / 4)
    with patch("exporter.exporter.IDLE_SECONDS", RESTING_SECONDS):  # there is nothing to find
        world.kernel.sleep(world.options.sweep_after + 2 * world.options.sweep_every + 5)
    world.met("all at rest")
    check_nothing_lost(world)
    check_files(world)
    check_tables(world)
