"""Parts: what the settings name, opened as it is asked for, the same for every command."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from secrets import token_hex
from typing import TYPE_CHECKING, Self, TypeVar

from api.access.people import People
from api.access.vault import Vault
from api.settings import Settings
from domain.access.register import Register
from domain.fact import Caller
from domain.journal import Journal
from domain.ledger import Ledger
from domain.refusals import NotThere, Refusal
from exporter.results import Results, ResultsClaimed, open_results
from exporter.sources import Source, open_source
from exporter.sources.batches import Batches
from projections.follower import Follower
from projections.log import OpenLog, open_log
from projections.queries import Queries
from projections.tables import ReadTables

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Protocol

    class Closable(Protocol):
        """What must be let go of."""

        def close(self) -> None:
            """Lets go."""

    C = TypeVar("C", bound=Closable)
else:
    C = TypeVar("C")

OPERATOR = "system"


class NotOurs(Refusal):
    """The result store belongs to another event log."""


class Parts:
    """Everything a command may need; a part that nobody asks for is never opened."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.read()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @cached_property
    def log(self) -> OpenLog:
        """The event log."""
        return self._kept(open_log(self.settings.events))

    @cached_property
    def journal(self) -> Journal:
        """How changes reach it."""
        return Journal(self.log.recorder, turns=self.log.turns)

    @cached_property
    def ledger(self) -> Ledger:
        """The write side of export tasks; it begins the log where it is empty."""
        return Ledger(self.journal)

    @cached_property
    def register(self) -> Register:
        """The write side of projects and people."""
        return Register(self.journal)

    @cached_property
    def tables(self) -> ReadTables:
        """This node's read tables."""
        return self._kept(ReadTables(self.settings.read_dir))

    @cached_property
    def follower(self) -> Follower:
        """What keeps them up to date."""
        return Follower(self.log.recorder, self.tables)

    @cached_property
    def queries(self) -> Queries:
        """The read side."""
        return Queries(self.follower, self.tables)

    @cached_property
    def vault(self) -> Vault:
        """Names, secrets and passwords."""
        return self._kept(Vault(self.settings.events, self.settings.secret_key()))

    @cached_property
    def people(self) -> People:
        """Users by name."""
        return People(self.register, self.ledger, self.vault, self.queries)

    @cached_property
    def source(self) -> Source:
        """Where batch tasks are read."""
        return self._kept(open_source(self.settings.source))

    @cached_property
    def batches(self) -> Batches:
        """Where they are written, if the source is the embedded file."""
        return self._kept(Batches(self.settings.source))

    @cached_property
    def results(self) -> Results:
        """The result files, claimed for this log.

        Raises:
            NotOurs: they are another log's.
        """
        results = open_results(self.settings.results)
        marker = self.ledger.begin(self.operator()).results
        try:
            results.claim(marker or "")
        except ResultsClaimed as error:
            raise NotOurs(
                f"The results at {self.settings.results} belong to another event log than "
                f"{self.settings.events}."
            ) from error
        return results

    def operator(self) -> Caller:
        """Who an operator's command is by, in a request of its own."""
        return Caller(by=OPERATOR, request_id=token_hex(16))

    def must_have(self, project_id: str, app_id: str | None) -> None:
        """Refuses a project, or an app of it, that is not there.

        Raises:
            NotThere: which one is missing.
        """
        if self.queries.project(project_id) is None:
            raise NotThere(f"The project '{project_id}'")
        apps = {app.app_id for app in self.queries.apps(project_id)}
        if app_id is not None and app_id not in apps:
            raise NotThere(f"The app '{app_id}' of the project '{project_id}'")

    def _kept(self, part: C) -> C:
        self._open.callback(part.close)
        return part
