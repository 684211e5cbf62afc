"""`rebuild`: this node's read tables, built anew from the events."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from scripts.exits import FINDING
from scripts.talk import as_json, example, plain, say, show, show_all

if TYPE_CHECKING:
    from api.parts import Parts
    from projections.rebuild import Plan, Rebuilt


@click.command(
    epilog=example("rebuild --check", "rebuild", "rebuild --compare", "rebuild --undo"),
)
@click.option(
    "--check", "--dry-run", "check", is_flag=True, help="Only look whether a rebuild could begin."
)
@click.option("--compare", is_flag=True, help="Only compare: exit 3 where anything differs.")
@click.option(
    "--quarantine",
    is_flag=True,
    help="Freeze what has an event that cannot be applied, and go on with the others.",
)
@click.option(
    "--accept-quarantined",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Swap though exactly so many streams are frozen.",
)
@click.option(
    "--accept-history",
    metavar="INCARNATION",
    help="Take the log of this incarnation for the right one, though it was altered.",
)
@click.option("--undo", is_flag=True, help="Put the tables before the last rebuild back.")
@as_json
@click.pass_context
def rebuild(
    context: click.Context,
    check: bool,
    compare: bool,
    quarantine: bool,
    accept_quarantined: int,
    accept_history: str | None,
    undo: bool,
    as_json: bool,
) -> None:
    """Build this node's read tables anew; the service goes on.

    They are built beside the live ones, compared with them row by row, and take their place; the
    old ones are kept for --undo until the next rebuild.
    """
    from projections.rebuild import Plan
    from scripts.store import existing

    if sum((check, compare, undo)) > 1:
        raise click.UsageError("--check, --compare and --undo do not go together.")
    plan = Plan(
        swap=not compare,
        quarantine=quarantine,
        accept_quarantined=accept_quarantined,
        accept_history=accept_history,
    )
    with existing() as parts:
        if check:
            context.exit(_check(parts, as_json))
        if undo:
            context.exit(_undo(parts, as_json))
        context.exit(_build(parts, plan, as_json))


def _check(parts: Parts, as_json: bool) -> int:
    from projections.checks import check_all

    found = [each._asdict() for each in check_all(parts.log.recorder, parts.tables)]
    show_all(("name", "ok", "what"), found, as_json)
    return 0 if all(each["ok"] for each in found) else 1


def _undo(parts: Parts, as_json: bool) -> int:
    from projections.rebuild import undo

    position = undo(parts.log.recorder, parts.tables)
    show({"position": position.position, "events": position.count}, as_json)
    return 0


def _build(parts: Parts, plan: Plan, as_json: bool) -> int:
    from api.upkeep.signed import must_hold
    from projections.checks import check_topics
    from projections.rebuild import rebuild as build
    from scripts.cli import Refused
    from scripts.pace import pace

    if plan.accept_history:
        must_hold(parts.settings)
    if not plan.quarantine:
        check_topics(parts.log.recorder)
    try:
        with pace("rebuilding") as advance:
            done = build(parts.log.recorder, parts.tables, plan, advance)
    except sqlite3.Error as error:
        raise Refused(f"The new tables cannot be made: {error}. Nothing was changed.") from error
    show(asdict(done), as_json=True) if as_json else _tell(done)
    if done.quarantined and not done.swapped and plan.swap:
        say(_not_swapped(done))
    frozen = bool(done.quarantined) and not done.swapped
    return FINDING if frozen or (done.different and not plan.swap) else 0


def _not_swapped(done: Rebuilt) -> str:
    number = len(done.quarantined)
    return (
        f"The tables were not swapped: {number} {'stream is' if number == 1 else 'streams are'} "
        "frozen in the new ones. If that is to be so: "
        f"export-tasks rebuild --quarantine --accept-quarantined {number}"
    )


def _tell(done: Rebuilt) -> None:
    numbers: dict[str, Any] = asdict(done) | {"seconds": round(done.seconds, 2)}
    del numbers["differences"], numbers["quarantined"]
    show(numbers | {"quarantined": len(done.quarantined)}, as_json=False)
    for each in done.differences:
        by = f"{each.by.topic} at {each.by.position}" if each.by else "no event"
        click.echo(f"{each.table}: live {plain(each.live)}; rebuilt {plain(each.rebuilt)}; by {by}")
    for frozen in done.quarantined:
        click.echo(f"frozen: {plain(frozen)}")
