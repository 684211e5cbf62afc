"""Ports of loopback that stay a test's own, before its server starts and while that is down."""

from __future__ import annotations

import socket
from weakref import finalize


def held() -> socket.socket:
    """A socket at a port at which nobody is answered, and which nobody else gets who asks for any.

    A server that is told to may listen there, since servers set SO_REUSEADDR.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


def kept_port(owner: object) -> int:
    """Such a port, held as long as its owner lives."""
    holder = held()
    finalize(owner, holder.close)
    port: int = holder.getsockname()[1]
    return port
