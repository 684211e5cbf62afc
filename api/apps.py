"""Apps: which one an export is limited to (contract, section 1 Create, `app_id`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.problems import NO_APP, NO_APPS, OTHERS_APP, SEVERAL_APPS, Rejected

if TYPE_CHECKING:
    from projections.queries import Queries


def scope_of(queries: Queries, project_id: str, app_type: str, app_id: str | None) -> str | None:
    """The app that the result is limited to; None with `GLOBAL`, whose app_id limits nothing.

    Raises:
        Rejected: the app does not exist or is another project's, or it is not clear which is meant.
    """
    if app_id is not None:
        _must_exist(queries, project_id, app_id)
    if app_type == "GLOBAL":
        return None
    return app_id or _the_app(queries, project_id)


def _must_exist(queries: Queries, project_id: str, app_id: str) -> None:
    projects = {app.project_id for app in queries.apps() if app.app_id == app_id}
    if project_id in projects:
        return
    if projects:
        raise Rejected(OTHERS_APP, "The application does not belong to the project.")
    raise Rejected(NO_APP, "The application does not exist.")


def _the_app(queries: Queries, project_id: str) -> str:
    apps = queries.apps(project_id)
    default = [app.app_id for app in apps if app.is_default]
    if default or len(apps) == 1:
        return default[0] if default else apps[0].app_id
    if apps:
        message = "The project has several applications and no default: app_id must be given."
        raise Rejected(SEVERAL_APPS, message)
    raise Rejected(NO_APPS, "The project has no application.")
