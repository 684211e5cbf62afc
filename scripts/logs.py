"""Logs: one line a record on stderr, for people on a terminal and as JSON off it."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from msgspec.json import Encoder

_ENCODER = Encoder()

# What no line says, nobody needs to find out for each.
logging.logThreads = logging.logMultiprocessing = False


class JsonLine(logging.Formatter):
    """A record as one JSON object; an exception's text goes with it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, logger, process and message."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": _writable(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = _writable(self.formatException(record.exc_info))
        return _ENCODER.encode(line).decode()


def _writable(text: str) -> str:
    """The text with lone surrogates, such as a file's name may have, spelled out."""
    return text.encode(errors="backslashreplace").decode()


def log_to_stderr(level: str = "info") -> None:
    """Sends records of this level and above to stderr; at debug the libraries' too.

    Of the libraries nobody wants to read more than warnings otherwise.
    """
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    handler.setFormatter(plain if sys.stderr.isatty() else JsonLine())
    ours = logging.getLevelNamesMapping()[level.upper()]
    theirs = ours if ours == logging.DEBUG else max(ours, logging.WARNING)
    logging.basicConfig(level=theirs, handlers=[handler], force=True)
    for room in ("domain", "projections", "exporter", "api", "scripts"):
        logging.getLogger(room).setLevel(ours)
