"""Logs: one line a record on stderr, for people on a terminal and as JSON off it."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from msgspec.json import Encoder

if TYPE_CHECKING:
    from types import ModuleType

    from structlog.typing import Processor

_ENCODER = Encoder()

log = logging.getLogger(__name__)

# What no line says, nobody needs to find out for each.
logging.logThreads = logging.logMultiprocessing = False


class Line(logging.Formatter):
    """A record, and the `keys` that it was given in `extra`, as structlog writes it.

    In half the time of structlog's own formatter, which copies every record.
    """

    def __init__(self, processor: Processor, *shown: str) -> None:
        super().__init__()
        self._processor, self._shown = processor, set(shown)

    def format(self, record: logging.LogRecord) -> str:
        """Its time, level, logger, process and message, its keys, and an exception's text."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        if self._shown:
            line = {key: value for key, value in line.items() if key in self._shown}
        line |= record.__dict__.get("keys", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return str(self._processor(None, "", line))


def log_to_stderr(level: str = "info") -> None:
    """Sends records of this level and above to stderr; at debug the libraries' too.

    Of the libraries nobody wants to read more than warnings otherwise.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(for_people() if sys.stderr.isatty() else as_json())
    ours = logging.getLevelNamesMapping()[level.upper()]
    theirs = ours if ours == logging.DEBUG else max(ours, logging.WARNING)
    logging.basicConfig(level=theirs, handlers=[handler], force=True)
    for room in ("domain", "projections", "exporter", "api", "scripts"):
        logging.getLogger(room).setLevel(ours)


def tell(line: str) -> None:
    """What is told whatever the level is: plain words on a terminal, a record off it."""
    if sys.stderr.isatty():
        click.echo(line, err=True)
    else:
        words = " ".join(line.split())
        log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, words, (), None))


def as_json() -> Line:
    """One JSON object a line."""
    return Line(_structlog().processors.JSONRenderer(serializer=_encoded))


def for_people() -> Line:
    """Columns, in colour unless `NO_COLOR` is set; which process says it is left out."""
    dev = _structlog().dev
    colors = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    renderer = dev.ConsoleRenderer(
        colors=colors,
        sort_keys=False,
        event_key="message",
        timestamp_key="time",
        exception_formatter=dev.plain_traceback,
    )
    return Line(renderer, "time", "level", "message")


def _encoded(line: dict[str, Any], **_: Any) -> str:
    try:
        return _ENCODER.encode(line).decode()
    except UnicodeEncodeError:  # half a surrogate pair, such as a file's name may have
        return _ENCODER.encode({key: _writable(value) for key, value in line.items()}).decode()


def _writable(value: Any) -> Any:
    """A text with lone surrogates spelled out."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _structlog() -> ModuleType:
    """structlog without `rich`, for whose sake each process would be 5 MB larger."""
    absent = sys.modules.setdefault("rich", None) is None  # type: ignore[arg-type]
    try:
        import structlog
    finally:
        if absent:
            del sys.modules["rich"]
    return structlog
