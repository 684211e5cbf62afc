"""Parts: what the settings name, opened as it is asked for; the one composition for all."""

from __future__ import annotations

import logging
from contextlib import ExitStack, nullcontext
from datetime import timedelta
from functools import cached_property
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Self, TypeVar

from api.access.erasures import ERASURES, Erasures
from api.access.people import People
from api.access.removal import Removal
from api.access.sealing import CannotUnseal
from api.access.side_log import SideLog
from api.access.vault import Vault
from api.audit.auditor import Auditor
from api.audit.courier import Courier
from api.audit.key import kept_key
from api.audit.place import open_place
from api.audit.sinks import open_sink
from api.belonging import claim
from api.settings import Settings
from domain.access import rules
from domain.access.register import Register
from domain.fact import Caller
from domain.journal import Journal
from domain.ledger import Ledger
from domain.refusals import NotThere, Refusal
from exporter.exporter import Exporter
from exporter.results import Results, open_results
from exporter.sources import Remote, Source, SourceFailed, is_remote, open_source
from exporter.sources.batches import Batches
from exporter.sources.listing import Listing
from exporter.sources.sql import SqlSource
from exporter.sweeper import Sweeper
from exporter.tracing import Traced, is_on
from projections.follower import Follower
from projections.log import OpenLog, open_log
from projections.past import Past
from projections.queries import Queries
from projections.shown import shown
from projections.tables import ReadTables

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Protocol

    from domain.journal import Appending

    class Closable(Protocol):
        """What must be let go of."""

        def close(self) -> None:
            """Lets go."""

    C = TypeVar("C", bound=Closable)
else:
    C = TypeVar("C")

T = TypeVar("T")
OPERATOR = "system"
log = logging.getLogger(__name__)


class WrongSecretKey(Refusal):
    """The vault was filled under another secret key."""

    def __init__(self, settings: Settings) -> None:
        text = "EXPORT_TASKS_SECRET_KEY is not the key that this store's users are sealed under."
        if settings.next_secret_file.exists():
            text += " A change of it was begun and not ended: export-tasks secret rotate"
        super().__init__(text)


class Unusable(Refusal):
    """A setting names a place of a kind that does not serve here."""


class Parts:
    """Everything a command may need; a part that nobody asks for is never opened."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.read()
        self.appending: Appending = nullcontext
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
        recorder: Any = Traced(self.log.recorder) if is_on() else self.log.recorder
        journal = Journal(recorder, clock=self.log.clock, turns=self.log.turns)
        journal.appending = self.appending
        return journal

    @cached_property
    def ledger(self) -> Ledger:
        """The write side of export tasks."""
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
        return Follower(self.log.recorder, self.tables, mark=self.log.mark)

    @cached_property
    def queries(self) -> Queries:
        """The read side."""
        return Queries(self.follower)

    @cached_property
    def past(self) -> Past:
        """The log as it was."""
        return Past(self.log.recorder, self.follower)

    @cached_property
    def vault(self) -> Vault:
        """Names, secrets and passwords.

        Raises:
            WrongSecretKey: the settings' key is not the one that they are sealed under.
        """
        try:
            return Vault(self.log, self.settings.secret_key())
        except CannotUnseal as error:
            raise WrongSecretKey(self.settings) from error

    @cached_property
    def side_log(self) -> SideLog:
        """Refusals on this machine."""
        return self._kept(SideLog(self.settings.side_log, self.settings.secret_key()))

    @cached_property
    def people(self) -> People:
        """Users by name."""
        return People(self.register, self.vault, self.queries, self.removal)

    @cached_property
    def removal(self) -> Removal:
        """How users go."""
        erasures = Erasures(self.settings.home / ERASURES)
        return Removal(self.register, self.ledger, self.vault, erasures)

    @cached_property
    def source(self) -> Source:
        """Where batch tasks are read."""
        return self._kept(self.opened("source", lambda url: open_source(url, self._remote())))

    @cached_property
    def listing(self) -> Listing | None:
        """Its batch tasks, page by page; None where somebody else serves them."""
        source = None if is_remote(self.settings.source) else self.source
        return Listing(source) if isinstance(source, SqlSource) else None

    @cached_property
    def batches(self) -> Batches:
        """Where they are written, if the source is the embedded file."""
        return self._kept(self.opened("source", Batches))

    @cached_property
    def results(self) -> Results:
        """The result files."""
        return self.opened("results", lambda url: open_results(url, self.settings.spools))

    def claim_results(self) -> None:
        """Sees to it that the results are this log's; raises as `belonging.claim`."""
        settings = self.settings
        claim(self.ledger, self.results, settings.results, settings.home, self.operator())

    def check_source(self) -> None:
        """Asks the source something; the embedded one is made where it is missing.

        Raises:
            SourceFailed, BatchRefused: it does not answer; a remote one that may be back soon is
                only logged.
        """
        if self.settings.given["source"].origin == "default":
            self.batches.list()
        try:
            self.source.check()
        except SourceFailed as error:
            if not (error.passing and is_remote(self.settings.source)):
                raise
            place = shown(self.settings.source)
            log.warning("EXPORT_TASKS_SOURCE (%s): %s Exports wait until it answers.", place, error)

    def exporter(self) -> Exporter:
        """An exporter under a name of its own: no two processes share a claim."""
        return Exporter(
            self.ledger,
            self.queries,
            self.source,
            self.results,
            name=f"exporter-{token_hex(6)}",
            lease=self.settings.lease,
            crashes_allowed=self.settings.attempts,
            download="zip" if self.settings.download == "zip" else "xls",
            clock=self.journal.clock,
        )

    def sweeper(self) -> Sweeper:
        """What removes dead result files."""
        return Sweeper(
            self.ledger,
            self.queries,
            self.results,
            sweep_after=timedelta(seconds=self.settings.sweep_after),
            clock=self.journal.clock,
        )

    def auditor(self) -> Auditor:
        """Who signs checkpoints of the log, with this node's key.

        Raises:
            KeyUnusable: the key can neither be read nor made.
        """
        key = kept_key(self.settings.audit_key_file)
        place = self.opened("audit", open_place)
        couriers = self.opened(
            "audit_sinks",
            lambda urls: [Courier(url, open_sink(url), place, key.verifier) for url in urls],
        )
        return Auditor(self.follower, place, key, couriers, self.settings.audit_state_file)

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

    def user_id(self, user: str | None) -> str | None:
        """The id of the user that an operator means by a name, or by the id itself.

        Raises:
            NotThere: nobody has that name. (An id stays good after its user's removal.)
        """
        if user is None or rules.USER_ID.fullmatch(user):
            return user
        return self.people.user_id_of(user)

    def _remote(self) -> Remote:
        """A source that is asked over the network; all who export now, anywhere, share its rate."""
        region, rate = self.settings.source_region, self.settings.source_rate
        return Remote(region, rate, self._upstream_projects, lambda: self.queries.running())

    def _upstream_projects(self) -> dict[str, str]:
        return {
            project.project_id: project.upstream_project_id
            for project in self.queries.projects()
            if project.upstream_project_id
        }

    def opened(self, name: str, opener: Callable[[Any], T]) -> T:
        """What a setting names, opened. Raises Unusable."""
        try:
            return opener(getattr(self.settings, name))
        except ValueError as error:
            raise Unusable(f"EXPORT_TASKS_{name.upper()}: {error}") from error

    def _kept(self, part: C) -> C:
        self._open.callback(part.close)
        return part
