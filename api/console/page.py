"""Page: a row of the console's table, made like a call of the API, but let in by a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.console.sessions import session_of
from api.envelope import ALWAYS
from api.requests import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from api.requests import Asked

HTML = "text/html; charset=utf-8"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)

# Without a referrer a form's `Origin` would be `null`: pages here tell it to each other alone.
HEADERS = ALWAYS | {"content-security-policy": POLICY, "referrer-policy": "same-origin"}
"""What every answer of the console has, a script's too: a worker goes by its own policy."""


def page(
    method: str,
    path: str,
    name: str,
    handle: Callable[[Asked], Response],
    *,
    permission: str | None = None,
    **kind: Any,
) -> Call:
    """A page, or what a form of it is sent to.

    Whoever is not signed in is led to do that, unless `open`; `permission` is what is needed in the
    project of the session, and those that need none must be `open`. `kind` is as of a `Call`:
    `of_source`, `of_results`, `login`.
    """
    return Call(
        method=method,
        path=path,
        name=name,
        summary="",
        handle=handle,
        statuses=(),
        prove=session_of,
        permission=permission,
        media_type=HTML,
        **kind,
    )
