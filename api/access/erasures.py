"""Erasures: who was removed and when, by id alone, so that a restore does not bring them back."""

from __future__ import annotations

import fcntl
import os
from datetime import datetime  # noqa: TC003 (read at run time, to decode)
from typing import TYPE_CHECKING

from msgspec import Struct, json

from domain.access.rules import USER_ID
from domain.refusals import Refusal
from exporter.disk import create_folder, sync

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ERASURES = "erasures.jsonl"
"""The file in the home; no backup holds it: it must be newer than whatever is restored."""


class Erasure(Struct, frozen=True, forbid_unknown_fields=True):
    """A removed user's id, and when that was."""

    user_id: str
    erased_at: datetime


class UnreadableErasures(Refusal):
    """A list of erasures holds a line that is none; the text says where."""


class Erasures:
    """A list of erasures, to which is only ever added; safe for processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, erasures: Iterable[Erasure]) -> None:
        """Adds those that are not on the list; they are on the disk when this returns."""
        folder = self._path.absolute().parent
        create_folder(folder)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            whole = content.removesuffix(_cut_off(content))
            new = [each for each in erasures if each.user_id.encode() not in whole]
            file.seek(len(whole))
            file.truncate()
            file.write(b"\n" if whole and not whole.endswith(b"\n") else b"")
            file.writelines(json.encode(each) + b"\n" for each in new)
            file.flush()
            os.fsync(file.fileno())
        sync(folder)

    def read(self, *, whole: bool = False) -> list[Erasure]:
        """All that were added; none where there is no list.

        A last line that was cut off is passed over, unless the list must be `whole`: in one that
        somebody brings, it may be a removal that was lost on the way.

        Raises:
            UnreadableErasures: a line is no erasure.
            OSError: the file is there and cannot be read.
        """
        content = self._path.read_bytes() if self._path.exists() else b""
        lines = content.removesuffix(b"" if whole else _cut_off(content)).splitlines()
        return [self._read(line, number) for number, line in enumerate(lines, 1)]

    def _read(self, line: bytes, number: int) -> Erasure:
        try:
            return _erasure(line)
        except ValueError as error:
            raise UnreadableErasures(
                f"{self._path}, line {number}, is no erasure: {error}."
            ) from error


def _erasure(line: bytes) -> Erasure:
    """Raises ValueError."""
    found = json.decode(line, type=Erasure)
    if not USER_ID.fullmatch(found.user_id):
        raise ValueError(f"'{found.user_id}' is no user id")
    return found


def _cut_off(content: bytes) -> bytes:
    """A last line that was not written to its end: of a removal that did not come to its own."""
    last = content[content.rfind(b"\n") + 1 :]
    try:
        _erasure(last)
    except ValueError:
        return last
    return b""
