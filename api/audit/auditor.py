"""Auditor: signs what the log is, and lays down what proves its events, as the log goes on."""

from __future__ import annotations

import logging
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from api.audit.note import Checkpoint, origin_of
from api.audit.place import CheckpointName, PlaceFailed, key_name
from api.audit.proof import Proof
from api.audit.state import SinkState, StateFile, trouble
from api.audit.tiles import Tiles
from api.audit.walk import Altered
from projections.follower import LogAltered
from projections.position import Position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from api.audit.courier import Courier
    from api.audit.note import NodeKey
    from api.audit.place import Place
    from projections.follower import Follower

ENOUGH = 1000
"""New events after which a checkpoint is signed at once."""

AT_MOST_AFTER = timedelta(minutes=1)
"""How long after a checkpoint the next one is signed, where there is anything new."""

RETRY = timedelta(minutes=1)
"""How long nothing is tried after a log was found altered, or a place failed."""

STEP_EVENTS = 25_000
"""Events that a step reads at most: others wait for it."""

CLOSING_SECONDS = 5.0
"""How long the last step may go on; what is left is done at the next start."""

_LOOK = "See export-tasks doctor."

_LOGGER = logging.getLogger(__name__)


class Auditor:
    """Of one node, over its follower and with its key; `step` is called every now and then.

    Before the first signature, and whenever the read tables or the log's incarnation are others
    than before, the stored events must make again what was signed of them. Where they do not,
    nothing is signed until they do.
    """

    def __init__(
        self,
        follower: Follower,
        place: Place,
        key: NodeKey,
        couriers: Sequence[Courier],
        state_file: Path,
    ) -> None:
        self._follower, self._place, self._key = follower, place, key
        self._couriers = couriers
        self._file = StateFile(state_file)
        self.state = self._file.state
        self.state.sinks = {e.url: self.state.sinks.get(e.url, SinkState()) for e in couriers}
        self._of: tuple[str | None, str | None] | None = None
        self._proof: Proof | None = None
        self._tiles: Tiles
        self._signed = 0
        self._failed_at: datetime | None = None

    def step(self, now: datetime) -> None:
        """Signs where it is time to, and hands on what was signed.

        Raises:
            Unavailable: the store does not answer.
            PlaceFailed: it cannot be written down what was done.
        """
        self._turn(now, closing=False)

    def close(self, now: datetime) -> None:
        """Signs and hands on what is new, within `CLOSING_SECONDS`. Raises as `step`."""
        until = monotonic() + CLOSING_SECONDS
        while not self._turn(now, closing=True) and monotonic() < until:
            pass
        for each in self._couriers:
            each.wait(self.state.sinks[each.url], now, max(0.0, until - monotonic()))
        self._file.save()

    def _turn(self, now: datetime, *, closing: bool) -> bool:
        """True where nothing is left to do."""
        done = True
        if not self._is_resting(now) or (closing and not self.state.altered):
            try:
                done = self._seal(now, closing=closing)
            except (Altered, LogAltered) as error:
                self._fail(now)
                self.state.altered = trouble(str(error), self.state.altered, now)
                self.state.altered_of = self._follower.position().incarnation
                _LOGGER.error("no checkpoint is signed: the log was altered: %s %s", error, _LOOK)
            except PlaceFailed as error:
                self._fail(now)
                self.state.failing = trouble(str(error), self.state.failing, now)
                _LOGGER.error("no checkpoint can be kept: %s", error)
            else:
                if done:
                    self.state.altered = self.state.altered_of = self.state.failing = None
        for each in self._couriers:
            each.step(self.state.sinks[each.url], now, closing=closing)
        self._file.save()
        return done

    def _is_resting(self, now: datetime) -> bool:
        """Not before a log that was restored since."""
        if self._failed_at is None or not timedelta() <= now - self._failed_at < RETRY:
            return False
        return not self.state.has_ended(self._follower.position().incarnation)

    def _fail(self, now: datetime) -> None:
        """What was begun is begun anew: it cannot be told how far it got."""
        self._failed_at, self._of = now, None

    def _seal(self, now: datetime, *, closing: bool) -> bool:
        with self._follower.caught_up() as database:
            position = Position.stored(database)
        if position.incarnation is None:
            return self._never_began(position)
        if self.state.has_ended(position.incarnation):
            self.state.altered = self.state.altered_of = None
        of = (self._follower.tables.current(), position.incarnation)
        if of != self._of:
            recorder, verifier = self._follower.recorder, self._key.verifier
            self._proof = Proof(recorder, self._place, verifier, self.state.note)
            self._of = of
        if self._proof and not self._prove(self._proof):
            return False
        return not self._is_due(position, now, closing=closing) or self._sign(position, now)

    def _never_began(self, position: Position) -> bool:
        """Nothing is to be signed of a log that does not say which it is; unless it once did."""
        if self.state.note is None:
            return True
        raise Altered(f"The event log, of {position.count} events, says no more which log it is.")

    def _prove(self, proof: Proof) -> bool:
        """Goes on with a proof; once it is done, with what was interrupted after the last note."""
        if not proof.go_on(STEP_EVENTS):
            return False
        verifier = self._key.verifier
        self._place.put(key_name(verifier.name), f"{verifier.text}\n".encode())
        incarnation = proof.incarnation or ""
        self._tiles = Tiles(self._place, incarnation, self._follower.recorder, proof.walk)
        sealed = proof.own()
        self._signed = sealed[-1].size if sealed else 0
        if sealed:
            self._tiles.drop_partials(sealed[-2].size if len(sealed) > 1 else 0, self._signed)
            self._hand_on(sealed[-1])
        self._proof = None
        return True

    def _is_due(self, position: Position, now: datetime, *, closing: bool) -> bool:
        news, last = position.count - self._signed, self.state.at
        anew = self.state.incarnation != position.incarnation
        recent = last is not None and timedelta() <= now - last < AT_MOST_AFTER and not anew
        return news > 0 and (closing or news >= ENOUGH or not recent)

    def _sign(self, position: Position, now: datetime) -> bool:
        if not self._tiles.go_on(position.count, STEP_EVENTS):
            return False
        seal = self._tiles.seal
        if (seal.count, seal.text) != (position.count, position.frontier):
            raise Altered("This node's read tables were made from other events than are stored.")
        self._tiles.lay_tail()
        name = CheckpointName(position.incarnation or "", seal.count, self._key.name)
        note = self._key.sign(Checkpoint(origin_of(name.incarnation), seal.count, seal.root))
        self._place.put(name.name, note.encode())
        self._tiles.drop_partials(self._signed, seal.count)
        self._signed = seal.count
        self.state.note, self.state.at = note, now
        self.state.incarnation, self.state.size = name.incarnation, seal.count
        self.state.position = self._tiles.position
        self._hand_on(name)
        return True

    def _hand_on(self, name: CheckpointName) -> None:
        for each in self._couriers:
            if self.state.sinks[each.url].delivered != name.name:
                each.take(name)
