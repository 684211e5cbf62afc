"""Options: the kinds of value that commands take beyond click's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click import Context, Parameter


class Manner(NamedTuple):
    """How a download is done: is the interval waited for, and how long a service that is away?"""

    wait: bool
    patience: float


class Duration(click.ParamType[float]):
    """Seconds, from `30`, `30s`, `5m` or `1h`, as settings write it (contract, section 7)."""

    name = "duration"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> float:
        """The seconds; a usage error names what it should look like."""
        from api.values import duration

        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime]):
    """A time as ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> datetime:
        """The time; a usage error says what is wrong with it."""
        try:
            moment = datetime.fromisoformat(str(value))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"'{value}' is no ISO 8601 time such as 2026-01-31T23:59:59Z", param, ctx)


class Point(click.ParamType["int | datetime"]):
    """A position in the log (digits alone), or a time as ISO 8601."""

    name = "position or time"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> int | datetime:
        """The position or time; a usage error says what is wrong with it."""
        text = str(value)
        if text.isascii() and text.isdigit():
            return int(_POSITION(text, param, ctx))
        return MOMENT.convert(text, param, ctx)


POSITION_MOST = 2**63 - 1
"""The last position that any store can count to."""

_POSITION = click.IntRange(0, POSITION_MOST)
DURATION = Duration()
MOMENT = Moment()
POINT = Point()
