"""A wire to a service that is cut after so many bytes of what the service sends."""

from __future__ import annotations

from select import select
from time import sleep
from typing import TYPE_CHECKING

from tests.proxy import CHUNK, Proxy

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class CutShort(Proxy):
    """Passes what it gets; ends a connection when `left` bytes of answers have passed."""

    left: int | None = None
    """None: it cuts nothing."""

    cuts = 0
    slow = False
    """Whether answers come drop by drop."""

    then: Callable[[], object] | None = None
    """What happens between a cut and the next connection."""

    def _passed(self, client: socket.socket, server: socket.socket) -> bool:
        for source in select([client, server], [], [], 0.02)[0]:
            if self.slow and source is server:
                sleep(0.02)
            data = source.recv(4096 if self.slow else CHUNK)
            if not data:
                return False
            if source is client:
                server.sendall(data)
            elif not self._answered(data, client):
                return False
        return True

    def _answered(self, data: bytes, client: socket.socket) -> bool:
        if self.left is None:
            client.sendall(data)
            return True
        client.sendall(data[: self.left])
        self.left -= len(data)
        if self.left > 0:
            return True
        self.left, self.cuts = None, self.cuts + 1
        if self.then:
            self.then()
        return False
