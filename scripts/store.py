"""Store: an event store that is there already, for commands that never begin one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.stored import CannotRead, NothingStored, open_events
from api.parts import Parts
from api.settings import Settings
from api.upkeep.event_places import NothingThere
from api.values import is_shared, no_event_store
from projections.shown import shown
from projections.stores.sqlite import event_file

if TYPE_CHECKING:
    from pathlib import Path


def existing(settings: Settings | None = None) -> Parts:
    """The parts of an installation that is there; where there is none, nothing is left behind.

    Raises:
        NothingThere: there is no event store; a wrong home is no empty one.
    """
    settings = settings or Settings.read()
    must_be_there(settings)
    return Parts(settings)


def must_be_there(settings: Settings) -> None:
    """Looks, without making anything. Raises NothingThere."""
    if is_shared(settings.events):
        found, where = _in_database(settings.events), shown(settings.events)
    else:
        path = event_file(settings.events)
        found, where = _is_file(path), str(path)
    if not found:
        raise NothingThere(no_event_store(where, settings.given["events"].origin))


def _in_database(url: str) -> bool:
    """Of a database that cannot be read, whoever opens it says why."""
    try:
        with open_events(url):
            return True
    except NothingStored:
        return False
    except CannotRead:
        return True


def _is_file(path: Path) -> bool:
    """Of one that must not be looked at, whoever opens it says so."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
