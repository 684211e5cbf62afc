"""`secret`: the installation's own key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scripts.talk import as_json, example, say, show

if TYPE_CHECKING:
    from api.settings import Settings


@click.group(epilog=example("secret rotate"))
def secret() -> None:
    """The secret key, under which names, secret keys and passwords are sealed."""


@secret.command("rotate", epilog=example("secret rotate", "secret rotate --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only show whose secrets would be sealed anew.")
@as_json
def rotate(dry_run: bool, as_json: bool) -> None:
    """Seal everything under another secret key, made here; stop the service first, on all machines.

    Tokens that were issued are void afterwards; access keys and passwords stay. Where this is
    interrupted, give it again: it goes on from there.
    """
    from api.access.rotation import rotate as run
    from api.settings import Settings
    from api.upkeep.event_places import event_place
    from scripts.serve import LOCK, alone

    settings = Settings.read()
    event_place(settings).must_be_there()
    with alone(settings.home / LOCK):
        if dry_run:
            return show(_planned(settings), as_json)
        path = run(settings)
    if settings.given_secret_key is not None:
        say("Give what this file holds as EXPORT_TASKS_SECRET_KEY from now on, on every machine.")
    return show({"secret_key_file": str(path)}, as_json)


def _planned(settings: Settings) -> dict[str, Any]:
    """What a rotation would do; after one that was cut off it is not known how far it came."""
    from api.parts import Parts

    given = settings.given_secret_key is not None
    place = settings.next_secret_file if given else settings.secret_file
    users = None
    if not settings.next_secret_file.exists():
        with Parts(settings) as parts:
            users = len(parts.vault.names())
    return {"secret_key_file": str(place), "users": users, "tokens": "void"}
