"""Starting: how soon `serve` answers beside a long history, and what its imports cost."""

from __future__ import annotations

import subprocess
import sys
from subprocess import PIPE
from time import perf_counter
from typing import TYPE_CHECKING

from api.settings import Settings
from scripts.benchmarks import homes
from scripts.benchmarks.crowd import among
from scripts.benchmarks.figures import MILLISECONDS, SECONDS, Sample, compare, limited
from scripts.benchmarks.service import PATH
from scripts.benchmarks.wire import Wire, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

ANSWERED_SECONDS = 1.0
BARE = "starlette and uvicorn"
IMPORTS = {
    "imports of the command": "scripts.cli",
    "imports of the API": "api.app, scripts.worker",
    BARE: "starlette.applications, starlette.routing, starlette.responses, uvicorn",
}


def serve(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """From the start of `serve` until a signed list is answered; the read tables are current."""
    crowd = among(folder, *sizes.started)
    settings = Settings.read({}, home=folder)
    rounds = [{"ours": _answered(settings, crowd.user)} for _ in range(runs)]
    what = f"start to first answer, {crowd.events:,} events"
    yield limited(what, SECONDS, rounds, ANSWERED_SECONDS, "under 1 s")


def imports(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """What Python says of the time that each import takes, all that it brings included."""
    del folder, sizes
    rounds = [{name: _imported(names) for name, names in IMPORTS.items()} for _ in range(runs)]
    for name in IMPORTS:
        if name != BARE:
            yield compare(name, MILLISECONDS, rounds, BARE, name)


def _answered(settings: Settings, user: homes.User) -> Sample:
    request, began = signed(user, "GET", PATH), perf_counter()
    with homes.serving(settings, exporters=1) as server, Wire(server, 1) as wire:
        wire.exchange([request], 200)
        return Sample(1, perf_counter() - began)


def _imported(names: str) -> Sample:
    command = [sys.executable, "-X", "importtime", "-c", f"import {names}"]
    done = subprocess.run(command, cwd=homes.ROOT, stderr=PIPE, text=True, check=True)  # noqa: S603
    own = [line.split("|")[0].rpartition(":")[2] for line in done.stderr.splitlines()[1:]]
    return Sample(len(own), sum(map(int, own)) / 1e6)
