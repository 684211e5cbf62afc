"""A wire between a service and a server, which a test can cut where it hurts, or make slow."""

from __future__ import annotations

import socket
from contextlib import suppress
from select import select
from threading import Event, Thread
from time import sleep
from typing import Literal

CHUNK = 65536
LOOK_SECONDS = 0.02
Cut = Literal["before it is sent", "after it was done"]


class Proxy:
    """Passes what it gets to a port of loopback and back; counts the connections made."""

    def __init__(self, port: int, look: float = LOOK_SECONDS) -> None:
        """`look` is how often each connection looks whether it is to end."""
        self.connections = 0
        self.away = False
        """Whether connections, new and old, end at once."""
        self._delay = 0.0
        self._to, self._look = port, look
        self._cut: tuple[bytes, Cut, bool] | None = None
        self.happened = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def cut(self, marker: bytes, where: Cut, *, stay_away: bool = False) -> None:
        """Ends the connection at the next message with this in it; perhaps all others too."""
        self._cut = (marker, where, stay_away)
        self.happened.clear()

    def slow(self, seconds: float) -> None:
        """Holds up everything that is passed for so long, 64 KiB at a time."""
        self._delay = seconds

    def close(self) -> None:
        """Ends it all."""
        self.away = True
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self.connections += 1
                Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.away:
                return
            with socket.create_connection(("127.0.0.1", self._to)) as server:
                while not self.away and self._passed(client, server):
                    pass

    def _passed(self, client: socket.socket, server: socket.socket) -> bool:
        for source in select([client, server], [], [], self._look)[0]:
            data = source.recv(CHUNK)
            if not data or (source is client and self._is_cut(data, server)):
                return False
            sleep(self._delay)
            (server if source is client else client).sendall(data)
        return True

    def _is_cut(self, data: bytes, server: socket.socket) -> bool:
        if not self._cut or self._cut[0] not in data:
            return False
        _, where, self.away = self._cut
        self._cut = None
        if where == "after it was done":
            server.sendall(data)
            server.recv(CHUNK)
        self.happened.set()
        return True
