"""`event`: the event log, read out for an auditor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scripts.options import MOMENT, POSITION_MOST
from scripts.talk import example, json_line, plain, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from api.access.vault import Vault
    from scripts.events import Recorded

POSITION = click.IntRange(1, POSITION_MOST)
FORGOTTEN, ALTERED = "-", "unreadable"


@click.group(epilog=example("event list --follow"))
def event() -> None:
    """The event log: what happened, in its order."""


@event.command(
    "list",
    epilog=example(
        "event list --task 019a3c5e7f00a1b2c3d4e5f6 --json",
        "event list --at 2026-01-31T12:00:00Z --format cloudevents",
    ),
)
@click.option("--project", help="Only events about this project.")
@click.option("--user", help="Only events about this user (name or id).")
@click.option("--task", help="Only events about this export task, removed or not.")
@click.option("--from", "start", type=POSITION, default=1, help="First position.")
@click.option("--to", type=POSITION, help="Last position.")
@click.option("--at", type=MOMENT, help="Only what stood in the log by then (ISO 8601).")
@click.option("--follow", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
@click.option("--addresses", is_flag=True, help="Open the addresses; '-' where one is forgotten.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl", "cloudevents"]),
    default="table",
    show_default=True,
    help="A line for people, JSON Lines, or CloudEvents 1.0.2 as JSON Lines.",
)
@click.option("--json", "form", flag_value="jsonl", help="The same as --format jsonl.")
def list_events(
    project: str | None,
    user: str | None,
    task: str | None,
    start: int,
    to: int | None,
    at: datetime | None,
    follow: bool,
    addresses: bool,
    form: str,
) -> None:
    """Print one line an event, in the order of the log.

    --at goes by that order: it ends before the first event that is later, and says where that is.
    """
    from scripts.events import pages
    from scripts.store import existing

    with existing() as parts:
        wanted = {"project_id": project, "user_id": parts.user_id(user), "task_id": task}
        if at:
            position = parts.past.position(at)
            say(f"as of position {position}")
            to = min(position, position if to is None else to)
        sealed = _leave if form == "jsonl" else _hide
        unseal = _unsealing(parts.vault) if addresses else sealed
        for page in pages(parts.log.recorder, start, to, follow=follow):
            told = (each.with_address(unseal) for each in page if each.is_about(wanted))
            if lines := [_FORMS[form](each) for each in told]:
                click.echo("\n".join(lines))


def _unsealing(vault: Vault) -> Callable[[str, str], str]:
    from api.access.sealing import CannotUnseal
    from domain.refusals import NotThere

    def unseal(by: str, address: str) -> str:
        try:
            return vault.unseal_address(by, address)
        except NotThere:
            return FORGOTTEN
        except CannotUnseal:
            return ALTERED

    return unseal


def _leave(_: str, address: str) -> str:
    return address


def _hide(_: str, __: str) -> None:
    """A sealed address tells nobody anything."""


def _line(event: Recorded) -> str:
    facts = " ".join(f"{name}={plain(fact)}" for name, fact in _telling(event).items())
    time, topic = plain(event.time), plain(event.topic)
    return f"{event.position:>8}  {time:<24}  {topic:<18}  {facts}".rstrip()


def _telling(event: Recorded) -> dict[str, Any]:
    """What a reader of one line wants to see: no request ids, nothing empty."""
    facts = {**event.about, **event.facts}
    return {
        name: fact
        for name, fact in facts.items()
        if name != "request_id" and fact not in (None, "")
    }


_FORMS: dict[str, Callable[[Recorded], str]] = {
    "table": _line,
    "jsonl": lambda event: json_line(event.document()),
    "cloudevents": lambda event: json_line(event.cloud_event()),
}
