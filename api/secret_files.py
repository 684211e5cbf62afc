"""Secret files: secrets that are kept in files of their own, made where one is missing."""

from __future__ import annotations

import logging
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from api import values
from api.access.sealing import SECRET_KEY_SHORTEST
from exporter.disk import create_once

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "EXPORT_TASKS_"
SECRET_FILE_MOST = 64 * 1024
"""The longest file that a secret is read from, in bytes."""

_LOGGER = logging.getLogger(__name__)


class SettingsError(Exception):
    """A variable or flag that is not known, or whose value does not parse; the text names it."""


def kept_secret(path: Path) -> bytes:
    """The secret in a file, which is made where it is missing.

    Raises:
        SettingsError: the file cannot be made or read, or is too short.
    """
    try:
        if not path.exists() and create_once(path, token_urlsafe(SECRET_KEY_SHORTEST).encode()):
            _LOGGER.info("made a secret key: %s", path)
        return values.secret(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{PREFIX}SECRET_KEY: {path} cannot be used: {error}") from error


def read_secret(variable: str, path: Path) -> str:
    """The secret in the file that a variable names.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(SECRET_FILE_MOST).decode().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{variable}: {path} cannot be read: {error}") from error
