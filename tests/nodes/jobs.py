"""Jobs: a queue of `procrastinate` in a database."""

from __future__ import annotations

from procrastinate import App, SyncPsycopgConnector


def queue(url: str) -> App:
    """An application over that database, to be opened; one connection."""
    return App(connector=SyncPsycopgConnector(conninfo=url, min_size=1, max_size=1))
