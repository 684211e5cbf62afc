"""A user of a service, who has a key and nothing of an operator's, and its commands."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scripts.group import command_line
from tests.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Given = dict[str, Any]

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@contextmanager
def serving(folder: Path, *beginning: str, **settings: str) -> Iterator[Home]:
    """A home whose service runs, and where downloads may follow each other at once."""
    home = Home(folder, *beginning, **settings)
    home.run("limits", "set", "--download-interval", "0")
    home.serve()
    yield home
    home.close()


def client_of(home: Home, endpoint: str) -> Given:
    """What a user of the home's first project has set (None: not set)."""
    kept = {k: v for k, v in home.environment.items() if "EXPORT_TASKS" not in k}
    cleared = dict.fromkeys((*PROXIES, *map(str.upper, PROXIES), "EXPORT_TASKS_SK_FILE"))
    return {
        **kept,
        **cleared,
        "EXPORT_TASKS_ENDPOINT": endpoint,
        "EXPORT_TASKS_PROJECT": home.project,
        "EXPORT_TASKS_AK": home.begun["access_key"],
        "EXPORT_TASKS_SK": home.begun["secret_key"],
    }


def started(user: Given, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams
    environment = {name: value for name, value in user.items() if value is not None}
    return subprocess.Popen(command_line(*arguments), env=environment, **streams)
