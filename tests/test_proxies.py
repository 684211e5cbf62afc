"""The proxies that `deploy/proxy` sets up, run for real before real nodes."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiotda.v5 import ListExportTasksRequest, ShowExportTaskRequest

from scripts.client import Client
from tests.ports import held, kept_port
from tests.service import Home, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROXIES = Path(__file__).parents[1] / "deploy" / "proxy"


def nginx(folder: Path, port: int, nodes: tuple[str, ...]) -> list[str]:
    """The command that runs nginx by the example's file, with these nodes behind it."""
    servers = "".join(f"    server {node};\n" for node in nodes)
    text = re.sub(r"(    server api-\d:\d+;\n)+", servers, (PROXIES / "nginx.conf").read_text())
    text, found = re.subn(r"listen \d+;", f"listen 127.0.0.1:{port};", text)
    assert found == 1
    (folder / "example.conf").write_text(text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(f"""
        daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1;
        events {{}}
        http {{ access_log off; {paths} include {folder}/example.conf; }}
    """)
    return ["nginx", "-p", str(folder), "-c", f"{folder}/nginx.conf"]


def caddy(folder: Path, port: int, nodes: tuple[str, ...]) -> list[str]:
    """The same of Caddy; without TLS, for which it would ask an authority."""
    text = (PROXIES / "Caddyfile").read_text()
    text, found = re.subn(r"^\S+ \{$", f"http://127.0.0.1:{port} {{", text, flags=re.MULTILINE)
    assert found == 1
    text, found = re.subn(r"reverse_proxy .* \{", f"reverse_proxy {' '.join(nodes)} {{", text)
    assert found == 1
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]


@pytest.fixture(params=[nginx, caddy], ids=lambda each: each.__name__)
def proxy(request):
    """One of them, if this machine has it."""
    if not shutil.which(request.param.__name__):
        pytest.skip(f"no {request.param.__name__} here")
    return request.param


@contextmanager
def proxied(
    proxy: Callable[[Path, int, tuple[str, ...]], list[str]], folder: Path, *nodes: str
) -> Iterator[str]:
    """A proxy before these nodes; its address."""
    holder = held()
    port = holder.getsockname()[1]
    environment = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    process = subprocess.Popen(proxy(folder, port, nodes), env=environment)
    try:
        eventually(lambda: listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)
        holder.close()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_official_client_goes_through_the_proxy_and_a_node_that_is_gone_is_passed_over(
    proxy, tmp_path
):
    home = Home(tmp_path, forwarded_allow_ips="127.0.0.1")
    batch, service = home.batch(100), home.serve()
    nobody = f"127.0.0.1:{kept_port(home)}"
    there = service.endpoint.removeprefix("http://")
    try:
        with proxied(proxy, tmp_path, nobody, there) as endpoint:
            keys = home.begun["access_key"], home.begun["secret_key"]
            client = Client(endpoint, *keys, home.project)
            tasks = [client.create(batch).export_task_id for _ in range(3)]
            eventually(lambda: client.find(tasks[-1]).status == "Success")
            assert client.download(tasks[0])[:4] == b"\xd0\xcf\x11\xe0"
            sdk = client._client
            condition = json.dumps({"task_id": batch})  # a space and quotes in the query
            found = sdk.list_export_tasks(ListExportTasksRequest(resource_condition=condition))
            assert {each.export_task_id for each in found.export_tasks} == set(tasks)
            with pytest.raises(ClientRequestException) as refused:
                sdk.show_export_task(ShowExportTaskRequest(export_task_id="a/b"))
            assert refused.value.status_code == 404  # signed as it was sent: no 401
    finally:
        assert service.stop() == 0


def test_what_a_node_says_bit_by_bit_arrives_bit_by_bit(proxy, tmp_path):
    heard = Event()

    class Telling(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"data: 1\n\n")
            if heard.wait(30):
                self.wfile.write(b"data: 2\n\n")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Telling) as node:
        thread = Thread(target=node.serve_forever)
        thread.start()
        with proxied(proxy, tmp_path, f"127.0.0.1:{node.server_port}") as endpoint:
            client = HTTPConnection(endpoint.removeprefix("http://"), timeout=60)
            client.request("GET", "/")
            answer = client.getresponse()
            assert answer.readline() == b"data: 1\n"
            heard.set()
            assert answer.read() == b"\ndata: 2\n\n"
            client.close()
        node.shutdown()
        thread.join()
