"""Rendering: an operators' page, under its own tabs, with people's names in place of their ids."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from api.console.rendering import render as render_page
from api.console.tabs import Tab

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked

PAGES = (
    Tab("Queue", "/operator"),
    Tab("Last day", "/operator/hours"),
    Tab("Failures", "/operator/failures"),
    Tab("All tasks", "/operator/tasks"),
    Tab("Log and tables", "/operator/service"),
)


def render(asked: Asked, template: str, status: int = 200, **values: Any) -> Response:
    """An operators' page; `now` is when it was made."""
    now = asked.house.ledger.journal.clock()
    return render_page(
        asked,
        f"operator/{template}",
        status,
        now=now,
        operator_pages=PAGES,
        name_of=cache(asked.house.people.name_of),
        **values,
    )
