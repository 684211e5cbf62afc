"""Sessions: who is signed in, by a cookie that says it; and where a password may be asked for."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from api.access.permissions import permission
from api.access.signatures import NotAuthentic
from api.access.tokens import SESSION_LIVES
from api.problems import Problem, Rejected

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from api.access.authenticate import Identity
    from api.access.tokens import Token, TokenClaims
    from api.requests import Asked

# `__Host-` binds the cookie to this host, path `/` and a secure transport; so browsers want
# `Secure` with it. On plain-HTTP loopback, which no network sees, Chromium and Firefox keep such a
# cookie too; one that does not is told so by the page for signing in.
COOKIE = "__Host-export-tasks"

_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"

NOT_OURS = Problem(403, "CONSOLE.0001", "a form was sent from another site's page")
NEEDS_TLS = Problem(403, "CONSOLE.0002", "a password or session over plain HTTP")


def session_of(asked: Asked) -> Identity:
    """Who is signed in, and in which project.

    Raises:
        NotAuthentic: nobody is; or (TokenExpired) not any more; or (Unproven) the password was
            changed since, or the user removed.
    """
    return asked.house.doorkeeper.vouch(claims_of(asked))


def may(asked: Asked, action: str) -> bool:
    """May whoever is signed in do this, too? For what a page offers: what is done is judged."""
    member = asked.house.queries.member(*asked.owner)
    return member is not None and permission(asked.house.queries, member, action).allowed


def claims_of(asked: Asked) -> TokenClaims:
    """What the session's cookie says, until its time is over. Raises NotAuthentic."""
    return asked.house.sessions.read(_cookie(asked), asked.house.ledger.journal.clock())


def must_have_begun(asked: Asked) -> None:
    """Raises NotAuthentic where no session was ever begun; no store, and no clock, is asked."""
    asked.house.sessions.issued(_cookie(asked))


def cookie_of(request: Request) -> str | None:
    """What the session's cookie says, if there is one.

    Read here: `http.cookies`, which Starlette asks, takes a time that grows with the square of a
    value's length (CVE-2024-7592), before anybody is known.
    """
    for header in request.headers.getlist("cookie"):
        for each in header.split(";"):
            name, _, text = each.strip().partition("=")
            if name == COOKIE:
                return text
    return None


def _cookie(asked: Asked) -> str:
    text = cookie_of(asked.request)
    if text is None:
        raise NotAuthentic("nobody is signed in")
    return text


def begin_session(response: Response, token: Token) -> Response:
    """Makes the answer sign in whoever gets it."""
    lives = int(SESSION_LIVES.total_seconds())
    response.headers.append("set-cookie", f"{COOKIE}={token.text}; {_ATTRIBUTES}; Max-Age={lives}")
    return response


def end_session(response: Response) -> Response:
    """Makes the answer sign out whoever gets it."""
    response.headers.append("set-cookie", f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0")
    return response


def is_private(request: Request) -> bool:
    """Does nobody read along? TLS, or a browser on the same machine, which browsers trust too."""
    return request.url.scheme == "https" or _is_loopback(request.url.hostname or "")


def must_be_private(request: Request) -> None:
    """Raises Rejected where passwords and sessions would pass a network in clear."""
    if not is_private(request):
        raise Rejected(NEEDS_TLS, "Passwords and sessions go over TLS alone.")


def must_be_ours(request: Request) -> None:
    """Refuses what a form of another site's page sends (no token in our forms is needed for that).

    Browsers say where a form comes from in `Sec-Fetch-Site`, older ones in `Origin` alone.

    Raises:
        Rejected: it comes from elsewhere, or does not say whence.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    ours = f"{request.url.scheme}://{request.url.netloc}"
    if site != "same-origin" if site else origin != ours:
        raise Rejected(NOT_OURS, "The form was not sent from a page of this console.")


def must_not_be_led_here(request: Request) -> None:
    """Refuses what a page elsewhere leads a browser to, with the user's cookie, where that has an
    effect. Whoever types the address, or goes on from a page of ours, does as it likes.

    Raises:
        Rejected: another site's page led here.
    """
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Rejected(NOT_OURS, "Another site led here: begin at the export's page.")


def local(path: str) -> str:
    """A path to go on to, if it leads nowhere but here; else the first page."""
    fits = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fits else "/"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
