"""Store: an event store that is there already, for commands that never begin one."""

from __future__ import annotations

from api.parts import Parts
from api.settings import Settings
from api.upkeep.event_places import event_place


def existing(settings: Settings | None = None) -> Parts:
    """The parts of an installation that is there; where there is none, nothing is left behind.

    Raises:
        NothingThere: there is no event store; a wrong home is no empty one.
        CannotOpen, CannotRead, OSError: it cannot be told.
    """
    settings = settings or Settings.read()
    event_place(settings).must_be_there()
    return Parts(settings)
