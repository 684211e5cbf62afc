"""Values: what the text of a setting may be; every function raises ValueError for another."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from api.access.sealing import SECRET_KEY_SHORTEST
from api.addresses import network
from domain.commands import INSTANCE_ID_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smh]?)", re.ASCII)
_NUMBER = re.compile(r"0*(\d{1,9})", re.ASCII)
_PLACE = re.compile(r"(?:file|syslog):///[^\0]+|s3://[^\0]+")
_HOST = re.compile(r"syslog://[^/:]+:([1-9]\d{0,4})", re.ASCII)
PORT_MOST = 65_535
SQLITE = "sqlite:///"
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}

KEY_MUST_BE_GIVEN = (
    "EXPORT_TASKS_SECRET_KEY must be given, the same on all machines, where EXPORT_TASKS_EVENTS is "
    "postgresql://…: by EXPORT_TASKS_SECRET_KEY_FILE, the file that holds it."
)


def no_event_store(where: str, origin: str) -> str:
    """That there is none, what to do about it, and, by the origin of its address, what to check."""
    named = "EXPORT_TASKS_HOME" if origin == "default" else "EXPORT_TASKS_EVENTS"
    return f"There is no event store at {where}; is {named} right? (export-tasks init makes one)"


def is_shared(events: str) -> bool:
    """May several machines share the event store of this URL?"""
    return events.startswith("postgresql://")


def duration(text: str) -> float:
    """Seconds, from `30`, `30s`, `5m` or `1h`; ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is no duration such as 30, 30s, 5m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def folder(text: str) -> Path:
    """A folder's path, made absolute."""
    if not text or "\0" in text:
        raise ValueError("must be the path of a folder")
    path = Path(text).expanduser().absolute()
    for each in (path, *path.parents):
        if os.path.isfile(each):  # noqa: PTH113 (which raises where a folder may not be read)
            raise ValueError(f"{each} is a file, and no folder")
    return path


def file(text: str) -> Path:
    """A file's path, made absolute."""
    if not text or "\0" in text:
        raise ValueError("must be the path of a file")
    return Path(text).expanduser().absolute()


def networks(text: str) -> tuple[str, ...]:
    """Addresses of machines or networks (`10.0.0.7`, `10.0.0.0/8`), with commas; empty: none."""
    named = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    try:
        return tuple(str(network(name)) for name in named)
    except ValueError as error:
        raise ValueError(f"must be IP addresses or networks, with commas: {error}") from None


def place(*schemes: str) -> Callable[[str], str]:
    """Makes a parser of addresses that begin in one of these ways."""

    def parse(text: str) -> str:
        if not text.startswith(schemes):
            raise ValueError(f"must begin with {' or '.join(schemes)}")
        if text.startswith(SQLITE) and Path(text.removeprefix(SQLITE)).name in ("", ".."):
            raise ValueError(f"must name a file: {SQLITE}PATH")
        return text

    return parse


def sinks(text: str) -> tuple[str, ...]:
    """Addresses of folders, buckets and system logs, with commas between them; empty: none."""
    named = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    for name in named:
        host = _HOST.fullmatch(name)
        if not (_PLACE.fullmatch(name) or (host and int(host[1]) <= PORT_MOST)):
            raise ValueError(
                f"'{name}' is not file:///FOLDER, s3://bucket/prefix, syslog:///dev/log or "
                "syslog://HOST:514"
            )
    return named


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Makes a parser of durations, in seconds."""

    def parse(text: str) -> float:
        found = duration(text)
        if not least <= found <= most:
            raise ValueError(f"must be {least:g} to {most:g} seconds")
        return found

    return parse


def number(least: int, most: int) -> Callable[[str], int]:
    """Makes a parser of whole numbers."""

    def parse(text: str) -> int:
        match = _NUMBER.fullmatch(text)
        if not (match and least <= int(match[1]) <= most):
            raise ValueError(f"must be a whole number, {least} to {most}")
        return int(match[1])

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Makes a parser of some words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {' or '.join(words)}")
        return text

    return parse


def truth(text: str) -> bool:
    """`true` or `false`."""
    return one_of("true", "false")(text) == "true"


def instances(text: str) -> tuple[str, ...]:
    """Ids of instances, with commas between them; empty: none."""
    names = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    if not all(1 <= len(name) <= INSTANCE_ID_LENGTH for name in names):
        raise ValueError(f"must be names of 1 to {INSTANCE_ID_LENGTH} characters, with commas")
    return names


def some_text(text: str) -> str:
    """Any text that is not empty."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def secret(text: str) -> bytes:
    """A secret key that is long enough."""
    if len(text.encode()) < SECRET_KEY_SHORTEST:
        raise ValueError(f"must be at least {SECRET_KEY_SHORTEST} bytes")
    return text.encode()
