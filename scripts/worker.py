"""Worker: what each child process of a service does, until it is told to stop or is left alone."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scripts.group import READY
from scripts.logs import log_to_stderr

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from api.settings import Settings

HEAD_BYTES = 64 * 1024
"""A request's line and headers; beyond this (and one read more) the request is refused."""

DRAIN_SECONDS = 30
"""How long running requests may take to finish after SIGTERM."""

KEEP_ALIVE_SECONDS = 15
ORPHAN_SECONDS = 10
"""How long a child whose parent was killed may take to stop."""

CATCH_UP_SECONDS = 0.5
SWEEP_SECONDS = 60.0

log = logging.getLogger(__name__)
