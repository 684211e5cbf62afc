"""Notify: tells systemd, where that started this process, what it does (sd_notify)."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

SOCKET, WATCHDOG = "NOTIFY_SOCKET", "WATCHDOG_USEC"


def notify(word: str) -> None:
    """Says READY=1, RELOADING=1, STOPPING=1 or WATCHDOG=1; silent where nobody listens."""
    address = os.environ.get(SOCKET, "")
    if not address:
        return
    if address.startswith("@"):  # an abstract name, which no file has
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(word.encode(), address)


async def be_watched() -> None:
    """Says for ever that this process's loop turns, twice in the time that systemd allows."""
    microseconds = int(os.environ.get(WATCHDOG, "0"))
    while microseconds:
        notify("WATCHDOG=1")
        await asyncio.sleep(microseconds / 2e6)
