"""`key`: the access keys of users."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from scripts.consent import Consent, destroys
from scripts.options import DURATION
from scripts.talk import as_json, example, say, show


@click.group(epilog=example("key add ada"))
def key() -> None:
    """Access keys of users."""


@key.command("add", epilog=example("key add ada", "key add ada --expires 1h"))
@click.argument("name")
@click.option("--expires", type=DURATION, help="A temporary key, with a security token.")
@as_json
def add_key(name: str, expires: float | None, as_json: bool) -> None:
    """Give a user one more access key; it is printed, this once."""
    from scripts.store import existing

    lives = None if expires is None else timedelta(seconds=expires)
    with existing() as parts:
        made = parts.people.add_key(name, lives, parts.operator())
    say("The secret key is shown this once: keep it.")
    show(without_nothing(asdict(made)), as_json)


@key.command("revoke", epilog=example("key revoke HPUAT4QG7L9K2M8XW5ZC"))
@click.argument("access_key")
@destroys
def revoke(access_key: str, consent: Consent) -> None:
    """Take an access key away, at once."""
    from msgspec import structs

    from scripts.store import existing

    with existing() as parts:
        found = parts.queries.key(access_key) if consent.needed else None
        lost = structs.asdict(found) if found else {"access_key": access_key}
        if consent.to(f"Revoke the access key {access_key}?", lost):
            parts.people.revoke_key(access_key, parts.operator())
            consent.done(f"The access key {access_key} is revoked.", access_key=access_key)


def without_nothing(document: dict[str, Any]) -> dict[str, Any]:
    """What there is of a document."""
    return {name: value for name, value in document.items() if value is not None}
