"""Population: who uses the service, how much, and where a stable hash puts each of them."""

from __future__ import annotations

from hashlib import sha256
from itertools import accumulate
from random import Random
from typing import NamedTuple

SLOTS = 4096
"""Places that owners are hashed to, for ever; stores are given slots, so that few of them move."""

PROJECTS = 20_000
SKEW = 0.8
"""The k-th largest project has 1 / k^SKEW of the largest one's users."""

TASKS_A_YEAR = 100.0
"""Of the mean user: two a week."""

SPREAD = 1.5
"""Of the logarithm of a user's tasks: one in a hundred asks for twenty times the median or more."""


class Population(NamedTuple):
    """Tasks a year in each slot, where the slot is the owner's, and where it is the project's.

    `largest` is how many users the largest project has; `largest_slots` where its users are, and
    `largest_slot` where itself would be.
    """

    by_owner: list[float]
    by_project: list[float]
    largest: int
    largest_slots: list[int]
    largest_slot: int


def slot_of(name: str) -> int:
    """Where a name is put, by any program in any language: the first 12 bits of its SHA-256."""
    digest = sha256(name.encode()).digest()
    return (digest[0] << 4) | (digest[1] >> 4)


def populate(users: int, seed: int) -> Population:
    """Users by projects, each with a rate of its own, hashed as the service would."""
    random = Random(seed)  # noqa: S311 (a simulation, to be repeated)
    by_owner, by_project = [0.0] * SLOTS, [0.0] * SLOTS
    largest_slots = [0] * SLOTS
    sizes = _sizes(users)
    shift = -SPREAD * SPREAD / 2  # so that the mean is 1
    for project, size in enumerate(sizes):
        name, slot = f"project-{project}", slot_of(f"project-{project}")
        for user in range(size):
            rate = TASKS_A_YEAR * random.lognormvariate(shift, SPREAD)
            place = slot_of(f"{name}/{user:032x}")
            by_owner[place] += rate
            by_project[slot] += rate
            if project == 0:
                largest_slots[place] += 1
    return Population(by_owner, by_project, sizes[0], largest_slots, slot_of("project-0"))


def _sizes(users: int) -> list[int]:
    """So many users altogether, the largest project first."""
    weights = [1 / (rank + 1) ** SKEW for rank in range(PROJECTS)]
    whole = sum(weights)
    ends = [round(users * end / whole) for end in accumulate(weights)]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
