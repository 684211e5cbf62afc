"""Log and tables: how far this node is, what is frozen, and what was signed last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.audit.state import read_state
from api.console.operator.access import operators
from api.console.operator.rendering import render
from api.version import VERSION
from projections import schema
from projections.follower import reading

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.installation import Installation
    from api.requests import Asked


def service(asked: Asked) -> Response:
    """The log, this node's read tables, the checkpoints, and the rules' numbers."""
    house = asked.house
    at = house.queries.follower.position()
    with reading():
        head = house.ledger.journal.recorder.max_notification_id() or 0
    audit = read_state(house.settings.audit_state_file)
    return render(
        asked,
        "service.html",
        at=at,
        root=at.seal.root.hex(),
        head=head,
        frozen=house.queries.quarantined(),
        audit=audit,
        unsealed=max(0, at.count - audit.size),
        limits=house.ledger.limits(),
        version=VERSION,
        **_tables(house),
    )


def _tables(house: Installation) -> dict[str, Any]:
    tables = house.queries.follower.tables
    with reading():
        return {
            "schema": schema.VERSION,
            "file": tables.current(),
            "size": tables.size(),
            "building": tables.unfinished() is not None,
            "former": tables.former() is not None,
        }


PAGES = (operators("GET", "/service", "OperatorService", service),)
