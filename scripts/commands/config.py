"""`config`: each setting, its value, and where it comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from projections.shown import shown
from scripts.talk import as_json, example, show_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.settings import Setting, Settings

HIDDEN = "(hidden)"
HOW = """\
# Settings of export-tasks, each with what it means and its default: uncomment what you change.
#
# A shell:    set -a; . ./export-tasks.env; set +a; export-tasks serve
# systemd:    EnvironmentFile=/etc/export-tasks/export-tasks.env
# Containers: --env-file export-tasks.env
# What is in force then, and where it comes from: export-tasks config show
"""


@click.group(epilog=example("config show"))
def config() -> None:
    """Settings: what is in force, and what there is to set."""


@config.command("show", epilog=example("config show --json"))
@as_json
def show_config(as_json: bool) -> None:
    """Show each setting, its value and where it comes from; never a secret.

    Where something is kept at s3://…, the AWS_… variables too.
    """
    from api.settings import SETTINGS, Settings

    settings = Settings.read()
    rows = [_row(setting, settings) for setting in SETTINGS]
    show_all(("variable", "value", "origin"), [*rows, *_of_s3(settings)], as_json)


@config.command("example", epilog=example("config example > export-tasks.env"))
@as_json
def example_config(as_json: bool) -> None:
    """Print every setting with its meaning and default, as an environment file.

    Its first lines say how it is used.
    """
    from api.settings import SETTINGS

    if as_json:
        return show_all((), map(_described, SETTINGS), as_json)
    return click.echo("\n\n".join([HOW.rstrip(), *map(_example, SETTINGS)]))


def _row(setting: Setting, settings: Settings) -> dict[str, Any]:
    given = settings.given[setting.name]
    return {
        "variable": setting.variable,
        "value": _value(setting, given.text),
        "origin": given.origin,
        "meaning": setting.meaning,
    }


def _of_s3(settings: Settings) -> Iterator[dict[str, Any]]:
    """What its client reads by itself, where it is used."""
    from exporter.bucket import SCHEME
    from exporter.s3 import KEYS, VARIABLES

    places = (settings.results, settings.audit, *settings.audit_sinks)
    if not any(place.startswith(SCHEME) for place in places):
        return
    for variable, meaning in VARIABLES:
        text = os.environ.get(variable)
        yield {
            "variable": variable,
            "value": HIDDEN if text and variable in KEYS else text and shown(text),
            "origin": "default" if text is None else "environment",
            "meaning": meaning,
        }


def _value(setting: Setting, text: str | None) -> str | None:
    if text is None:
        return None
    return HIDDEN if setting.secret else shown(text)


def _described(setting: Setting) -> dict[str, Any]:
    return {
        "variable": setting.variable,
        "default": setting.default,
        "meaning": setting.meaning,
        "secret": setting.secret,
    }


def _example(setting: Setting) -> str:
    return f"# {setting.meaning}\n# {setting.variable}={setting.default or ''}"
