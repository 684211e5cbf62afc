"""`audit`: what proves that no stored event was changed, removed or reordered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.exits import CANNOT_TELL, FINDING
from scripts.talk import as_json, example, say, show

if TYPE_CHECKING:
    from api.audit.given import Given, Signed
    from api.audit.verify import Verdict
    from api.settings import Settings

_EXITS = {"sound": 0, "changed": FINDING, "cannot tell": CANNOT_TELL}
PATH = click.Path(path_type=Path)
_EMPTY: tuple[object, ...] = (None, (), [])


@click.group(epilog=example("audit verify"))
def audit() -> None:
    """Proofs that no stored event was changed, removed or reordered."""


@audit.command(epilog=example("audit verify", "audit verify --key 'export-tasks.1a2b3c4d+…'"))
@click.option(
    "--checkpoint",
    "checkpoints",
    type=PATH,
    multiple=True,
    help="A signed note, or a folder of them; else all of the audit place.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    help="A verifier key, its file or a folder of them; else those of the audit place.",
)
@as_json
@click.pass_context
def verify(
    context: click.Context, checkpoints: tuple[Path, ...], keys: tuple[str, ...], as_json: bool
) -> None:
    """Read every stored event again, and compare them with what was signed of them.

    Exit 0: sound. 3: changed; the first bad event is named. 4: it cannot be told.
    """
    from api.audit.place import PlaceFailed
    from api.audit.read_place import read_place
    from api.audit.stored import CannotRead, open_events
    from api.audit.verify import verify as judge
    from api.settings import Settings
    from api.upkeep.event_places import NothingThere, event_place
    from projections.log import CannotOpen

    settings = Settings.read()
    try:
        event_place(settings).must_be_there()
        # The place first: what is signed meanwhile would seal more than was read.
        with read_place(settings.audit) as place:
            given = _told(place.given(checkpoints, keys))
            if given.keys and not keys:
                say(
                    "The keys are those of the audit place itself: bring one from another source "
                    "(--key)."
                )
            with open_events(settings.events) as events:
                verdict = judge(events, given.sealed, place.tiles)
    except (NothingThere, CannotOpen, CannotRead, PlaceFailed, OSError) as error:
        say(f"cannot tell: {error}")
        context.exit(CANNOT_TELL)
    show(_document(verdict), as_json)
    context.exit(_EXITS[verdict.outcome])


@audit.command(
    epilog=example("audit bundle case-17", "audit bundle a.zip --task 019a3c5e7f00a1b2c3d4e5f6")
)
@click.argument("to", type=PATH)
@click.option("--task", help="Only events about this export task; of the others, their hashes.")
@click.option("--user", help="Only events about this user (name or id).")
@click.option("--project", help="Only events about this project.")
@as_json
def bundle(
    to: Path, task: str | None, user: str | None, project: str | None, as_json: bool
) -> None:
    """Make the folder (or, by its name, the zip) TO, which an auditor judges without this program.

    It holds the events as they are stored, checkpoints, keys, and verify.py: see docs/audit.md.
    """
    from api.audit.bundle import VERIFIER
    from api.audit.bundle import bundle as make
    from api.audit.read_place import read_place
    from scripts.store import existing

    with existing() as parts:
        wanted = {"task_id": task, "user_id": parts.user_id(user), "project_id": project}
        settings = parts.settings
    with read_place(settings.audit) as place:
        made = make(settings.events, place.folder, to, wanted)
    show({"bundle": str(to), "events": made.events, "of": made.of, "verify": VERIFIER}, as_json)


@audit.command(epilog=example("audit receipt 019a3c5e7f00a1b2c3d4e5f6 > receipt.json"))
@click.argument("task_id", metavar="TASK")
@as_json
@click.pass_context
def receipt(context: click.Context, task_id: str, as_json: bool) -> None:
    """Print what proves, years later, that TASK was completed with this file's hash.

    A receipt is JSON with --json and without: verify.py of a bundle checks it. Exit 4: not sealed
    yet. 3: the log is not what was sealed.
    """
    from api.audit.receipt import NotAsSealed, NotSealed
    from api.audit.receipt import receipt as make
    from api.audit.stored import open_events
    from api.settings import Settings
    from api.upkeep.event_places import event_place

    del as_json
    settings = Settings.read()
    event_place(settings).must_be_there()
    given = _own(settings)
    try:
        with open_events(settings.events) as events:
            click.echo(make(events, task_id, given.sealed))
    except NotSealed as error:
        say(str(error))
        context.exit(CANNOT_TELL)
    except NotAsSealed as error:
        say(str(error))
        context.exit(FINDING)


@audit.command(epilog=example("audit checkpoint > checkpoint.txt", "audit checkpoint --now"))
@click.option("--now", is_flag=True, help="Sign one first, where there is anything new.")
@as_json
@click.pass_context
def checkpoint(context: click.Context, now: bool, as_json: bool) -> None:
    """Print the newest signed note of the log; keep it where the operator cannot reach it.

    With --now, exit 3 where nothing is signed, since the log is not what was signed of it before.
    """
    from api.settings import Settings

    settings = Settings.read()
    if now and not _sign(settings):
        context.exit(FINDING)
    given = _own(settings)
    if not given.sealed:
        say("There is no checkpoint yet.")
        context.exit(CANNOT_TELL)
    newest = _newest(settings, given)
    if as_json:
        root = newest.checkpoint.root.hex()
        told = {"origin": newest.checkpoint.origin, "size": newest.size, "root": root}
        return show({**told, "key": newest.key, "note": newest.note}, as_json=True)
    return click.echo(newest.note, nl=False)


def _sign(settings: Settings) -> bool:
    from scripts.store import existing

    with existing(settings) as parts:
        auditor = parts.auditor()
        auditor.close(parts.journal.clock())
        trouble = auditor.state.altered
    if trouble:
        say(f"Nothing is signed: {trouble.why}")
    return not trouble


def _own(settings: Settings) -> Given:
    """What the audit place holds."""
    from api.audit.read_place import read_place

    with read_place(settings.audit) as place:
        return _told(place.given())


def _told(given: Given) -> Given:
    """Says what is not used; of many that are so for one reason, how many and which is the first.

    A wrong key alone would make a line for every checkpoint.
    """
    alike: dict[str, list[str]] = {}
    for each in given.refused:
        where, _, why = each.partition(": ")
        alike.setdefault(why, []).append(where)
    for why, places in alike.items():
        more = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
        say(f"not used: {places[0]}{more}: {why}")
    return given


def _newest(settings: Settings, given: Given) -> Signed:
    """The largest of what the log is now; of a log that cannot be read, the largest of all."""
    from domain.refusals import Refusal

    current = None
    with suppress(Refusal):
        current = _incarnation(settings)
    of_now = [each for each in given.sealed if each.incarnation == current]
    return (of_now or given.sealed)[-1]


def _incarnation(settings: Settings) -> str | None:
    from api.audit.lineage import current_of
    from api.audit.stored import open_events

    with open_events(settings.events) as events:
        return current_of(events)


def _document(verdict: Verdict) -> dict[str, Any]:
    """What was found, the first bad event first; then what is proven all the same."""
    told: dict[str, Any] = {"verdict": verdict.outcome}
    if verdict.why:
        told["why"] = verdict.why
    if verdict.damage:
        told |= {"damage": verdict.damage.kind, "meaning": verdict.damage.text}
        facts = asdict(verdict.damage)
        facts["does_not_hold"] = facts.pop("checkpoint")
        told |= {k: v for k, v in facts.items() if k != "kind" and v not in _EMPTY}
    proof = verdict.proof
    return told | {
        "events": verdict.events,
        "sealed": verdict.sealed,
        "not_sealed": max(0, verdict.events - verdict.sealed),
        "proven": verdict.proven,
        "checkpoint": proof.where if proof else None,
        "key": proof.key if proof else None,
        "checkpoints_that_hold": verdict.holding,
        "incarnation": verdict.incarnation,
        "restored": list(verdict.restored),
    }
