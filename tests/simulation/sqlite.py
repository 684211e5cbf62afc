"""The product's event store on SQLite, in place of the library's recorder in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from projections.log import open_log

if TYPE_CHECKING:
    from eventsourcing.persistence import ApplicationRecorder


def fresh_log() -> ApplicationRecorder:
    """An empty store in a file of its own, removed with the recorder."""
    folder = tempfile.TemporaryDirectory(prefix="simulated-log-")
    log = open_log(f"sqlite:///{Path(folder.name)}/events.sqlite")
    recorder = log.recorder
    recorder.release = lambda: (log.close(), folder.cleanup())  # type: ignore[attr-defined]
    return recorder
