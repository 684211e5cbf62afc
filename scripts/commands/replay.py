"""`replay` and `diff`: what there was, from the events alone, and what changed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from scripts.options import MOMENT, POINT, POSITION_MOST
from scripts.talk import as_json, example, plain, say, show, show_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.parts import Parts
    from scripts.states import Change, State

_TASK = ("export_task_id", "project_id", "user_id", "status", "export_count", "file")
_QUOTA = ("project_id", "user_id", "kept", "unfinished", "last_download")

project_option = click.option("--project", help="Only this project's.")
user_option = click.option("--user", help="Only this user's (name or id).")


@click.command(epilog=example("replay --at 2026-01-31T12:00:00Z", "replay --position 1000 --json"))
@click.option("--at", type=MOMENT, help="As of this time (ISO 8601), in the order of the log.")
@click.option(
    "--position", type=click.IntRange(0, POSITION_MOST), help="As of the event at this position."
)
@project_option
@user_option
@as_json
def replay(
    at: datetime | None,
    position: int | None,
    project: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Show every task with its file, and every quota, as they were.

    They are made of the events alone. Which position that is, is told on stderr.
    """
    from scripts.store import existing

    point = position if at is None else at
    if point is None or (at is not None and position is not None):
        raise click.UsageError("Give either --at or --position.")
    with existing() as parts:
        (state,) = _states(parts, [point], project, user)
    if as_json:
        told = {"position": state.position, "tasks": state.tasks, "quotas": state.quotas}
        return show(told, as_json)
    show_all(_TASK, [each | {"file": _hash(each["file"])} for each in state.tasks], as_json=False)
    click.echo()
    return show_all(_QUOTA, state.quotas, as_json=False)


@click.command(
    epilog=example("diff --from 1000 --to 2000", "diff --from 2026-01-30 --to 2026-01-31")
)
@click.option("--from", "start", type=POINT, required=True, help="A position, or a time.")
@click.option("--to", type=POINT, required=True, help="A position, or a time.")
@project_option
@user_option
@as_json
def diff(
    start: int | datetime,
    to: int | datetime,
    project: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Show which tasks, files and quotas were added, removed or changed in between.

    What is compared are two states as `replay` shows them.
    """
    from scripts.states import changes
    from scripts.store import existing

    with existing() as parts:
        before, after = _states(parts, [start, to], project, user)
    found = changes(before, after)
    if as_json:
        told = [each.document() for each in found]
        return show({"from": before.position, "to": after.position, "changes": told}, as_json)
    for each in found:
        for line in _lines(each):
            click.echo(line)
    return None


def _states(
    parts: Parts, points: list[int | datetime], project: str | None, user: str | None
) -> Iterator[State]:
    """What there was at some points, the earlier first; one pass over the log."""
    from projections.replay import Replay
    from scripts.states import State

    wanted = {"project_id": project, "user_id": parts.user_id(user)}
    positions = [
        parts.past.position(each) if isinstance(each, datetime) else each for each in points
    ]
    if positions != sorted(positions):
        raise click.UsageError("--from must not be later than --to.")
    folded = Replay(parts.log.recorder)
    for position in positions:
        folded.advance(position)
        say(f"as of position {folded.position.position}")
        yield State.of(folded, wanted)


def _hash(file: dict[str, object] | None) -> str | None:
    return f"{file['task_id']} {str(file['sha256'])[:16]}" if file else None


def _lines(change: Change) -> Iterator[str]:
    """What was added or removed in one line, what changed in a line for each field."""
    head = f"{change.change:<7}  {change.what:<5}  {change.id}"
    if change.change == "changed":
        for name, (old, new) in change.fields.items():
            yield f"{head}  {name}: {plain(old)} -> {plain(new)}"
        return
    values = {name: old if new is None else new for name, (old, new) in change.fields.items()}
    yield "  ".join([head, *(f"{name}={plain(value)}" for name, value in values.items())])
