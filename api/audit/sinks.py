"""Sinks: who else is given every checkpoint, out of the operator's reach; each may fail or hang."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from logging.handlers import SysLogHandler
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol
from urllib.parse import unquote, urlsplit

from api.audit.given import CHECKPOINTS
from api.audit.place import CheckpointName, Place, key_name, open_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.audit.note import Verifier

_SYSLOG = "syslog://"
_SYSLOG_PORT = 514
_IDENT = "export-tasks: "


class News(NamedTuple):
    """What there is to hand on: names in the source, signed by the key, the newest last.

    `behind`: the sink may lack others too.
    """

    source: Place
    key: Verifier
    names: Sequence[CheckpointName]
    behind: bool


class Sink(Protocol):
    """Somewhere else."""

    def deliver(self, news: News) -> None:
        """Hands it on.

        Raises OSError or PlaceFailed where that fails; what was handed on by then stays there.
        """
        ...


class FolderSink:
    """Another folder, laid out as the audit place; perhaps of another disk, or another machine."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def deliver(self, news: News) -> None:
        self._place.put(key_name(news.key.name), f"{news.key.text}\n".encode())
        for each in self._lacking(news.source, news.key.name) if news.behind else news.names:
            if note := news.source.get(each.name):
                self._place.put(each.name, note)

    def _lacking(self, source: Place, key: str) -> list[CheckpointName]:
        """All since the last one that is there."""
        return [
            each
            for incarnation in source.list(CHECKPOINTS)
            for last in [max(_sizes(self._place, incarnation, key), default=-1)]
            for each in CheckpointName.all_in(source, incarnation)
            if each.key == key and each.size > last
        ]


class SyslogSink:
    """The system log: one line with the whole note, as a JSON text. The newest speaks for all."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address: str | tuple[str, int] = unquote(address.path)
        if address.hostname:
            self._address = (address.hostname, address.port or _SYSLOG_PORT)

    def deliver(self, news: News) -> None:
        note = (news.source.get(news.names[-1].name) or b"").decode(errors="replace")
        line = f"audit checkpoint {json.dumps(note)}"
        with closing(_Handler(self._address, SysLogHandler.LOG_AUTH)) as handler:
            handler.ident, handler.append_nul = _IDENT, False
            handler.emit(logging.makeLogRecord({"msg": line, "levelname": "INFO"}))


class _Handler(SysLogHandler):
    """Says that a line could not be sent, where the library's would print it."""

    def handleError(self, record: logging.LogRecord) -> NoReturn:  # noqa: ARG002, N802
        raise


def open_sink(url: str) -> Sink:
    """The sink at an address; ValueError where it is of no known kind."""
    return SyslogSink(url) if url.startswith(_SYSLOG) else FolderSink(open_place(url))


def _sizes(place: Place, incarnation: str, key: str) -> list[int]:
    return [each.size for each in CheckpointName.all_in(place, incarnation) if each.key == key]
