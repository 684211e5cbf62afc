"""Demonstration: the main job from nothing, with the official SDK as the client."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from itertools import chain, zip_longest
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from api.access.beginning import begin
from api.parts import Parts
from api.settings import Settings
from domain.refusals import Refusal
from exporter.cells import mend
from projections.lock import Held, locked
from scripts.events import pages
from scripts.group import command_line
from scripts.talk import plain, progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from domain.conditions import OwnerId
    from exporter.sources import Detail
    from scripts.client import Client
    from scripts.events import Recorded

MARKER = ".export-tasks-demo"
"""The file by which a folder is known to be the demo's own."""

PROJECT = "demo"
POLL_SECONDS = 0.25
START_SECONDS = 120.0
EXPORT_SECONDS = 900.0
STOP_SECONDS = 60.0

_FACTS_TOLD = ("attempt", "rows", "progress", "size")
_LISTENING = re.compile(r"listening on (http://[\w.:\[\]-]+)")


class DemoFailed(Refusal):
    """What the demo met that should not be; everything it started is stopped."""


def demonstrate(rows: int, folder: Path, *, keep: bool) -> dict[str, Any]:
    """Runs it all, tells it on stdout, returns what was made; with `keep` it goes on until Ctrl-C.

    Raises:
        DemoFailed: the folder is not the demo's, or a step did not do what it should.
    """
    began = monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _own_folder(folder):
        settings = Settings.read({"EXPORT_TASKS_HOME": str(folder)}, port=0)
        with Parts(settings) as parts:
            click.echo(f"1. An empty home in {folder}: a project, its app and an admin user.")
            user = begin(parts.people, parts.operator(), PROJECT, name=PROJECT, user="demo")
            click.echo(f"2. A batch task of {rows:,} details in the local source.")
            with progress("   generating", rows) as advance:
                batch_id = parts.batches.generate(PROJECT, rows, progress=advance)
            with _service(settings) as (endpoint, log):
                click.echo(f"3. The service: {endpoint} (its log: {log}).")
                client = _client(folder)(endpoint, user.access_key, user.secret_key, PROJECT)
                task_id = _export(client, batch_id, folder / "export.xls")
                click.echo("6. Every row read back with pyexcel-xls and compared with the source.")
                _compare(folder / "export.xls", chain.from_iterable(parts.source.pages(batch_id)))
                _tell_history(parts, user.owner, task_id)
                if keep:
                    _stay(endpoint)
    seconds = monotonic() - began
    click.echo(f"8. Stopped; all of it took {seconds:.0f} s.")
    _tell_what_next(folder, task_id)
    made = {"home": str(folder), "project_id": PROJECT, "batch_task": batch_id}
    return made | {"export_task_id": task_id, "rows": rows, "seconds": round(seconds, 2)}


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """The folder, emptied; never one that something else lives in, nor one that is in use."""
    marker = folder / MARKER
    if folder.exists() and not marker.is_file() and any(folder.iterdir()):
        raise DemoFailed(f"{folder} is not the demo's own: give another --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(marker):
        for each in folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            elif each != marker:
                each.unlink()
        yield


@contextmanager
def _alone(marker: Path) -> Iterator[None]:
    try:
        with locked(marker):
            yield
    except Held as held:
        raise DemoFailed(
            f"Another demo runs in {marker.parent}: {held}. Give another --folder."
        ) from held


def _client(folder: Path) -> type[Client]:
    """The SDK leaves a file in whatever is the home when it is imported: in the demo's own."""
    os.environ["HOME"] = str(folder)
    from scripts.client import Client

    return Client


@contextmanager
def _service(settings: Settings) -> Iterator[tuple[str, Path]]:
    """`serve` as an operator runs it, on a free port, stopped at the end whatever happens."""
    log = settings.home / "serve.log"
    with log.open("wb") as stderr:
        service = subprocess.Popen(  # noqa: S603 (this very program)
            command_line("serve"),
            env=settings.environment(),
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            process_group=0,
        )
        try:
            yield _endpoint(service, log), log
        finally:
            code = _stopped(service)
    if code:
        raise DemoFailed(f"The service ended with {code}; see {log}.")


def _endpoint(service: subprocess.Popen[bytes], log: Path) -> str:
    until = monotonic() + START_SECONDS
    while service.poll() is None and monotonic() < until:
        if found := _LISTENING.search(log.read_text()):
            return found[1]
        sleep(0.05)
    raise DemoFailed(f"The service did not start: {_last_words(log)}")


def _last_words(log: Path) -> str:
    """What the last record says."""
    line = (log.read_text().splitlines() or [""])[-1]
    try:
        return str(json.loads(line)["message"])
    except (ValueError, TypeError, KeyError):  # it ended in another way than by its own words
        return line


def _stopped(service: subprocess.Popen[bytes]) -> int:
    service.terminate()
    try:
        return service.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        return service.wait()


def _export(client: Client, batch_id: str, to: Path) -> str:
    """Create, watch, download, with the SDK and nothing else; returns the task's id."""
    task = client.create(batch_id)
    task_id = str(task.export_task_id)
    click.echo(f"4. The official SDK: create_export_task answers {task_id}, {task.status}.")
    _watch(client, task_id)
    to.write_bytes(client.download(task_id))
    click.echo(f"5. show_export_task downloads {to.stat().st_size:,} bytes to {to}.")
    return task_id


def _watch(client: Client, task_id: str) -> None:
    until = monotonic() + EXPORT_SECONDS
    with progress("   exporting", 100) as advance:
        while monotonic() < until:
            task = client.find(task_id)
            advance(task.progress)
            if task.status == "Success":
                return
            if task.status == "Failed":
                raise DemoFailed(f"The export task {task_id} failed.")
            sleep(POLL_SECONDS)
    raise DemoFailed(f"The export task {task_id} did not end within {EXPORT_SECONDS:g} s.")


def _compare(file: Path, source: Iterator[Detail]) -> None:
    """Every cell against the source; what a cell cannot hold is mended as the export mends it."""
    reader: Any = import_module("pyexcel_xls")
    sheets = reader.get_data(str(file))
    rows = chain.from_iterable(
        sheet[1:] for name, sheet in sheets.items() if name.startswith("details")
    )
    equal = 0
    for found, expected in zip_longest(rows, source):
        if found is None or expected is None or _cells(found) != _mended(expected):
            raise DemoFailed(f"Row {equal + 1} of the workbook is not that of the source.")
        equal += 1
    click.echo(f"   {equal:,} rows on {len(sheets) - 1} sheets, all equal.")


def _cells(found: list[Any]) -> list[Any]:
    """The reader leaves out empty cells at a row's end."""
    return [*found, *[""] * 5][:5]


def _mended(detail: Detail) -> list[str]:
    return [mend(cell or "")[0] for cell in detail]


def _tell_history(parts: Parts, owner: OwnerId, task_id: str) -> None:
    click.echo("7. What the event log says of the task, and its owner's quota:")
    for event in chain.from_iterable(pages(parts.log.recorder, 1)):
        if event.about.get("task_id") == task_id:
            _tell(event)
    limits, quota = parts.ledger.limits(), parts.queries.quota(owner)
    click.echo(
        f"   {quota.unfinished} of {limits.unfinished} unfinished, {quota.kept} of {limits.kept} "
        f"kept, one download in {limits.download_interval:g} s"
    )


def _tell(event: Recorded) -> None:
    told = " ".join(f"{name}={event.facts[name]}" for name in _FACTS_TOLD if name in event.facts)
    click.echo(f"   {event.position:>4}  {plain(event.time)}  {event.topic:<18} {told}".rstrip())


def _stay(endpoint: str) -> None:
    click.echo(f"   The service goes on at {endpoint}; Ctrl-C ends it.")
    try:
        while True:
            sleep(3600)
    except KeyboardInterrupt:
        click.echo("")


def _tell_what_next(folder: Path, task_id: str) -> None:
    program = (
        os.path.relpath(sys.argv[0]) if sys.argv[0].endswith("export-tasks") else "export-tasks"
    )
    home = f"EXPORT_TASKS_HOME={shlex.quote(str(folder))}"
    click.echo("To go on:")
    click.echo(f"   {home} {program} event list --task {task_id}")
    click.echo(f"   {home} {program} serve")
    click.echo(f"   {program} init        # a home of your own; {program} --help says the rest")
