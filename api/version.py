"""Version: which build of export-tasks this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("export-tasks")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unpackaged"


VERSION = _installed()
