"""Account: whose exports, at which service, by which key: the client's own variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from scripts.cli import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "http://127.0.0.1:8080"
"""Where `serve` listens by default."""

VARIABLES = {
    "EXPORT_TASKS_ENDPOINT": f"where the service is; by default {ENDPOINT}",
    "EXPORT_TASKS_AK": "the access key",
    "EXPORT_TASKS_SK": "the secret key",
    "EXPORT_TASKS_SK_FILE": "or a file that holds it",
    "EXPORT_TASKS_SECURITY_TOKEN": "the security token that goes with a temporary key",
    "EXPORT_TASKS_PROJECT": "the project's id",
}
"""What `export …` and `quota` read, and what it means."""

_WHENCE = "`export-tasks init` and `export-tasks user add` print it"


@dataclass(frozen=True, slots=True)
class Account:
    """A service, a project there, and the key of one of its users."""

    endpoint: str
    project: str
    access_key: str
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """What the variables say.

        Raises:
            Refused: one is missing or is no value for it; the text names it.
        """
        return cls(
            endpoint=_endpoint(environment.get("EXPORT_TASKS_ENDPOINT") or ENDPOINT),
            project=_given(environment, "EXPORT_TASKS_PROJECT"),
            access_key=_header("EXPORT_TASKS_AK", _given(environment, "EXPORT_TASKS_AK")),
            secret_key=_secret(environment),
            security_token=_token(environment.get("EXPORT_TASKS_SECURITY_TOKEN")),
        )

    @property
    def host(self) -> str:
        """The `Host` of every request."""
        return urlsplit(self.endpoint).netloc


def _endpoint(text: str) -> str:
    try:
        url = urlsplit(text)
        whole = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        whole = False
    if not whole or url.query or url.fragment or "@" in url.netloc or not text.isprintable():
        raise Refused("EXPORT_TASKS_ENDPOINT must be http://HOST:PORT or https://HOST:PORT.")
    return text.rstrip("/")


def _given(environment: Mapping[str, str], variable: str) -> str:
    if value := environment.get(variable, "").strip():
        return value
    raise Refused(f"{variable} is not set: {VARIABLES[variable]} ({_WHENCE}).")


def _secret(environment: Mapping[str, str]) -> str:
    named = environment.get("EXPORT_TASKS_SK_FILE")
    if not named:
        return _given(environment, "EXPORT_TASKS_SK")
    if environment.get("EXPORT_TASKS_SK"):
        raise Refused("EXPORT_TASKS_SK and EXPORT_TASKS_SK_FILE are both given.")
    try:
        return Path(named).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Refused(f"EXPORT_TASKS_SK_FILE: {named} cannot be read: {error}.") from error


def _token(value: str | None) -> str | None:
    return _header("EXPORT_TASKS_SECURITY_TOKEN", value) if value else None


def _header(variable: str, value: str) -> str:
    """The value, if a header can hold it."""
    if value.isascii() and value.isprintable():
        return value
    raise Refused(f"{variable} holds what no {VARIABLES[variable].removeprefix('the ')} does.")
