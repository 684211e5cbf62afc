"""Listener: a socket at which one address has so many connections, from their first moment.

Where TLS is spoken the server hears of a connection once its handshake is done, and lets that take
a minute: whoever never begins it would be counted by nobody.
"""

from __future__ import annotations

import socket
from collections import Counter
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from api.addresses import plain
from scripts.connections import CONNECTIONS_OF_ONE

if TYPE_CHECKING:
    from collections.abc import Iterable


class Listener(socket.socket):
    """Closes what is one too many; `proxies` (addresses or networks) may have any number."""

    def __init__(self, descriptor: int, proxies: Iterable[str]) -> None:
        super().__init__(fileno=descriptor)
        self._proxies = tuple(map(ip_network, proxies))
        self._open: Counter[str] = Counter()

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            BlockingIOError: there is none, or the one that there was is closed.
        """
        connection, address = super().accept()
        peer = plain(address[0])
        if any(ip_address(peer) in network for network in self._proxies):
            return connection, address
        if self._open[peer] >= CONNECTIONS_OF_ONE:
            connection.close()
            raise BlockingIOError
        self._open[peer] += 1
        return _Counted(connection, self._open, peer), address


class _Counted(socket.socket):
    """A connection that makes room for another when it is closed."""

    def __init__(self, connection: socket.socket, counts: Counter[str], peer: str) -> None:
        super().__init__(fileno=connection.detach())
        self._counts, self._peer = counts, peer

    def close(self) -> None:
        """Closes it."""
        counts, self._counts = self._counts, Counter()
        if self._peer in counts:
            counts[self._peer] -= 1
            if not counts[self._peer]:
                del counts[self._peer]
        super().close()
