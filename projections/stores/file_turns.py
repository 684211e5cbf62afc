"""Turns on one machine: an owner's writers wait for each other at a locked file."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from hashlib import blake2b
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from domain.conditions import OwnerId

TURN_SECONDS = 0.25
STRIPES = 256
_TURN_PAUSE = 0.002


class Turns:
    """Lets one owner's writers take turns over all processes of a machine, for fairness alone.

    The version check keeps the rules; so whoever waits longer than `TURN_SECONDS` goes on without
    (a stopped process may hold the lock).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def __call__(self, owner: OwnerId) -> Iterator[None]:
        """Waits for the owner's turn, at most `TURN_SECONDS`."""
        stripe = blake2b("/".join(owner).encode(), digest_size=1).hexdigest()
        descriptor = self._opened(stripe)
        try:
            if descriptor is not None:
                with suppress(OSError):  # a turn is fairness, not worth a refusal
                    _lock(descriptor)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _opened(self, stripe: str) -> int | None:
        """The stripe's file; None where it cannot be had."""
        try:
            return os.open(f"{self._folder}/{stripe}", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None


def _lock(descriptor: int) -> None:
    until = monotonic() + TURN_SECONDS
    while monotonic() < until:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_TURN_PAUSE)
    return None
