"""Page: /docs, the API's document for people, under the console's head and in its style."""

from __future__ import annotations

from functools import cache

from starlette.responses import Response

from api.console.rendering import bare
from api.envelope import ALWAYS
from api.pages import described
from api.reference import view

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page has no script, and loads nothing but its style and its icon."""

HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": ALWAYS["referrer-policy"],
}


def page() -> Response:
    """The page; what is in it does not change while the process lives."""
    whole = _rendered()
    return Response(whole.body, headers=dict(whole.headers))


@cache
def _rendered() -> Response:
    document = described()
    return bare(
        "docs.html",
        headers=HEADERS,
        info=document["info"],
        groups=view.groups(document),
        shapes=view.shapes(document),
        names=document["components"]["schemas"],
        refusals=view.refusals(),
    )
