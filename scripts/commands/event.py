"""`event`: the event log, replayed for an auditor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scripts.options import MOMENT
from scripts.talk import as_json, example, json_line, plain, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from scripts.events import Recorded


@click.group(epilog=example("event list --follow"))
def event() -> None:
    """The event log: what happened, in its order."""


@event.command("list", epilog=example("event list --task 019a3c5e7f00a1b2c3d4e5f6 --json"))
@click.option("--project", help="Only events about this project.")
@click.option("--user", help="Only events about this user (name or id).")
@click.option("--task", help="Only events about this export task, removed or not.")
@click.option("--from", "start", type=click.IntRange(min=1), default=1, help="First position.")
@click.option("--at", type=MOMENT, help="Only what had happened by then (ISO 8601).")
@click.option("--follow", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
@as_json
def list_events(
    project: str | None,
    user: str | None,
    task: str | None,
    start: int,
    at: datetime | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Print one line an event; with --json, JSON Lines of everything it holds."""
    from api.parts import Parts
    from scripts.events import pages

    with Parts() as parts:
        wanted = {"project_id": project, "user_id": parts.user_id(user), "task_id": task}
        for page in pages(parts.log.recorder, start, follow=follow):
            lines = [
                json_line(each.document()) if as_json else _line(each)
                for each in page
                if each.is_about(wanted) and (at is None or each.time <= at)
            ]
            if lines:
                click.echo("\n".join(lines))


def _line(event: Recorded) -> str:
    facts = " ".join(f"{name}={plain(fact)}" for name, fact in _telling(event).items())
    return f"{event.position:>8}  {stamp(event.time)}  {event.topic:<18}  {facts}".rstrip()


def _telling(event: Recorded) -> dict[str, Any]:
    """What a reader of one line wants to see: no request ids, nothing empty."""
    facts = {**event.about, **event.facts}
    return {
        name: fact
        for name, fact in facts.items()
        if name != "request_id" and fact not in (None, "")
    }
