"""An S3 server on loopback (SeaweedFS), to be paused, killed and started again in its folder.

    with ObjectStore(folder) as store:
        store.make_bucket("results")
        environment = store.environment()     # AWS_… for whoever is to use it

Nothing here needs pytest. A server that is not closed ends with the process that started it,
however that ends.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Self

from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator

UP_SECONDS = 60.0
"""How long a start may take, on a machine that others use too."""

WEED = Path(sys.executable).with_name("weed")
_PROBE = "probe"

REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY = "test-access-key", "test-secret-key"

# Every port that the program may bind has a flag here, since it binds others than it is asked for.
PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "volume.port.public",
    "filer.port",
    "filer.port.grpc",
    "filer.port.public",
    "s3.port",
    "s3.port.grpc",
)

FLAGS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-master.telemetry=false",
    "-master.resumeState=false",
    "-master.electionTimeout=1s",
    "-master.volumeSizeLimitMB=64",
    "-master.volumePreallocate=false",
    "-volume.max=64",
    "-volume.preStopSeconds=0",
    "-filer",
    "-s3",
    # From the folder that it runs in: a socket's path may have no more than 107 characters.
    "-filer.localSocket=filer.sock",
    "-s3.localSocket=s3.sock",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)

# The program outlives whoever starts it, and takes its time over SIGTERM. So a shell holds it that
# reads from a pipe of ours: the pipe ends with us, and the shell ends the program then.
_HOLDER = '"$@" >>weed.log 2>&1 & echo $!; read -r _; kill -9 $! 2>>weed.log'


class ObjectStore:
    """One server with one user, on ports that stay its own while it is down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {name: kept_port(self) for name in PORTS}
        self._holder: subprocess.Popen[bytes] | None = None
        self.pid = 0

    @property
    def port(self) -> int:
        """At which it speaks S3."""
        return self._ports["s3.port"]

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """What its user sets; another endpoint, where something stands between."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
        }

    def start(self) -> None:
        """Returns when it answers; it begins with what is in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "users.json").write_text(json.dumps(_users()))
        self._holder = subprocess.Popen(
            ["/bin/sh", "-c", _HOLDER, "sh", str(WEED), "-logtostderr", "server", *self._flags()],
            cwd=self.folder,
            env={"PATH": os.defpath, "HOME": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdout
        self.pid = int(self._holder.stdout.readline())
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def pause(self) -> None:
        """It answers nobody any more; who connects waits."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """As by `kill -9`; who connects is refused. Nothing happens where it does not run."""
        if self._holder is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        assert self._holder.stdin
        assert self._holder.stdout
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait()
        self._holder, self.pid = None, 0

    def make_bucket(self, name: str) -> None:
        """A new bucket, of three characters or more; nothing happens where there is one."""
        self._signed("PUT", name, "", (200, 409))

    def remove_bucket(self, name: str) -> None:
        """Removes it with all that is in it."""
        self._signed("DELETE", name, "", (204,))

    def close(self) -> None:
        """Ends it."""
        self.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flags(self) -> Iterator[str]:
        yield from FLAGS
        yield from (f"-{name}={port}" for name, port in self._ports.items())
        yield f"-dir={self.folder}"
        yield f"-s3.config={self.folder / 'users.json'}"

    def _wait(self) -> None:
        until = monotonic() + UP_SECONDS
        while True:
            with suppress(OSError, http.client.HTTPException):
                # What was kept before is found again later than something new is taken.
                self._signed("GET", _PROBE, "object", (200, 404))
                self.make_bucket(_PROBE)
                self._signed("PUT", _PROBE, "object", (200,))
                return
            assert monotonic() < until, (self.folder / "weed.log").read_text()[-2000:]
            sleep(0.1)

    def _signed(self, method: str, bucket: str, key: str, expected: tuple[int, ...]) -> None:
        from obstore import sign
        from obstore.store import S3Store

        keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "region": REGION}
        options = {"allow_http": True}
        store = S3Store(bucket, endpoint=self.endpoint, client_options=options, **keys)
        url = sign(store, method, key, timedelta(minutes=1))
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=5)
        try:
            connection.request(method, "/" + url.split("/", 3)[3], b"probe" if key else None)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status not in expected:
            raise http.client.HTTPException(f"{method} {bucket}: {status}")


def _users() -> dict[str, object]:
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    user = {"name": "tests", "credentials": credentials, "actions": ["Admin"]}
    return {"identities": [user]}
