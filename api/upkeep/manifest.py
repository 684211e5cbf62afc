"""Manifest: what a backup holds, written last; a folder without one is no backup."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (read at run time, to decode)
from typing import TYPE_CHECKING

from msgspec import DecodeError, Struct, json

from api.settings import KEY_FILE
from api.upkeep.copies import Measure, write
from domain.refusals import Refusal
from exporter.disk import sync
from exporter.results import parse_key

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
MANIFEST = "manifest.json"
EVENTS = "events.sqlite"
SOURCE = "source.sqlite"
RESULTS = "results"
FILES = {EVENTS, SOURCE, KEY_FILE}


class NoBackup(Refusal):
    """A folder is no backup, or not a whole one."""


class Absent(Struct, frozen=True):
    """A current result file that could not be backed up: it was lost before."""

    key: str
    task_id: str
    why: str


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What is in a backup, and of which log at which moment.

    `last_event` is the SHA-256 of the last event's stored bytes, `results_id` what the place of
    results is marked with, `frozen` how many streams had an event that could not be applied.
    `settings` are those that were given, secrets left out; nothing is read from them.
    """

    format: int
    version: str
    made_at: datetime
    incarnation: str | None
    results_id: str | None
    events: int
    position: int
    last_event: str
    frozen: int
    files: dict[str, Measure]
    results: dict[str, Measure]
    absent: list[Absent]
    settings: dict[str, str]

    @property
    def complete(self) -> bool:
        """Does it hold every result file that was current?"""
        return not self.absent

    @property
    def bytes(self) -> int:
        """All that it holds."""
        return sum(each.size for each in (*self.files.values(), *self.results.values()))

    def write(self, folder: Path) -> None:
        """Makes the folder a backup: at once, and on the disk."""
        draft = folder / f"{MANIFEST}.draft"
        write([json.format(json.encode(self)), b"\n"], draft)
        sync(folder)
        draft.replace(folder / MANIFEST)
        sync(folder)


def read_manifest(folder: Path) -> Manifest:
    """What a folder says that it holds; none of it is verified yet.

    Raises:
        NoBackup: it has no manifest, or none that this version can read.
    """
    try:
        manifest = json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise NoBackup(f"{folder} is no backup, or was not finished: no {MANIFEST}.") from None
    except DecodeError as error:
        raise NoBackup(f"{folder / MANIFEST} cannot be read: {error}.") from error
    if manifest.format != FORMAT:
        raise NoBackup(f"{folder} was made by another version of export-tasks.")
    if stray := _stray(manifest):
        raise NoBackup(f"{folder / MANIFEST} names what is in no backup: {stray!r}.")
    return manifest


def _stray(manifest: Manifest) -> str | None:
    """A name that is none of ours: it could lead anywhere."""
    keys = (key for key in manifest.results if parse_key(key) is None)
    return next(iter(sorted(set(manifest.files) - FILES)), None) or next(keys, None)
