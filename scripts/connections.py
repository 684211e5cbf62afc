"""Connections: HTTP within bounds that the server itself does not have."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network
from secrets import token_hex
from typing import TYPE_CHECKING, ClassVar

from uvicorn import Server
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.addresses import plain, spellings
from api.envelope import ALWAYS
from api.problems import UNAVAILABLE, UNREADABLE, Rejected
from api.problems import answer as refusal

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network


HEAD_BYTES = 64 * 1024
"""A request's line and headers; beyond this (and one read more) the request is refused."""

FRAMING_BYTES = 512 * 1024
"""What a body in pieces may have beside its bytes: their sizes, extensions, trailers."""

TAKEN_SECONDS = 60.0
"""How long a client may leave what it is answered; then its connection is cut off."""

HEAD_SECONDS = 20.0
"""How long they may take to arrive, counted from the connection's beginning or their own."""

LATE_SECONDS = 1.0
"""How long a connection may take to ask while the server stops, if it came then or was idle."""

CONNECTIONS_OF_ONE = 256
"""Connections that one address may have with one API process; proxies that are believed, any."""


class Bounded(HttpToolsProtocol):
    """Refuses heads that go on and on, or come drop by drop, and an address's 257th connection.

    While the server stops (`draining`) each connection has one more answer.
    """

    draining: ClassVar[bool] = False

    proxies: ClassVar[tuple[IPv4Network | IPv6Network, ...]] = ()
    open: ClassVar[Counter[str]] = Counter()

    _head: int | None = 0
    _framing = 0
    _begun = False
    _untaken: asyncio.TimerHandle | None = None
    _patience: asyncio.TimerHandle | None = None
    _address: str | None = None

    # Of the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts it, and lets it be one too many."""
        super().connection_made(transport)
        if self.client is not None:
            self.client = (plain(self.client[0]), self.client[1])
        self._wait_for_head(LATE_SECONDS if self.draining else HEAD_SECONDS)
        if self.client is None or self._is_proxy(self.client[0]):
            return
        self._address = self.client[0]
        self.open[self._address] += 1
        if self.open[self._address] > CONNECTIONS_OF_ONE:
            message = f"There are {CONNECTIONS_OF_ONE} connections of this address already."
            self._refuse(503, Rejected(UNAVAILABLE, message, {"retry-after": "1"}))

    def connection_lost(self, exc: Exception | None) -> None:
        """Makes room for another."""
        if self._address is not None:
            self.open[self._address] -= 1
            if not self.open[self._address]:
                del self.open[self._address]
        self._head_is_over()
        self._is_taken()
        super().connection_lost(exc)

    # Of each request

    def data_received(self, data: bytes) -> None:
        """Counts what comes before the headers' end."""
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES + len(data):
                return self.send_400_response("Request line and headers are too large.")
        elif self._framing > FRAMING_BYTES:
            return self.send_400_response("What is beside the body's bytes is too large.")
        else:
            self._framing += len(data)
        return super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; not what comes after the body as if it were one (RFC 9110, 6.5.1)."""
        if self._head is not None:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Takes the body's bytes, whose number the application limits."""
        self._framing -= len(body)
        super().on_body(body)

    def pause_writing(self) -> None:
        """The client takes nothing for now."""
        self._untaken = self.loop.call_later(TAKEN_SECONDS, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """It goes on."""
        self._is_taken()
        super().resume_writing()

    def _is_taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP as the application answers whatever else is wrong."""
        self._refuse(400, Rejected(UNREADABLE, msg.rstrip(".") + "."))

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for a WebSocket, or HTTP/2, is answered in HTTP/1.1: nothing is wrong here,
        and nothing would have to be installed.
        """

    def on_message_begin(self) -> None:
        """A new request: its head begins."""
        self._head, self._framing, self._begun = 0, 0, True
        if self._patience is None:
            self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is over; what follows is the body, whose size the application limits."""
        self._head, self._framing, self._begun = None, 0, False
        self._head_is_over()
        super().on_headers_complete()
        if self.draining:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """The client was not told that this was the last answer: it may ask once more."""
        super().on_response_complete()
        if self.draining and not self.transport.is_closing():
            self._ask_late()

    def shutdown(self) -> None:
        """The next answer is the last.

        Who is between two requests may have sent the next one already: a connection that is closed
        then fails a request that nobody has refused.
        """
        if self.cycle is None or self.cycle.response_complete:
            self._ask_late()
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _ask_late(self) -> None:
        if not self._begun:
            self._head_is_over()
            self._wait_for_head(LATE_SECONDS)

    def _wait_for_head(self, seconds: float | None = None) -> None:
        self._patience = self.loop.call_later(seconds or HEAD_SECONDS, self._too_slow)

    def _head_is_over(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        """Nothing was asked: closes. Half a request: says so; but not amid an earlier answer."""
        if self.cycle is not None and not self.cycle.response_complete:
            return self._wait_for_head()
        if not self._begun:
            return self.transport.close()
        return self.send_400_response(
            f"Request line and headers did not arrive within {HEAD_SECONDS:g} seconds."
        )

    def _refuse(self, status: int, why: Rejected) -> None:
        response = refusal(why)
        response.headers.update({**ALWAYS, "x-request-id": token_hex(16), "connection": "close"})
        lines = [b"%b: %b\r\n" % header for header in response.raw_headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", response.body]))
        self.transport.close()

    def _is_proxy(self, address: str) -> bool:
        return any(ip_address(address) in network for network in self.proxies)


def bounded(proxies: Iterable[str]) -> type[Bounded]:
    """Connections of which these proxies (addresses or networks) may have any number."""
    networks = tuple(map(ip_network, proxies))
    return type("Bounded", (Bounded,), {"proxies": networks, "open": Counter()})


def believed(proxies: Iterable[str]) -> list[str]:
    """The same proxies for the server's own list, which compares addresses as they are written."""
    return [each for proxy in proxies for each in spellings(proxy)]


class Draining(Server):
    """Tells its connections that it stops, however late they come.

    A connection that was accepted in the very moment in which it begins to stop is not among those
    that it tells, and would be answered on and on, until everything is cut off.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers what was asked, and no more."""
        self.config.http_protocol_class.draining = True  # type: ignore[attr-defined]
        await super().shutdown(sockets)
