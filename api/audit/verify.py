"""Verify: the stored bytes of a whole event log against the checkpoints that were signed of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from api.audit.damage import Damage, damage_at, first_damage
from api.audit.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.audit.damage import Kind
    from api.audit.given import Signed
    from api.audit.leaves import Leaves
    from api.audit.lineage import Begun
    from api.audit.stored import Events

    Tiles = Callable[[str], Leaves]

_EXACT_FIRST = (
    "swapped", "edited", "missing", "inserted", "reordered", "cut and grown again", "cut",
    "replaced",
)  # fmt: skip
_OF_A_RESTORE = ("cut and grown again", "replaced")
"""What it looks like, by the tiles of an incarnation, where a restore ended it."""

Outcome = Literal["sound", "changed", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. The first `sealed` of the `events` were sealed, the rest was not.

    `proof` is the largest checkpoint that holds with nothing damaged before its end; `holding`
    counts those that do. `restored` tells of each restore what it honestly took away, `why` why
    nothing can be told.
    """

    outcome: Outcome
    events: int
    sealed: int
    incarnation: str | None
    proof: Signed | None
    holding: int
    damage: Damage | None
    restored: tuple[str, ...]
    why: str | None

    @property
    def proven(self) -> int:
        """How many events are proven to be what was sealed."""
        return self.proof.size if self.proof else 0


def verify(events: Events, sealed: Sequence[Signed], tiles: Tiles) -> Verdict:
    """Judges the log by every checkpoint; `tiles` gives the stored leaves of an incarnation.

    Tiles only help to name the damage, and only as far as a signed root vouches for them.

    Raises:
        CannotRead: the event store cannot be read.
    """
    return _Trial(Log(events), sealed, tiles).verdict()


class _Trial:
    """One log before all the checkpoints, in the order of their sizes."""

    def __init__(self, log: Log, sealed: Sequence[Signed], tiles: Tiles) -> None:
        self.log, self.tiles = log, tiles
        self.sealed = sorted(sealed, key=lambda each: each.size)
        self.roots = log.leaves.roots(each.size for each in sealed)
        self.known = [each for each in self.sealed if self._is_known(each)]
        self.unknown = [each for each in self.sealed if not self._is_known(each)]
        self.gone = [each for each in self.known if self._is_gone(each)]
        judged = [each for each in self.known if not self._is_gone(each)]
        self.good = [each for each in judged if self._holds(each)]
        self.bad = [each for each in judged if not self._holds(each)]

    def verdict(self) -> Verdict:
        """Changed before cannot tell before sound."""
        if damage := self._damage():
            return self._found("changed", damage=damage)
        if why := self._doubt():
            return self._found("cannot tell", why=why)
        return self._found("sound")

    def _found(
        self, outcome: Outcome, damage: Damage | None = None, why: str | None = None
    ) -> Verdict:
        most = damage.rank if damage else self.log.count
        proofs = [each for each in self.good if each.size <= most]
        return Verdict(
            outcome=outcome,
            events=self.log.count,
            sealed=max((each.size for each in (*self.good, *self.bad)), default=0),
            incarnation=self.log.lineage.current,
            proof=proofs[-1] if proofs else None,
            holding=len(self.good),
            damage=damage,
            restored=tuple(map(self._restored, self.log.lineage.restores)),
            why=why,
        )

    # Of one checkpoint

    def _is_known(self, each: Signed) -> bool:
        """A log that was never restored must be what any of its checkpoints says."""
        lineage = self.log.lineage
        return lineage.knows(each.incarnation) or not lineage.restores

    def _is_gone(self, each: Signed) -> bool:
        """Does it seal more than a restore says that it kept?"""
        return self.log.has_ended(each.incarnation) and each.size > self.log.kept(each.incarnation)

    def _holds(self, each: Signed) -> bool:
        return self.roots.get(each.size) == each.checkpoint.root

    # Of all

    def _damage(self) -> Damage | None:
        log = self.log
        if self.bad:
            found = self._by_tiles() or self._by_checkpoints()
            return replace(found, checkpoint=self.bad[0].where)
        if log.damaged:
            return damage_at("unreadable", log.count, log.events)
        return self._in_false_restores()

    def _by_tiles(self) -> Damage | None:
        """The exact event, where trusted tiles go as far."""
        found = [each for each in map(self._seen_from, self._of_the_bad()) if each]
        # The first; of several incarnations' words for it, the most exact.
        first = min(
            found, key=lambda each: (each.rank, _EXACT_FIRST.index(each.kind)), default=None
        )
        if first and self.log.damaged and first.rank == self.log.count:
            return damage_at("unreadable", first.rank, self.log.events)
        return first

    def _of_the_bad(self) -> list[str]:
        """Their incarnations; the one that the log says it is comes first."""
        latest = self.log.lineage.latest
        return sorted({each.incarnation for each in self.bad}, key=lambda each: each != latest)

    def _seen_from(self, incarnation: str) -> Damage | None:
        trusted = self._trusted(incarnation)
        if self.log.has_ended(incarnation):
            trusted = trusted.first(self.log.kept(incarnation))
        return first_damage(self.log.leaves, trusted, self.log.events)

    def _trusted(self, incarnation: str) -> Leaves:
        """As many of the stored leaves as a signed root is the root of."""
        stored = self.tiles(incarnation)
        signed = [each for each in self.sealed if each.incarnation == incarnation]
        roots = stored.roots(each.size for each in signed)
        sizes = [each.size for each in signed if roots.get(each.size) == each.checkpoint.root]
        return stored.first(max(sizes, default=0))

    def _by_checkpoints(self) -> Damage:
        """The ranks between the last checkpoint that holds and the first that does not."""
        first = self.bad[0]
        start = max((each.size for each in self.good if each.size <= first.size), default=0)
        kind: Kind = "changed"
        if any(each.size >= first.size for each in self.good):
            kind = "contradiction"
        elif first.size > self.log.count:
            kind = "unreadable" if self.log.damaged else "cut"
        return damage_at(kind, start, self.log.events, first.size)

    def _in_false_restores(self) -> Damage | None:
        """After a true restore nothing stands that had been sealed later."""
        for incarnation in dict.fromkeys(each.incarnation for each in (*self.gone, *self.unknown)):
            trusted = self._trusted(incarnation)
            found = first_damage(self.log.leaves, trusted, self.log.events)
            if found and found.kind not in _OF_A_RESTORE:
                return found
        return None

    def _doubt(self) -> str | None:
        """Why it cannot be told whether the log is sound."""
        if not self.sealed:
            return "no checkpoint that a given key signed"
        if self.unknown:
            names = ", ".join(sorted({each.incarnation for each in self.unknown}))
            return (
                f"checkpoints of an incarnation that this log does not know ({names}): it is "
                "another log's, or was left for an older backup"
            )
        proven = max((each.size for each in self.good), default=0)
        if self.gone and proven <= max(self.log.kept(each.incarnation) for each in self.gone):
            return (
                "the log says that it was restored, and no checkpoint of the time after vouches "
                "for that yet"
            )
        return None if proven else "no checkpoint of what is left of the log"

    def _restored(self, begun: Begun) -> str:
        text = (
            f"position {begun.position}: restored from a backup of {begun.rank} events of the "
            f"incarnation {begun.previous}"
        )
        lost = [each.size for each in self.gone if each.incarnation == begun.previous]
        if lost:
            gone = max(lost) - begun.rank
            text += f"; at least {gone} events that were sealed after it are gone"
        return text
