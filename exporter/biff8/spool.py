"""A spool: bytes on their way into a workbook, in a temporary file, read once in the end."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COPY_BYTES = 2**20
"""Bytes that are read at once."""


class Spool:
    """A temporary file in `folder`, or where the system keeps such files; it has no name."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by `close`)
        self.size = 0
        """Bytes written."""

    def write(self, data: bytes | bytearray) -> None:
        """Adds bytes at the end."""
        self._file.write(data)
        self.size += len(data)

    def overwrite(self, start: int, data: bytes) -> None:
        """Puts bytes in the place of others."""
        self._file.seek(start)
        self._file.write(data)
        self._file.seek(self.size)

    def rewind(self) -> None:
        """Goes to the first byte, to be read from there."""
        self._file.seek(0)

    def read(self, size: int) -> Iterator[bytes]:
        """The next bytes, in pieces, so many in all."""
        while size:
            piece = self._file.read(min(size, COPY_BYTES))
            size -= len(piece)
            yield piece

    def close(self) -> None:
        """Lets go of the file and its room on the disk."""
        self._file.close()
