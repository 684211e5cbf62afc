"""Logs: one line a record on stderr, for people on a terminal and as JSON off it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLine(logging.Formatter):
    """A record as one JSON object; an exception's text goes with it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, logger, process and message."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr() -> None:
    """Sends all records of level INFO and above to stderr; libraries from WARNING on."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    handler.setFormatter(plain if sys.stderr.isatty() else JsonLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("domain", "projections", "exporter", "api", "scripts"):
        logging.getLogger(room).setLevel(logging.INFO)
