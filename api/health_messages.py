"""Health messages: what the calls about the service itself answer."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from api.troubles import Reason


class Alive(Struct):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Struct):
    """The stores are reached and the read tables up to date."""

    status: Annotated[
        Literal["ready", "degraded"],
        Meta(description="degraded: an event cannot be applied, or the log was altered"),
    ]
    position: Annotated[int, Meta(description="the log's position that the read tables are at")]
    quarantined: Annotated[int, Meta(description="streams with an event that cannot be applied")]
    checks: Annotated[
        dict[str, str] | UnsetType,
        Meta(
            description="with verbose, of each check: ok, unknown, or what export-tasks doctor "
            f"calls it; of events and results: ok, unknown, {', '.join(get_args(Reason))}"
        ),
    ] = UNSET
