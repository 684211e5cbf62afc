"""`serve`, `exporter` and the processes that they start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from scripts.recorded import Recorded
from scripts.talk import example

if TYPE_CHECKING:
    from api.settings import Settings

EXPORTER_NICE = 10
"""By how much an exporter is nicer than those who answer: on a busy machine files can wait."""


@click.command(cls=Recorded, epilog=example("serve --port 8080 --workers 2 --exporters 2"))
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port; 0: any free one.")
@click.option("--tls-cert", metavar="FILE", help="Speak TLS, with this certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key (PEM).")
@click.option("--forwarded-allow-ips", metavar="IPS", help="Proxies that are believed.")
@click.option("--workers", type=int, help="API processes.")
@click.option("--exporters", type=int, help="Exporter processes.")
@click.option("--drain", metavar="DURATION", help="Requests are taken so long after SIGTERM.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
def serve(**flags: Any) -> None:
    """Run the API and the exporters until SIGTERM or Ctrl-C; SIGHUP restarts them in turn."""
    from scripts.serve import serve as run

    _exit(run(_settings(flags)))


@click.command(cls=Recorded, epilog=example("exporter --exporters 4"))
@click.option("--exporters", type=int, help="Exporter processes.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
def exporter(**flags: Any) -> None:
    """Run exporters alone until SIGTERM or Ctrl-C."""
    from api.upkeep.event_places import event_place
    from scripts.serve import export as run

    settings = _settings(flags)
    event_place(settings).must_be_there()
    _exit(run(settings))


@click.group(hidden=True)
def worker() -> None:
    """The processes of a service; started by it, never by hand."""


@worker.command("api", cls=Recorded)
@click.argument("descriptor", type=int)
def worker_api(descriptor: int) -> None:
    """Answer requests at the socket of this descriptor."""
    from scripts.worker import serve_api

    serve_api(_settings({}), descriptor)


@worker.command("exporter", cls=Recorded)
def worker_exporter() -> None:
    """Make files."""
    os.nice(EXPORTER_NICE)  # before anything is imported: whoever answers starts first, too
    from scripts.worker import export

    export(_settings({}))


@worker.command("keeper", cls=Recorded)
def worker_keeper() -> None:
    """Keep the read tables near the log's head, and sweep."""
    from scripts.worker import keep

    keep(_settings({}))


@worker.command("check", cls=Recorded)
def worker_check() -> None:
    """Could this program serve here?"""
    from scripts.serve import check

    check(_settings({}))


@worker.command("alive")
@click.option("--ready", is_flag=True, help="Ask whether it is ready, too.")
def worker_alive(ready: bool) -> None:
    """Does the service on this machine answer? For a container's HEALTHCHECK."""
    from scripts.alive import ask

    ask(_settings({}), "/readyz" if ready else "/livez")


def _settings(flags: dict[str, Any]) -> Settings:
    from api.settings import Settings, SettingsError

    settings = Settings.read()
    if not any(flag is not None for flag in flags.values()):
        return settings
    try:
        return Settings.read(**flags)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _exit(clean: bool) -> None:
    """0 where everything stopped as asked, 1 where something had to be killed."""
    raise click.exceptions.Exit(0 if clean else 1)
