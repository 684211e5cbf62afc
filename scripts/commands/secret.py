"""`secret`: the installation's own key."""

from __future__ import annotations

import click

from scripts.talk import as_json, example, say, show


@click.group(epilog=example("secret rotate"))
def secret() -> None:
    """The secret key, under which names, secret keys and passwords are sealed."""


@secret.command("rotate", epilog=example("secret rotate"))
@as_json
def rotate(as_json: bool) -> None:
    """Seal everything under another secret key, made here; stop the service first, on all machines.

    Tokens that were issued are void afterwards; access keys and passwords stay. Where this is
    interrupted, give it again: it goes on from there.
    """
    from api.access.rotation import rotate as run
    from api.settings import Settings
    from scripts.serve import LOCK, alone
    from scripts.store import must_be_there

    settings = Settings.read()
    must_be_there(settings)
    with alone(settings.home / LOCK):
        path = run(settings)
    if settings.given_secret_key is not None:
        say("Give what this file holds as EXPORT_TASKS_SECRET_KEY from now on, on every machine.")
    show({"secret_key_file": str(path)}, as_json)
