"""Visitor: somebody with a browser that runs no scripts, at a service in this process."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

from api.console.sessions import COOKIE

if TYPE_CHECKING:
    from tests.web_service import Service

PASSWORD = "correct horse"
HERE = "http://localhost"
FROM_HERE = {"origin": HERE}


class Visitor:
    """Asks as a browser on this machine does; keeps its cookie itself: it is a secure one."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.cookie: str | None = None

    def get(self, path: str = "/", **headers: str) -> Any:
        """The answer, redirects not followed."""
        return self.ask("GET", path, headers)

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Any:
        """The answer to a form."""
        return self.ask("POST", path, FROM_HERE | (headers or {}), data=fields)

    def ask(self, method: str, path: str, headers: dict[str, str], **content: Any) -> Any:
        """The answer to anything."""
        headers = {"accept": "text/html", **headers}
        if self.cookie is not None:
            headers["cookie"] = f"{COOKIE}={self.cookie}"
        answer = self.service.http.request(
            method, HERE + path, headers=headers, follow_redirects=False, **content
        )
        self.service.http.cookies.clear()
        if (sent := answer.headers.get("set-cookie")) is not None:
            self.cookie = sent.partition("=")[2].partition(";")[0] or None
        return answer

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> Any:
        """The answer to the form for signing in."""
        return self.post("/sign-in", name=name, password=password, **fields)


def signed_in(service: Service, name: str) -> Visitor:
    """Whoever has this name and the password, in the console."""
    visitor = Visitor(service)
    assert visitor.sign_in(name).status_code == 303
    return visitor


def text_of(answer: Any) -> str:
    """What a page says: without tags, spaces once."""
    page = re.sub(r"<(script|style)\b.*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
