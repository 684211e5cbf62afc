"""Proof: the stored events must make again what was signed of them, before more is signed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.audit.note import NotANote, NotSigned, Verifier, incarnation_of, read_note
from api.audit.place import CheckpointName, key_name
from api.audit.walk import Altered, Walk
from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from domain.refusals import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventsourcing.persistence import ApplicationRecorder

    from api.audit.note import Checkpoint
    from api.audit.place import Place

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One that the log is or was: since how many events, and how many a restore kept of it."""

    name: str
    since: int
    kept: int | None


class Proof:
    """Reads a log from its first event to the largest size that was signed of it.

    Asked are, of every incarnation that the log was, the newest checkpoints of each key in the
    place, as far as a restore kept what they seal; and `last`, the note that this node remembers.
    """

    def __init__(
        self, recorder: ApplicationRecorder, place: Place, own: Verifier, last: str | None
    ) -> None:
        self._place = place
        self._own = own
        self._incarnations = _incarnations(recorder)
        self._signed: dict[int, list[Checkpoint]] = {}
        for each in (*self._newest(), *self._remembered(last)):
            self._signed.setdefault(each.size, []).append(each)
        self.walk = Walk(recorder)

    @property
    def incarnation(self) -> str | None:
        """What the log is now."""
        return self._incarnations[-1].name if self._incarnations else None

    def own(self) -> list[CheckpointName]:
        """This node's checkpoints of what the log is now, the smallest first."""
        names = CheckpointName.all_in(self._place, self.incarnation) if self.incarnation else ()
        return [each for each in names if each.key == self._own.name]

    def go_on(self, events: int) -> bool:
        """Goes on by about so many events; true where all is proven.

        Raises:
            Altered: what was signed is not what is stored.
            Unavailable: the store does not answer.
        """
        most = self.walk.seal.count + events
        for size in self._stops():
            while (count := self.walk.seal.count) < size:
                if count >= most:
                    return False
                self.walk.page(size)
            self._compare(size)
        self._check_beginnings()
        return True

    def _stops(self) -> list[int]:
        """Where to compare; and just after each event that says that it begins a restored log."""
        beginnings = [each.since + 1 for each in self._incarnations[1:]]
        return [n for n in sorted({*self._signed, *beginnings}) if n >= self.walk.seal.count]

    def _compare(self, size: int) -> None:
        for each in self._signed.get(size, []):
            if each.root != self.walk.seal.root:
                raise Altered(
                    f"The first {size} events are not those that were signed "
                    f"(checkpoint of {each.origin})."
                )

    def _check_beginnings(self) -> None:
        """Only an honest restore begins where it says; whoever pretends one could hide a change."""
        restored = [each.since for each in self._incarnations[1:]]
        if self.walk.begun[1 : len(restored) + 1] != restored:
            raise Altered("The event log says of itself what is not so: how it was restored.")

    def _newest(self) -> Iterator[Checkpoint]:
        for incarnation in self._incarnations:
            kept = incarnation.kept
            by_key = {
                each.key: each
                for each in CheckpointName.all_in(self._place, incarnation.name)
                if kept is None or each.size <= kept
            }
            for each in by_key.values():
                yield from self._read(each)

    def _read(self, name: CheckpointName) -> Iterator[Checkpoint]:
        try:
            verifier = self._verifier(name.key)
            if verifier is None:
                _LOGGER.warning("%s counts for nothing: its key is not there", name.name)
                return
            found = read_note(_text(self._place.get(name.name)), [verifier])
            if (incarnation_of(found.origin), found.size) != name[:2]:
                raise NotANote("It is a checkpoint of another name.")
        except (NotANote, NotSigned) as error:
            raise Altered(f"{name.name} in the audit place was altered: {error}") from error
        yield found

    def _verifier(self, key: str) -> Verifier | None:
        if key == self._own.name:
            return self._own
        text = self._place.get(key_name(key))
        return None if text is None else Verifier.read(_text(text))

    def _remembered(self, note: str | None) -> Iterator[Checkpoint]:
        if note is None:
            return
        try:
            found = read_note(note, [self._own])
            incarnation = incarnation_of(found.origin)
        except (NotANote, NotSigned) as error:  # the key was changed, or the file damaged
            _LOGGER.warning(
                "the last checkpoint that this node remembers is not its own: %s", error
            )
            return
        for each in self._incarnations:
            if each.name == incarnation and (each.kept is None or found.size <= each.kept):
                yield found


def _incarnations(recorder: ApplicationRecorder) -> list[Incarnation]:
    try:
        begun = [e for e in Journal(recorder).history(LOG_STREAM) if isinstance(e, Log.Begun)]
    except Unavailable:
        raise
    except Exception as error:
        raise Altered(f"What the event log says of itself cannot be read: {error!r}.") from error
    since = [each.previous_count or 0 for each in begun]
    names = [each.incarnation for each in begun]
    kept = [*since[1:], None]
    return [Incarnation(*each) for each in zip(names, since, kept, strict=False)]


def _text(content: bytes | None) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError as error:
        raise NotANote("It is no text.") from error
