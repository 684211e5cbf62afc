"""List query: parameters of a list, and of one task, from the raw query (contract, section 1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args
from urllib.parse import parse_qsl

from msgspec import Meta, Struct

from api import reading
from api.messages import (
    AppId,
    AppType,
    ConditionText,
    ResourceCondition,
    ResourceType,
    Status,
    TaskId,
)
from api.problems import LIMIT_INVALID, MARKER_INVALID, Problem, Rejected
from domain.commands import NEWEST, TASK_ID, check, check_app_id
from domain.refusals import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_MOST = 50
LIMIT_DEFAULT = 10
OFFSET_MOST = 500

Limit = Annotated[int, Meta(ge=1, le=LIMIT_MOST, description="how many at most")]
Marker = Annotated[TaskId, Meta(description="only what has a smaller id")]
Offset = Annotated[int, Meta(ge=0, le=OFFSET_MOST, description="how many to pass over first")]
At = Annotated[
    datetime,
    Meta(
        description="as it was then, in commit order; without a zone it is UTC",
        examples=["2026-01-31T12:00:00Z"],
        extra_json_schema={"format": "date-time"},
    ),
]


class ListQuery(Struct):
    """Which tasks, and which page of them."""

    limit: Limit = LIMIT_DEFAULT
    marker: Marker = NEWEST
    offset: Offset = 0
    resource_type: Annotated[ResourceType, Meta(description="only those of the type")] | None = None
    resource_condition: ConditionText | None = None
    app_type: Annotated[AppType, Meta(description="only those created with it")] | None = None
    app_id: Annotated[AppId, Meta(description="only those created with it")] | None = None
    status: Annotated[Status, Meta(description="only those that stand so")] | None = None
    at: At | None = None

    def filters(self) -> dict[str, str | None]:
        """What is asked of the stored task."""
        return {
            "resource_type": self.resource_type,
            "resource_condition": self.resource_condition,
            "app_type": self.app_type,
            "app_id": self.app_id,
            "status": self.status,
        }


class ShowQuery(Struct):
    """As of which time a task is asked for; None: as it is."""

    at: At | None = None


def read_list(query: bytes) -> ListQuery:
    """The parameters, aliases resolved; unknown ones are ignored.

    Raises:
        Invalid, Rejected: a parameter breaks its rule, or is given twice.
    """
    sent = parameters(query, set(_READERS))
    return ListQuery(**{name: _READERS[name](name, text) for name, text in sent.items()})


def read_show(query: bytes) -> ShowQuery:
    """The parameters; unknown ones are ignored.

    Raises:
        Invalid: the time is none, or is given twice.
    """
    return ShowQuery(**{name: _at(name, text) for name, text in parameters(query, {"at"}).items()})


def parameters(query: bytes, known: set[str]) -> dict[str, str]:
    """The known parameters of a raw query.

    Raises:
        Invalid: one is given twice, or is no UTF-8.
    """
    found: dict[str, str] = {}
    keep = "surrogateescape"
    for name, text in parse_qsl(query.decode(errors=keep), keep_blank_values=True, errors=keep):
        if name in known:
            check(name, name not in found, "is given twice")
            check(name, text.isascii() or _is_unicode(text), "must be UTF-8")
            found[name] = text
    return found


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def limit(name: str, text: str) -> int:
    """How many at most. Raises Rejected."""

    return _in_range(name, text, 1, LIMIT_MOST, LIMIT_INVALID)


def offset(name: str, text: str) -> int:
    """How many to pass over. Raises Invalid."""

    number = _whole(text)
    check(name, number is not None and number <= OFFSET_MOST, f"must be 0 to {OFFSET_MOST}")
    return number or 0


def marker(name: str, text: str) -> str:
    """The id behind which a page begins. Raises Rejected."""

    if not TASK_ID.fullmatch(text):
        raise Rejected(MARKER_INVALID, _out_of_range(name))
    return text


def _resource_type(name: str, text: str) -> str:
    word(ResourceType)(name, text)
    return "BatchTask"


def _resource_condition(name: str, text: str) -> str:
    condition = reading.read(text, ResourceCondition, name)
    condition.check()
    return condition.canonical()


def app_id(_: str, text: str) -> str:
    """An app's id. Raises Invalid."""

    check_app_id(text)
    return text


def _at(name: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text.upper())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(name, "must be an ISO 8601 time such as 2026-01-31T12:00:00Z") from None


def word(kind: Any) -> Callable[[str, str], str]:
    """Makes a reader of the words of a Literal, which raises Invalid for another."""
    words = get_args(kind)

    def one_of(name: str, text: str) -> str:
        check(name, text in words, "must be " + " or ".join(f"'{word}'" for word in words))
        return text

    return one_of


def _in_range(name: str, text: str, least: int, most: int, problem: Problem) -> int:
    number = _whole(text)
    if number is None or not least <= number <= most:
        raise Rejected(problem, _out_of_range(name))
    return number


def _whole(text: str) -> int | None:
    """A number of few digits: longer ones are out of every range here."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _out_of_range(name: str) -> str:
    return f"Invalid input. The specified parameter '{name}' is out of range."


_READERS: dict[str, Callable[[str, str], Any]] = {
    "limit": limit,
    "marker": marker,
    "offset": offset,
    "resource_type": _resource_type,
    "resource_condition": _resource_condition,
    "app_type": word(AppType),
    "app_id": app_id,
    "status": word(Status),
    "at": _at,
}
