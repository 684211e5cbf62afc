"""Options: how much load and which faults one schedule has, all drawn from its seed (swarm)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from random import Random
from typing import Any

# Faults at a call of a store, with the chance of each where a schedule has it at all.
AT_A_CALL: dict[str, tuple[float, float]] = {
    "request lost": (0.003, 0.08),
    "answer lost": (0.01, 0.2),
    "answer disguised as a conflict": (0.01, 0.2),
    "lands late": (0.003, 0.06),
    "conflict": (0.005, 0.1),
    "death before": (0.001, 0.012),
    "death after": (0.005, 0.05),
    "pause": (0.002, 0.03),
    "slow answer": (0.01, 0.15),
    "torn page": (0.002, 0.03),
    "read tables fail": (0.001, 0.02),
    "source failed": (0.01, 0.3),
    "disk full": (0.01, 0.1),
}

STORM = 0.95

# What happens to a node or to the installation, with the mean seconds between two of them.
IN_TIME: dict[str, tuple[float, float]] = {
    "kill": (4.0, 30.0),
    "power loss": (15.0, 60.0),
    "stop": (4.0, 20.0),
    "freeze": (4.0, 20.0),
    "clock": (3.0, 15.0),
    "limits": (2.0, 12.0),
    "close": (20.0, 60.0),
    "backup": (5.0, 20.0),
    "restore": (10.0, 40.0),
}


@dataclass(frozen=True, slots=True)
class Options:
    """One schedule's load and faults; seconds are virtual."""

    seed: int
    nodes: int
    owners: int
    clients: int
    operations: int
    calls: int
    think: float
    weights: dict[str, float]
    batches: int
    rows: int
    unfinished: int
    kept: int
    interval: float
    resumable: float
    lease: float
    attempts: int
    idle: float
    latency: float
    reading: float
    page: int
    turns: bool
    zip: bool
    sweep_every: float
    sweep_after: float
    rates: dict[str, float]
    spells: dict[str, float]
    skew: float
    calm: bool

    @classmethod
    def draw(cls, seed: int) -> Options:
        """The options that a seed stands for."""
        chance = Random(f"options {seed}")
        unfinished = chance.choice((1, 2, 2, 3, 3, 5))
        faulty = chance.random() > 0.03
        return cls(
            seed=seed,
            nodes=2,
            owners=3,
            clients=chance.choice((1, 1, 2)),
            operations=chance.randint(20, 40),
            calls=chance.randint(232, 292),
            think=chance.choice((0.0, 0.1, 0.5, 1.0)),
            weights={
                "create": chance.choice((4, 8, 12)),
                "list": chance.choice((0, 1, 1)),
                "show": chance.choice((0, 1, 1)),
                "download": chance.choice((0, 3, 6)),
                "delete": chance.choice((0, 1, 2, 6)),
                "quota": chance.choice((0, 1)),
                "history": chance.choice((0, 1, 2)),
            },
            batches=chance.choice((1, 1, 2, 3)),
            rows=chance.choice((0, 2, 5)),
            unfinished=unfinished,
            kept=chance.choice((unfinished, unfinished + 1, unfinished + 3)),
            interval=chance.choice((0.0, 1.0, 5.0, 30.0)),
            resumable=chance.choice((2.0, 20.0, 600.0)),
            lease=chance.choice((1.0, 2.0, 4.0, 8.0)),
            attempts=chance.choice((1, 2, 3, 3)),
            idle=chance.choice((0.5, 1.0, 2.0, 4.0, 8.0)),
            latency=chance.choice((0.002, 0.01, 0.05, 0.2)),
            reading=chance.choice((0.1, 0.3, 0.6, 2.0)),
            page=chance.choice((1, 1, 2, 5, 1000)),
            turns=chance.random() < 0.5,
            zip=chance.random() < 0.2,
            sweep_every=chance.choice((5.0, 10.0, 30.0)),
            sweep_after=chance.choice((1.0, 10.0, 60.0)),
            rates=_rates(chance) if faulty else {},
            spells=_swarm(chance, IN_TIME, 0.3) if faulty else {},
            skew=chance.choice((0.0, 1.0, 600.0)),
            calm=chance.random() < 0.2,
        )

    def told(self) -> str:
        """Every option and its value."""
        return ", ".join(f"{name}={value!r}" for name, value in asdict(self).items())

    def changed(self, **changes: Any) -> Options:
        """The same with other values, given as on a command line."""
        known = {field.name for field in fields(self)}
        if unknown := set(changes) - known:
            raise ValueError(f"no such option: {', '.join(sorted(unknown))}")
        return replace(self, **changes)


def _rates(chance: Random) -> dict[str, float]:
    """Faults at calls; now and then a storm of conflicts that outlasts every retry."""
    rates = _swarm(chance, AT_A_CALL, 0.6)
    return rates | {"conflict": STORM} if chance.random() < 0.03 else rates


def _swarm(chance: Random, kinds: dict[str, tuple[float, float]], share: float) -> dict[str, float]:
    """Some of the kinds, each as frequent as drawn."""
    chosen = {name: bounds for name, bounds in kinds.items() if chance.random() < share}
    return {name: low * (high / low) ** chance.random() for name, (low, high) in chosen.items()}
