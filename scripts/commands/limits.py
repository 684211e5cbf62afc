"""`limits`: the rules' numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from domain.commands import KEPT_MOST
from scripts.options import DURATION
from scripts.talk import as_json, example, show

if TYPE_CHECKING:
    from api.parts import Parts
    from domain.limits import Limits

NUMBER = click.IntRange(1, KEPT_MOST)


@click.group(epilog=example("limits show"))
def limits() -> None:
    """The rules' numbers: unfinished, kept, seconds between downloads."""


@limits.command("show", epilog=example("limits show --json"))
@as_json
def show_limits(as_json: bool) -> None:
    """Show the numbers in force."""
    from scripts.store import existing

    with existing() as parts:
        show(_document(parts.ledger.limits()), as_json)


@limits.command("set", epilog=example("limits set --kept 100", "limits set --kept 20 --dry-run"))
@click.option("--unfinished", type=NUMBER, help="Unfinished tasks a user may have.")
@click.option("--kept", type=NUMBER, help="Tasks kept for a user; one more removes the earliest.")
@click.option("--download-interval", type=DURATION, help="Between a user's downloads; 0: none.")
@click.option("--dry-run", is_flag=True, help="Only show the numbers, and how many tasks would go.")
@as_json
def set_limits(as_json: bool, dry_run: bool, **given: Any) -> None:
    """Change some of the numbers; users meet them at their next request.

    Of a user who has more tasks than are kept, the earliest go at the next create.
    """
    from domain.commands import SetLimits
    from scripts.store import existing

    changed = {name: number for name, number in given.items() if number is not None}
    if not changed:
        raise click.UsageError("Nothing to set: give --unfinished, --kept or --download-interval.")
    with existing() as parts:
        numbers = _document(parts.ledger.limits()) | changed
        command = SetLimits(**numbers, caller=parts.operator())
        if dry_run:
            return show(numbers | {"tasks_to_go": _beyond(parts, command.kept)}, as_json)
        parts.ledger.set_limits(command)
        return show(_document(parts.ledger.limits()), as_json)


def _beyond(parts: Parts, kept: int) -> int:
    """How many tasks are more than would be kept, of whichever user."""
    owners = Counter((task.project_id, task.user_id) for task in parts.queries.all_tasks())
    return sum(max(0, number - kept) for number in owners.values())


def _document(limits: Limits) -> dict[str, Any]:
    return {
        "unfinished": limits.unfinished,
        "kept": limits.kept,
        "download_interval": limits.download_interval,
    }
