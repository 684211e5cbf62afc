"""Bundle: a log, or a part of it, with all that an auditor needs to judge it without us."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from api.audit import verifier
from api.audit.given import CHECKPOINTS, KEYS
from api.audit.lineage import BEGUN
from api.audit.stored import facts_of, leaves, open_events
from domain.refusals import Refusal
from exporter.disk import create_folder, create_private, sync
from projections.subjects import is_about, subjects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.audit.stored import Events, Row

EVENTS, LEAVES, VERIFIER = "events.jsonl", "leaves.bin", "verify.py"
_DRAFTS = shutil.ignore_patterns(".*")


class CannotBundle(Refusal):
    """There is something at the place already, the log is too damaged to be written down, or
    nothing in it is about what is wanted.
    """


@dataclass(frozen=True, slots=True)
class Bundled:
    """How many events of how many are in it; and how many are about what was wanted."""

    events: int
    of: int
    about: int


def bundle(url: str, place: Path, to: Path, wanted: Mapping[str, str | None]) -> Bundled:
    """Makes the folder or, where the name ends in `.zip`, the archive `to`, whole or not at all; it
    must not exist.

    `wanted` names what the events must be about (`task_id`, `project_id`, `user_id`); of all
    others it holds the leaf hashes alone. What says what log it is, is always in it.

    Raises:
        CannotBundle: see there.
        CannotOpen, CannotRead, Unreadable: the event store cannot be read.
        OSError: something cannot be written.
    """
    if to.exists():
        raise CannotBundle(f"{to} is there already.")
    to = to.absolute()
    create_folder(to.parent)
    with TemporaryDirectory(dir=to.parent) as made:
        draft = Path(made, to.stem if to.suffix == ".zip" else to.name)
        done = _fill(url, place, draft, wanted)
        if to.suffix == ".zip":
            draft = Path(shutil.make_archive(str(Path(made, "draft")), "zip", made, to.stem))
        sync(draft)
        draft.rename(to)
    sync(to.parent)
    return done


def _fill(url: str, place: Path, to: Path, wanted: Mapping[str, str | None]) -> Bundled:
    # What is signed first and read later than that is in the log; the other way round it need not.
    for name in (CHECKPOINTS, KEYS):
        create_folder(to / name)
        if (place / name).is_dir():
            shutil.copytree(place / name, to / name, ignore=_DRAFTS, dirs_exist_ok=True)
    shutil.copyfile(verifier.__file__, to / VERIFIER)
    with open_events(url) as events, ExitStack() as files:
        lines = files.enter_context(create_private(to / EVENTS))
        part = any(wanted.values())
        hashes = files.enter_context(create_private(to / LEAVES)) if part else None
        done = _write(events, wanted, lines, hashes)
    if part and not done.about:
        named = ", ".join(f"{name} '{wish}'" for name, wish in wanted.items() if wish)
        raise CannotBundle(f"The event log holds no event about {named}.")
    return done


def _write(
    events: Events, wanted: Mapping[str, str | None], lines: BinaryIO, hashes: BinaryIO | None
) -> Bundled:
    rank = begun = found = 0
    about = subjects(lambda stream: facts_of(events.first(stream)))
    for page in events.pages():
        if hashes:
            hashes.write(b"".join(leaves(page)))
        for row in page:
            if not hashes or is_about(about(row[1], facts_of(row)), wanted):
                lines.write(_line(rank, row))
                found += 1
            elif row[3] == BEGUN:
                lines.write(_line(rank, row))
                begun += 1
            rank += 1
    return Bundled(begun + found, rank, found)


def _line(rank: int, row: Row) -> bytes:
    position, stream, version, topic, state = row
    if not isinstance(state, bytes) or not isinstance(version, int) or version < 0:
        raise CannotBundle(f"The event at position {position} is damaged: see audit verify.")
    document = {
        "rank": rank,
        "position": position,
        "stream": stream,
        "version": version,
        "topic": topic,
        "state": state.decode(errors="surrogateescape"),
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
