"""Table: every page of the console, and how a request comes to one; no part of the signed API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route

from api.console import assets, creating, exports, first_user, live, signing_in, task
from api.console.operator.pages import PAGES as OPERATOR_PAGES
from api.console.refusals import refusal, to_sign_in
from api.console.sessions import (
    cookie_of,
    must_be_ours,
    must_be_private,
    must_not_be_led_here,
)
from api.problems import METHOD, NO_API, Rejected
from api.requests import answer

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from api.requests import Call

PAGES = (
    *assets.PAGES,
    *signing_in.PAGES,
    *first_user.PAGES,
    *exports.PAGES,
    *creating.PAGES,
    *task.PAGES,
    *live.PAGES,
)


class Endpoint:
    """One path of the console: each method its page. Refusals are pages too."""

    def __init__(self, pages: list[Call]) -> None:
        self.path = pages[0].path
        self._pages = {page.method: page for page in pages}
        if "GET" in self._pages:
            self._pages["HEAD"] = self._pages["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, whatever happens."""
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        page = self._pages.get(request.method)
        try:
            if page is None:
                allow = ", ".join(sorted(self._pages))
                raise Rejected(METHOD, "The method is not supported.", {"allow": allow})
            wrong = _wrong_about(page, request)
            if not (wrong or page.open) and cookie_of(request) is None:
                return to_sign_in(request)
            return await answer(page, request, wrong)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 (told on a page, and logged where not expected)
            return await refusal(request, error, page)


def _wrong_about(page: Call, request: Request) -> Rejected | None:
    """What speaks against an act, whoever asks for it: whence it comes, or who may read along."""
    try:
        if page.method == "POST":
            must_be_private(request)
            must_be_ours(request)
        elif page.of_results:
            must_not_be_led_here(request)
    except Rejected as wrong:
        return wrong
    return None


async def no_such_page(scope: Scope, receive: Receive, send: Send) -> None:
    """For every other path, where a browser asks."""
    request = Request(scope, receive)
    response = await refusal(request, Rejected(NO_API, "This address leads nowhere."), None)
    await response(scope, receive, send)


def is_browser(scope: Scope) -> bool:
    """Does it ask for a page rather than for an answer of the API?"""
    accept = dict(scope["headers"]).get(b"accept", b"")
    return b"text/html" in accept and not scope["path"].startswith(("/v3/", "/v5/"))


def routes() -> list[Route]:
    """A route for each path; of several that fit, the first in the order of `PAGES`."""
    pages = (*PAGES, *OPERATOR_PAGES)
    paths = list(dict.fromkeys(page.path for page in pages))
    of_path = {path: [page for page in pages if page.path == path] for path in paths}
    return [Route(path, Endpoint(pages)) for path, pages in of_path.items()]
