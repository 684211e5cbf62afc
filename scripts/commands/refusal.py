"""`refusal`: who was refused what on this machine."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from scripts.talk import as_json, example, show_all, stamp

if TYPE_CHECKING:
    from api.access.side_log import RefusedRequest

COLUMNS = ("at", "error_code", "call", "user", "access_key", "address", "request_id")


@click.group(epilog=example("refusal list"))
def refusal() -> None:
    """Requests that were refused (401, 403)."""


@refusal.command("list", epilog=example("refusal list --user ada --limit 20"))
@click.option("--user", help="Only this user's (name or id).")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many."
)
@as_json
def list_refusals(user: str | None, limit: int, as_json: bool) -> None:
    """List this machine's refusals, newest first; they are kept for a week, 10,000 at most.

    What was refused to users stands in the event log as well, as one summary for a key and a
    minute: export-tasks event list.
    """
    from scripts.store import existing

    with existing() as parts:
        user_id, names = parts.user_id(user), parts.vault.names()
        found = (each for each in parts.side_log.singles() if user_id in (None, each.user_id))
        rows = [_document(each, names) for each in islice(found, limit)]
    show_all(COLUMNS, rows, as_json)


def _document(refused: RefusedRequest, names: dict[str, str]) -> dict[str, Any]:
    return {
        "at": stamp(refused.at),
        "error_code": refused.code,
        "call": refused.call,
        "user": names.get(refused.user_id or "", refused.user_id),
        "user_id": refused.user_id,
        "access_key": refused.access_key,
        "address": refused.address,
        "request_id": refused.request_id,
    }
