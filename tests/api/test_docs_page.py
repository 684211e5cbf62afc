"""/docs: the API for people, whole, true, and readable by everybody."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from api.openapi import TAGS, problems_of
from api.problems import PROBLEMS
from api.reference import page as docs
from api.reference.advice import ADVICE
from api.reference.parameters import PROJECT
from api.routes import CALLS
from tests.browser import NARROW, WIDE, Window
from tests.plant import World
from tests.web_service import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.web_service import Service

API = [call for call in CALLS if call.tag]
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [value for key, value in self.attributes if key == name and value]


@pytest.fixture(scope="module")
def text() -> str:
    """The page as text, and what is escaped as it is read."""
    return html.unescape(docs.page().body.decode())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(docs.page().body.decode())


def test_anybody_may_read_it_under_a_policy_that_lets_in_a_style_alone(service):
    for _ in range(2):
        answer = service.http.get("/docs")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == docs.POLICY
    assert docs.POLICY.startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert "script-src" not in docs.POLICY


def test_it_is_whole_and_needs_no_script_and_no_style_in_it(page):
    assert page.open == []
    assert not {"script", "style", "img", "iframe", "form"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not [name for name in names if name.startswith("on") or name == "style"]
    assert page.tags.count("title") == page.tags.count("h1") == page.tags.count("main") == 1


def test_whatever_it_loads_is_there(service, page):
    loaded = [each for each in page.values("href") if each.startswith("/static/")]
    assert len(loaded) == 3
    for each in loaded:
        assert service.http.get(each).status_code == 200


def test_each_link_in_it_leads_to_one_place(page):
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    links = {each.removeprefix("#") for each in page.values("href") if each.startswith("#")}
    labels = {name for each in page.values("aria-labelledby") for name in each.split()}
    assert (links | labels) - set(ids) == set()


@pytest.mark.parametrize("call", API, ids=lambda call: call.name)
def test_it_tells_all_of_a_call(text, call):
    article = rf'<article class="card" aria-labelledby="{call.name}">.*?</article>'
    (told,) = re.findall(article, text, re.DOTALL)
    for word in (call.path, call.summary, call.permission or "", *call.headers, call.sdk or ""):
        assert word in told
    for field in call.query.__struct_fields__ if call.query else ():
        assert f"<code>{field}</code>" in told
    for status in call.statuses:
        if status < 400:
            assert f"<strong>{status} " in told
        for problem in problems_of(call, status):
            assert problem.code in told
            assert ADVICE[problem].do in told


def test_it_tells_every_error_state_and_group(text):
    errors = text.partition('id="errors"')[2]
    for problem in PROBLEMS:
        for word in (problem.code, problem.when, ADVICE[problem].message, ADVICE[problem].do):
            assert word in errors
    for word in ("Processing", "Success", "Failed", *TAGS):
        assert word in text


# The calls by hand


@pytest.fixture
def live(service: Service) -> Iterator[tuple[World, str]]:
    """A service at an address, where the task of the examples is done."""
    world = World(service)
    world.give_password()
    world.stand()
    with served(service.settings) as endpoint:
        yield world, endpoint


STATUS = """
set -euo pipefail
curl() { command curl -sS -o "$OUT" -w '%{http_code}' "$@"; }
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("call", API, ids=lambda call: call.name)
def test_each_call_may_be_asked_by_hand_as_it_stands_there(live, text, call, tmp_path):
    world, endpoint = live
    (asked,) = re.findall(
        rf'aria-label="{call.name} with curl"><code>(.*?)</code>', text, re.DOTALL
    )
    user = world.service.household.queries.user(world.ada.user_id)
    now = world.service.story.clock()
    tokens = world.service.household.tokens
    token = tokens.issue(user.user_id, PROJECT, user.password_version, now).text
    done = subprocess.run(
        ["bash", "-c", STATUS + asked.replace("-o results.xls", "")],
        env={**os.environ, "ENDPOINT": endpoint, "TOKEN": token, "OUT": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == call.statuses[0]


# In a real browser


@contextmanager
def window(service: Service, browser: Browser, **how: Any) -> Iterator[Window]:
    """A window on the service, which tells whatever went wrong in it."""
    with served(service.settings) as endpoint:
        opened = Window(browser, endpoint, **how)
        yield opened
        opened.close()


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_fault_and_asks_nobody_else(service, browser, scheme, size):
    from axe_playwright_python.sync_playwright import Axe

    with window(service, browser, viewport=size, color_scheme=scheme) as opened:
        page = opened.tab("/docs")
        page.locator("details").evaluate_all("each => each.forEach(one => one.open = true)")
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_it_is_read_without_a_script_and_by_keyboard(service, browser):
    with window(service, browser, java_script_enabled=False) as opened:
        page = opened.tab("/docs")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.url.endswith("/docs#main")
        page.get_by_role("link", name="DeleteExportTask").first.focus()
        page.keyboard.press("Enter")
        assert page.url.endswith("#DeleteExportTask")
        told = page.locator("article[aria-labelledby=DeleteExportTask]")
        told.locator("summary").focus()
        assert not told.get_by_text("IOTDA.014702").is_visible()
        page.keyboard.press("Enter")
        assert told.get_by_text("IOTDA.014702").is_visible()
