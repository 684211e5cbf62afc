"""Opening: the API's installation, opened at once, or as soon as its database is there."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import ExitStack
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

from starlette.requests import Request

from api.console.refusals import problem_page
from api.console.table import is_browser
from api.problems import UNAVAILABLE, Rejected
from api.values import is_shared
from api.waiting import when_there
from domain.refusals import Unavailable
from projections.log import CannotOpen

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.installation import Installation
    from api.settings import Settings

OPEN = ("/livez", "/static/")
"""What is answered all the same: it asks nothing of any store."""

AWAY = "The service waits for its event store; try again."

log = logging.getLogger(__name__)


class Opening:
    """The installation that an API process answers from; None while its database is away.

    A file is opened at once, or nothing is.
    """

    def __init__(
        self, settings: Settings, opener: Callable[[], AbstractContextManager[Installation]]
    ) -> None:
        self._settings, self._opener = settings, opener
        self._open, self._over = ExitStack(), Event()
        self._waiting: Thread | None = None
        self.house: Installation | None = None

    def __enter__(self) -> Self:
        """Raises as `open_installation`, but where a database does not answer."""
        try:
            self._try()
        except (CannotOpen, Unavailable):
            if not is_shared(self._settings.events):
                raise
            self._waiting = Thread(target=self._wait, name="opening", daemon=True)
            self._waiting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._waiting:
            self._waiting.join()
        self._open.close()

    def _try(self) -> None:
        self.house = self._open.enter_context(self._opener())

    def _wait(self) -> None:
        """What is more than a database that is away ends this process: it is started again."""
        try:
            when_there(self._try, self._over)
        except Exception:
            log.exception("the stores cannot be opened")
            os.kill(os.getpid(), signal.SIGTERM)


class Doors:
    """Middleware: nobody is let in before the installation is open, but who asks nothing of it."""

    def __init__(self, app: ASGIApp, opening: Opening) -> None:
        self._app, self._opening = app, opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request in, or raises what becomes a 503."""
        state: dict[str, Any] = scope.get("state", {})
        if scope["type"] == "http" and state.get("house") is None:
            state["house"] = self._opening.house
            if state["house"] is None and not scope["path"].startswith(OPEN):
                return await self._refuse(scope, receive, send)
        await self._app(scope, receive, send)
        return None

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        away = Rejected(UNAVAILABLE, AWAY)
        if not is_browser(scope):
            raise away
        await problem_page(Request(scope, receive), away, None)(scope, receive, send)
