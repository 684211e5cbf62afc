"""`init`: from an empty store to a first user."""

from __future__ import annotations

from dataclasses import asdict

import click

from scripts.talk import as_json, example, say, show


@click.command(epilog=example("init", "init --project plant-1 --user ada"))
@click.option("--project", help="The project's id; by default one is made up.")
@click.option(
    "--name",
    default="cn-north-4",
    show_default=True,
    help="The project's name: the region that SDKs without a project id are given.",
)
@click.option("--user", default="admin", show_default=True, help="The admin user's name.")
@as_json
def init(project: str | None, name: str, user: str, as_json: bool) -> None:
    """Make the first project, app and admin user.

    The key is printed this once; a store that is not empty is refused.
    """
    from api.access.beginning import begin
    from api.parts import Parts
    from domain.access import rules

    if project:
        rules.check_project_id(project)
    rules.check_name(name)
    rules.check_name(user)
    with Parts() as parts:
        beginning = begin(parts.people, parts.operator(), project, name=name, user=user)
        say(f"The home is {parts.settings.home}. The secret key is shown this once: keep it.")
        show(asdict(beginning), as_json)
    say(
        "`export-tasks export` reads them from EXPORT_TASKS_PROJECT, _AK and _SK. The service: "
        "export-tasks serve"
    )
