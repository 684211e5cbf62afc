"""`doctor`: what is wrong here, and the command that mends it."""

from __future__ import annotations

from dataclasses import asdict

import click

from scripts.exits import CANNOT_TELL, FINDING
from scripts.talk import as_json, example, plain, say, show


@click.command(epilog=example("doctor", "doctor --deep --json"))
@click.option("--deep", is_flag=True, help="Read every current result file to its end.")
@as_json
@click.pass_context
def doctor(context: click.Context, deep: bool, as_json: bool) -> None:
    """Check everything against everything; nothing is changed, and the service goes on.

    Exit 0: nothing found. 3: findings, a line each. 4: the event store cannot be read.
    """
    from api.upkeep.doctor import examine

    report = examine(deep=deep, tell=say)
    for note in report.notes:
        say(f"note: {note}")
    if as_json:
        show({"findings": [asdict(each) for each in report.findings]}, as_json=True)
    else:
        for each in report.findings:
            click.echo(f"{each.code}: {plain(each.what)} Mend: {plain(each.mend)}")
    if not report.findings:
        say("nothing found")
    elif report.can_tell:
        context.exit(FINDING)
    else:
        context.exit(CANNOT_TELL)
