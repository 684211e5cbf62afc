"""Bounds of connections: how slowly a request may be sent, and how many one address may have."""

import asyncio
import json
import socket
from contextlib import contextmanager, suppress
from select import select
from threading import Thread
from time import monotonic, sleep

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route
from uvicorn import Config, Server

from scripts import connections
from scripts.connections import Draining, believed, bounded
from tests.service import eventually

HERE, LONG = "127.0.0.1", 60.0
HEAD = b"GET /%s HTTP/1.1\r\nHost: here\r\n\r\n"


async def slow(request):
    def lines():
        for _ in range(5):
            sleep(0.2)
            yield b"line\n"

    return StreamingResponse(lines())


async def told_back(request):
    body = await request.body()
    return JSONResponse({"headers": sorted(request.headers), "body": len(body)})


APP = Starlette(
    routes=[
        Route("/", lambda request: PlainTextResponse("here")),
        Route("/who", lambda request: PlainTextResponse(request.client.host)),
        Route("/slow", slow),
        Route("/back", told_back, methods=["POST"]),
        Route("/long", lambda request: PlainTextResponse("x" * 30_000_000)),
    ]
)


@pytest.fixture
def serving(monkeypatch):
    """Starts a server with small bounds, and time enough; gives what connects to it."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", LONG)
    monkeypatch.setattr(connections, "CONNECTIONS_OF_ONE", 3)
    running = []

    def serve(proxies=(), listener=None):
        listener, kind = listener or socket.create_server(("127.0.0.1", 0)), bounded(proxies)
        trust = {"proxy_headers": bool(proxies), "forwarded_allow_ips": believed(proxies)}
        server = Server(Config(APP, http=kind, lifespan="off", log_config=None, **trust))
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))

        @contextmanager
        def connected():
            port = listener.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                yield client

        connected.kind = kind
        connected.count = lambda: kind.open[HERE]
        return connected

    yield serve
    for server, thread in running:
        server.should_exit = server.force_exit = True
        thread.join()


@pytest.fixture
def short(monkeypatch, serving):
    """A head has little time: whoever sends one has sent it before the server starts."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)

    @contextmanager
    def sent(head):
        listener = socket.create_server((HERE, 0))
        with socket.create_connection(listener.getsockname(), timeout=30) as client:
            client.sendall(head)
            serving(listener=listener)
            yield client

    return sent


def told(client):
    """All that comes until the end, as head and body."""
    head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    return head, body


def asked(client, head=HEAD % b""):
    """The beginning of an answer that is read to its end."""
    client.sendall(head)
    return answered(client)


def answered(client):
    """The same, of what was asked before."""
    answer = b""
    while not answer.endswith(b"here"):
        part = client.recv(1000)
        assert part, answer
        answer += part
    return answer[:12]


def test_whoever_asks_nothing_is_let_go(short):
    with short(b"") as client:
        assert told(client) == (b"", b"")


def test_a_head_that_comes_drop_by_drop_is_refused(short):
    with short(HEAD[:10]) as client:
        head, body = told(client)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error_code"] == "IOTDA.000008"
    assert "did not arrive within 0.4 seconds" in json.loads(body)["error_msg"]


def test_the_second_heads_time_counts_from_its_own_beginning(short):
    with short(HEAD % b"") as client:
        assert answered(client) == b"HTTP/1.1 200"
        sleep(0.6)
        assert asked(client) == b"HTTP/1.1 200"
        client.sendall(HEAD[:10])
        assert told(client)[0].startswith(b"HTTP/1.1 400 ")


def test_a_slow_answer_is_not_cut_by_half_a_request_behind_it(short):
    with short(HEAD % b"slow" + HEAD[:10]) as client:
        head, body = told(client)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body.count(b"line\n") == 5
    assert b"HTTP/1.1 400 " in body


IN_PIECES = (
    b"POST /back HTTP/1.1\r\nHost: here\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def test_what_comes_after_the_body_is_no_header(serving):
    with serving()() as client:
        client.sendall(IN_PIECES + b"3\r\nabc\r\n0\r\nX-Auth-Token: t\r\n\r\n")
        _, body = told(client)
    assert json.loads(body) == {"headers": ["connection", "host", "transfer-encoding"], "body": 3}


@pytest.mark.parametrize("more", [b"x: y\r\n", b"x"], ids=["many", "one without end"])
def test_what_is_beside_the_bodys_bytes_has_an_end(serving, monkeypatch, more):
    monkeypatch.setattr(connections, "FRAMING_BYTES", 10_000)
    with serving()() as client:
        client.sendall(IN_PIECES + b"0\r\n")
        while not select([client], [], [], 0.01)[0]:
            client.sendall(more * 100)
        head, body = told(client)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert "beside the body" in json.loads(body)["error_msg"]


def test_a_body_in_many_pieces_is_taken(serving, monkeypatch):
    monkeypatch.setattr(connections, "FRAMING_BYTES", 10_000)
    with serving()() as client:
        client.sendall(IN_PIECES)
        for _ in range(100):
            client.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        _, body = told(client)
    assert json.loads(body)["body"] == 100_000


def test_whoever_takes_nothing_of_an_answer_is_cut_off(serving, monkeypatch):
    monkeypatch.setattr(connections, "TAKEN_SECONDS", 0.3)
    connected = serving()
    with connected() as client:
        client.sendall(HEAD % b"long")
        eventually(lambda: not connected.count())
    with connected() as client:
        client.sendall(HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"long")
        assert len(told(client)[1]) == 30_000_000


def test_an_address_has_so_many_connections_and_no_more(serving):
    connected = serving()
    with connected() as one, connected() as two:
        with connected() as three, connected() as four:
            assert [asked(each) for each in (one, two, three)] == 3 * [b"HTTP/1.1 200"]
            head, body = told(four)
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in head
            assert json.loads(body)["error_code"] == "IOTDA.000007"
        eventually(lambda: connected.count() == 2)
        with connected() as five:
            assert asked(five) == b"HTTP/1.1 200"


@pytest.mark.parametrize("proxies", [("127.0.0.1/32",), ("10.0.0.0/8", "127.0.0.0/8")])
def test_a_proxy_that_is_believed_has_as_many_as_it_needs(serving, proxies):
    connected = serving(proxies)
    with connected() as one, connected() as two, connected() as three, connected() as four:
        for each in (one, two, three, four):
            assert asked(each) == b"HTTP/1.1 200"


@pytest.fixture
def both():
    """A socket that listens on IPv6 and IPv4."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)


def forwarded_for(client, addresses):
    """Whom the application takes for the client."""
    head = b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: %s\r\n\r\n"
    client.sendall(head % addresses)
    return told(client)[1]


def test_an_ipv4_proxy_is_believed_at_a_socket_that_listens_on_ipv6_too(serving, both):
    connected = serving(("127.0.0.1/32", "10.0.0.0/8"), both)
    with connected() as one, connected() as two, connected() as three, connected() as four:
        assert forwarded_for(one, b"203.0.113.9") == b"203.0.113.9"
        assert forwarded_for(two, b"203.0.113.9, ::ffff:10.1.2.3") == b"203.0.113.9"
        for each in (three, four):
            assert asked(each) == b"HTTP/1.1 200"


def test_an_ipv4_peer_has_its_ipv4_address_there_and_is_not_believed_unnamed(serving, both):
    with serving(("10.0.0.0/8",), both)() as client:
        assert forwarded_for(client, b"203.0.113.9") == b"127.0.0.1"


def test_while_the_server_stops_each_connection_has_one_more_answer(serving, monkeypatch):
    monkeypatch.setattr(connections, "LATE_SECONDS", 0.1)
    connected = serving()
    with connected() as early, connected() as late:
        assert asked(early) == b"HTTP/1.1 200"
        eventually(lambda: connected.count() == 2)
        monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
        with connected() as idle:
            connected.kind.draining = True
            for each in (early, late):
                assert asked(each) == b"HTTP/1.1 200"
                assert told(each) == (b"", b"")
            assert told(idle) == (b"", b"")


def test_whoever_comes_while_the_server_stops_and_asks_nothing_is_let_go_soon(serving, monkeypatch):
    monkeypatch.setattr(connections, "LATE_SECONDS", 0.1)
    connected = serving()
    connected.kind.draining = True
    with connected() as late:
        assert told(late) == (b"", b"")


@pytest.mark.parametrize("turns", [0, 2, 3, 4])
def test_a_connection_that_comes_as_the_server_begins_to_stop_does_not_hold_it_up(
    turns, monkeypatch
):
    """So many turns of the loop lie in between; a connection one turn before, asyncio loses."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", LONG)

    def ask_on_and_on(client):
        client.settimeout(0.5)
        end = monotonic() + LONG / 2
        with suppress(OSError):
            while monotonic() < end:
                client.sendall(HEAD % b"")
                if not client.recv(1000):
                    return

    async def stop():
        listener = socket.create_server(("127.0.0.1", 0))
        how = {"lifespan": "off", "log_config": None, "timeout_keep_alive": int(LONG)}
        config = Config(APP, http=bounded(()), **how)
        config.load()
        server = Draining(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        with socket.create_connection(listener.getsockname()) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            began = monotonic()
            stopping = asyncio.create_task(server.shutdown([listener]))
            await asyncio.to_thread(ask_on_and_on, client)
            await asyncio.wait_for(stopping, LONG)
            return monotonic() - began

    assert asyncio.run(stop()) < LONG / 2


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_whoever_would_speak_otherwise_is_answered_in_http_and_no_warning_told(
    serving, caplog, protocol
):
    with serving()() as client:
        upgrade = b"\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % protocol
        assert asked(client, (HEAD % b"").replace(b"\r\n\r\n", upgrade)) == b"HTTP/1.1 200"
        assert asked(client) == b"HTTP/1.1 200"
    assert not [each for each in caplog.records if each.levelname == "WARNING"]
