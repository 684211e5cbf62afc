"""Event places: where the event store is, for what copies it as a whole and puts it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from api.audit.stored import NothingStored, open_events
from api.upkeep.copies import copy_database
from api.upkeep.event_copies import copy_to_file
from api.values import is_shared, no_event_store
from domain.refusals import Refusal
from exporter.disk import link
from projections.shown import shown
from projections.stores.sqlite import event_file
from projections.stores.whole_file import beside, settle

if TYPE_CHECKING:
    from pathlib import Path

    from api.settings import Settings
    from api.upkeep.event_copies import Advance

STAGING = ".restoring"
"""The folder in which a copied event store is made ready."""


class NothingThere(Refusal):
    """There is no event store."""


class NotEmpty(Refusal):
    """Something is where a restored part should go; nothing is ever overwritten."""


class EventPlace(Protocol):
    """The place of an event store; `staging` is a folder for work at a copy of it.

    What is copied event by event is told to `advance`, a file as a whole is not.
    What fails raises `CopyFailed`, `CannotRead`, `CannotOpen` or OSError.
    """

    @property
    def staging(self) -> Path:
        """Gone when nobody is at work."""

    @property
    def nothing(self) -> str:
        """What to say where there is none."""

    def must_be_there(self) -> None:
        """Looks, without making anything. Raises NothingThere."""

    def copy_to(self, file: Path, advance: Advance) -> None:
        """Events and vault of one moment in a private file of SQLite's, on the disk."""

    def must_be_free(self) -> None:
        """Raises NotEmpty."""

    def publish(self, file: Path, advance: Advance) -> None:
        """Events and vault of such a file in this place, at once and whole, never over others.

        Raises NotEmpty.
        """


class FilePlace:
    """A file; a copy keeps its very pages, and is put in place by its name."""

    def __init__(self, file: Path, origin: str) -> None:
        self._file = file
        self.staging = file.with_name(STAGING)
        self.nothing = no_event_store(str(file), origin)

    def must_be_there(self) -> None:
        try:
            self._file.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise NothingThere(self.nothing) from None

    def copy_to(self, file: Path, advance: Advance) -> None:
        del advance
        copy_database(self._file, file)
        settle(file)

    def must_be_free(self) -> None:
        for path in (self._file, *beside(self._file)):
            if path.exists():
                raise NotEmpty(
                    f"EXPORT_TASKS_EVENTS: {path} is there already; restore into a new home."
                )

    def publish(self, file: Path, advance: Advance) -> None:
        del advance
        try:
            link(file, self._file)
        except FileExistsError as error:
            raise NotEmpty(
                f"EXPORT_TASKS_EVENTS: {self._file} was made meanwhile; remove it."
            ) from error


class DatabasePlace:
    """A database of PostgreSQL's; events and vault are copied row by row, and compared."""

    def __init__(self, url: str, home: Path, origin: str) -> None:
        self._url = url
        self.staging = home / STAGING
        self.nothing = no_event_store(shown(url), origin)

    def must_be_there(self) -> None:
        try:
            with open_events(self._url):
                pass
        except NothingStored:
            raise NothingThere(self.nothing) from None

    def copy_to(self, file: Path, advance: Advance) -> None:
        with open_events(self._url) as events:
            copy_to_file(events, file, advance)

    def must_be_free(self) -> None:
        if not self._is_empty():
            raise NotEmpty(
                f"EXPORT_TASKS_EVENTS: {shown(self._url)} holds a log already; restore into an "
                "empty database."
            )

    def publish(self, file: Path, advance: Advance) -> None:
        from api.upkeep.database_copies import copy_to_database

        with open_events(f"sqlite:///{file.absolute()}") as events:
            copy_to_database(events, self._url, advance)

    def _is_empty(self) -> bool:
        try:
            with open_events(self._url) as events:
                return not events.count() and not events.beside("people")
        except NothingStored:
            return True


def event_place(settings: Settings) -> EventPlace:
    """The place that the settings name. Raises CannotOpen: another kind of URL."""
    origin = settings.given["events"].origin
    if is_shared(settings.events):
        return DatabasePlace(settings.events, settings.home, origin)
    return FilePlace(event_file(settings.events), origin)
