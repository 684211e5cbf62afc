"""Signed: what was signed of the log, as far as this node can know, against the log as it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from api.audit.given import Signed
from api.audit.key import kept_key
from api.audit.note import incarnation_of, read_note
from api.audit.read_place import read_place
from api.audit.state import read_state
from api.audit.stored import open_events
from api.audit.verify import verify
from domain.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.audit.damage import Damage
    from api.audit.verify import Verdict
    from api.settings import Settings

PUT_BACK = (
    "before anything else writes to the log: export-tasks restore --in-place --dry-run, then "
    "export-tasks restore --in-place"
)
"""What to do where the database's own tools put a log back, and nobody has written to it since."""


class NotWhatWasSigned(Refusal):
    """The log is not what was signed of it; the text says what to do."""


def judged(settings: Settings) -> Verdict:
    """What the checkpoints in the audit place, and this node's own last one, say of the log.

    Raises:
        PlaceFailed, CannotOpen, CannotRead: one of them cannot be read.
    """
    with read_place(settings.audit) as place, open_events(settings.events) as events:
        return verify(events, [*place.given().sealed, *_own(settings)], place.tiles)


def must_hold(settings: Settings) -> None:
    """All that was signed of the log must be in it. Raises NotWhatWasSigned, and as `judged`."""
    verdict = judged(settings)
    if verdict.damage:
        raise NotWhatWasSigned(_advice(verdict.damage, verdict.sealed - verdict.events))


def _advice(damage: Damage, gone: int) -> str:
    if damage.kind == "cut":
        return (
            f"{gone} events that were signed are gone: accepting that would make it the loss of "
            "all, for good. Nothing was changed. If the database was put back to an earlier "
            f"state, {PUT_BACK}"
        )
    return (
        f"The log is not what was signed of it. At rank {damage.rank}: {damage.text}. Nothing was "
        "changed. See export-tasks audit verify; then export-tasks restore FROM (into a new home)"
    )


def _own(settings: Settings) -> Iterator[Signed]:
    """The last checkpoint that this node signed: the place may have lost it."""
    note, key = read_state(settings.audit_state_file).note, settings.audit_key_file
    if note is None or not key.exists():
        return
    with suppress(Refusal):  # a note that nobody can read proves nothing
        verifier = kept_key(key).verifier
        signed = read_note(note, [verifier])
        where = str(settings.audit_state_file)
        yield Signed(signed, incarnation_of(signed.origin), verifier.name, where, note)
