"""Disk: a small one of its own for the service's home, so that it can be full."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Literal

from tests.torture.started import FULL

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["loop", "tmpfs", "fault"]

BLOCK = 4096


class Disk:
    """An ext4 image on a loop device; a tmpfs where that cannot be mounted; a fault where neither.

    The fault (see `started`) makes every sync of a result file fail as on a full disk; the event
    store and the read tables then never meet one.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        folder.mkdir()
        self.image = folder / "image"
        self._mount = folder / "disk"
        self._mount.mkdir()
        self._full = folder / "full"
        self.kind: Kind = self._mounted(megabytes)

    @property
    def home(self) -> Path:
        """The folder for the home."""
        return self._mount

    @property
    def environment(self) -> dict[str, str]:
        """What the service's processes are told."""
        return {FULL: str(self._full)} if self.kind == "fault" else {}

    def fill(self, leave: int) -> None:
        """Leaves so many bytes free."""
        if self.kind == "fault":
            self._full.touch()
            return
        with self._ballast.open("ab") as file:
            while (free := self._free() - leave) >= BLOCK:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
                except OSError:  # the file system needs some itself
                    leave += max(BLOCK, free // 100)

    def free(self) -> None:
        """Gives it back."""
        place = self._full if self.kind == "fault" else self._ballast
        place.unlink(missing_ok=True)

    def close(self, keep: Path | None = None) -> None:
        """Unmounts it; what it held is copied to `keep`."""
        self.free()
        if keep:
            shutil.copytree(self._mount, keep, dirs_exist_ok=True)
        if self.kind != "fault":
            _run("umount", "--lazy", str(self._mount))

    @property
    def _ballast(self) -> Path:
        return self._mount / "ballast"

    def _free(self) -> int:
        status = os.statvfs(self._mount)
        return status.f_bavail * status.f_frsize

    def _mounted(self, megabytes: int) -> Kind:
        with self.image.open("wb") as image:
            image.truncate(megabytes << 20)
        made = _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
        if made and _run("mount", "-o", "loop", str(self.image), str(self._mount)):
            return "loop"
        self.image.unlink()
        size = f"size={megabytes}m"
        if _run("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self._mount)):
            return "tmpfs"
        return "fault"


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
