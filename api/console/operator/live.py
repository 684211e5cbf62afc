"""Live: everybody's news, in one stream to an operator's browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.live import Live
from api.console.operator.access import is_operator, operators

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked


class EverybodysNews(Live):
    """They end, too, where whoever hears them is an operator no more."""

    def _permitted(self, asked: Asked) -> bool:
        return is_operator(asked)


def live(asked: Asked) -> Response:
    """The news of all owners."""
    return EverybodysNews(asked, None)


PAGES = (operators("GET", "/live", "OperatorLive", live),)
