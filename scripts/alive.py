"""Alive: asks the service on this machine whether it answers, as a container's engine wants to."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING

from domain.refusals import Refusal

if TYPE_CHECKING:
    from api.settings import Settings

ANSWER_SECONDS = 5.0
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (to be replaced)


class NotAlive(Refusal):
    """The service does not answer as it should; the text says what it does."""


def ask(settings: Settings, path: str = "/livez") -> None:
    """Returns where the answer is 200.

    Raises:
        NotAlive: there is none, or another.
    """
    host = ANYWHERE.get(settings.host, settings.host)
    connection = _connection(host, settings.port, tls=settings.tls_cert is not None)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise NotAlive(f"{path} at {host} port {settings.port}: {error!r}") from error
    finally:
        connection.close()
    if status != 200:
        raise NotAlive(f"{path} at {host} port {settings.port}: {status}")


def _connection(host: str, port: int, *, tls: bool) -> HTTPConnection:
    """The certificate is for the name that clients know, which is not this one."""
    if not tls:
        return HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=context)
