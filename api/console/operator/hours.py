"""Hours: what the last day saw, as a picture and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.operator.access import operators
from api.console.operator.picture import draw
from api.console.operator.rendering import render
from projections.rows import Seen

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked

_COUNTED = [name for name in Seen.__struct_fields__ if name != "hour"]


def hours(asked: Asked) -> Response:
    """By the hour, the present one last; and all of it together."""
    seen = asked.house.overview.hours(asked.house.ledger.journal.clock())
    total = {name: sum(getattr(hour, name) for hour in seen) for name in _COUNTED}
    activity = asked.house.queries.activity()
    picture = draw(seen)
    return render(asked, "hours.html", hours=seen, total=total, picture=picture, activity=activity)


PAGES = (operators("GET", "/hours", "OperatorHours", hours),)
