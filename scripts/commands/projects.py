"""`project` and `app`: what users and their exports belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scripts.consent import Consent, destroys
from scripts.talk import as_json, done, example, show_all

if TYPE_CHECKING:
    from api.parts import Parts

_PROJECT = ("project_id", "name", "enterprise_project_id", "upstream_project_id")
_APP = ("project_id", "app_id", "is_default")

project_option = click.option("--project", required=True, help="The project it belongs to.")


@click.group(epilog=example("project list"))
def project() -> None:
    """Projects: what users and apps belong to."""


@project.command("add", epilog=example("project add plant-2 --name cn-north-4"))
@click.argument("project_id")
@click.option("--name", help="What SDKs with a region look it up by; by default its id.")
@click.option("--enterprise-project", default="0", show_default=True, help="Named by policies.")
@click.option("--upstream-project", help="The cloud project it may export from.")
@as_json
def add_project(
    project_id: str,
    name: str | None,
    enterprise_project: str,
    upstream_project: str | None,
    as_json: bool,
) -> None:
    """Add a project."""
    from scripts.store import existing

    row = (project_id, name or project_id, enterprise_project, upstream_project)
    with existing() as parts:
        parts.register.add_project(*row, parts.operator())
    done(
        f"The project {project_id} is there. Its first user: export-tasks user add NAME --project "
        f"{project_id} --admin",
        dict(zip(_PROJECT, row, strict=True)),
        as_json,
    )


@project.command("list", epilog=example("project list --json"))
@as_json
def list_projects(as_json: bool) -> None:
    """List the projects."""
    from msgspec.structs import asdict

    from scripts.store import existing

    with existing() as parts:
        show_all(_PROJECT, map(asdict, parts.queries.projects()), as_json)


@project.command("remove", epilog=example("project remove plant-2 --dry-run"))
@click.argument("project_id")
@destroys
def remove_project(project_id: str, consent: Consent) -> None:
    """Remove a project that no user belongs to, with its apps."""
    from scripts.store import existing

    with existing() as parts:
        lost = _of_project(parts, project_id) if consent.needed else {}
        if consent.to(f"Remove the project {project_id}?", lost):
            parts.register.remove_project(project_id, parts.operator())
            consent.done(f"The project {project_id} is removed.", project_id=project_id)


@click.group(epilog=example("app list"))
def app() -> None:
    """Apps, the resource spaces of a project."""


@app.command("add", epilog=example("app add line-a --project plant-1 --default"))
@click.argument("app_id")
@project_option
@click.option("--default", is_flag=True, help="The one meant where a request names none.")
@as_json
def add_app(app_id: str, project: str, default: bool, as_json: bool) -> None:
    """Add an app to a project."""
    from scripts.store import existing

    with existing() as parts:
        parts.register.add_app(project, app_id, default, parts.operator())
    added = dict(zip(_APP, (project, app_id, default), strict=True))
    done(f"The app {app_id} is there.", added, as_json)


@app.command("list", epilog=example("app list --project plant-1"))
@click.option("--project", help="Only this project's.")
@as_json
def list_apps(project: str | None, as_json: bool) -> None:
    """List the apps."""
    from msgspec.structs import asdict

    from scripts.store import existing

    with existing() as parts:
        rows = map(asdict, parts.queries.apps(project))
        show_all(_APP, rows, as_json)


@app.command("remove", epilog=example("app remove line-a --project plant-1"))
@click.argument("app_id")
@project_option
@destroys
def remove_app(app_id: str, project: str, consent: Consent) -> None:
    """Remove an app from a project."""
    from scripts.store import existing

    with existing() as parts:
        if consent.needed:
            parts.must_have(project, app_id)
        lost = {"project_id": project, "app_id": app_id}
        if consent.to(f"Remove the app {app_id} from {project}?", lost):
            parts.register.remove_app(project, app_id, parts.operator())
            consent.done(f"The app {app_id} is removed.", **lost)


def _of_project(parts: Parts, project_id: str) -> dict[str, Any]:
    """What goes with a project; it goes only once no user is left."""
    parts.must_have(project_id, None)
    return {
        "project_id": project_id,
        "apps": [each.app_id for each in parts.queries.apps(project_id)],
        "users": len(parts.queries.memberships(project_id=project_id)),
    }
