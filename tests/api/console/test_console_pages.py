"""What every page of the console has: whole HTML, a strict policy, its own refusals and assets."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.console import page as pages
from api.console.assets import address
from tests.visitor import text_of

STATIC = Path(pages.__file__).parent / "static"
ROOT = Path(__file__).parents[3]
EMPTY = {"area", "br", "hr", "img", "input", "link", "meta"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)


class Whole(HTMLParser):
    """What a page is made of; fails where a tag is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def every(service, ann, page):
    """Every kind of page, as Ann sees it."""
    ready, deleted = ann.finished(batch="aaa"), ann.finished(batch="bbb")
    page.post(f"/exports/{deleted}/delete")
    paths = ["/", "/?state=Failed", "/exports/new", f"/exports/{ready}", f"/exports/{deleted}"]
    return [page.get(path) for path in [*paths, "/sign-in", "/begin?key=1", "/nowhere", "/?app=+"]]


def test_pages_are_whole_and_nothing_in_them_runs_or_styles_inline(every):
    for answer in every:
        found = Whole(answer.text)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert found.tags.count("title") == found.tags.count("h1") == found.tags.count("main") == 1
        assert not [
            name for name, _ in found.attributes if name.startswith("on") or name == "style"
        ]
        assert "style" not in found.tags
        ids = [value for name, value in found.attributes if name == "id"]
        assert len(ids) == len(set(ids))


def test_pages_name_no_other_place(every):
    for answer in every:
        assert re.findall(r"https?://(?!localhost:8080/)[a-z]", answer.text) == []


def test_every_answer_has_the_strict_policy_once_and_is_kept_nowhere(every):
    for answer in every:
        assert answer.headers.get_list("content-security-policy") == [POLICY]
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"]


def test_a_refusal_is_a_page_that_says_under_which_request(page):
    answer = page.get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["x-request-id"] in text_of(answer)


def test_a_refusal_shows_who_is_signed_in_and_the_way_on(page):
    for answer in (
        page.get("/nowhere"),
        page.get("/?state=x"),
        page.get("/operator"),
        page.get("/exports/0"),
        page.ask("PUT", "/", {}),
        page.ask("POST", "/exports", {"origin": "http://elsewhere"}),
    ):
        assert answer.status_code >= 400
        assert "Ann in p1" in text_of(answer)
        assert '<a href="/exports/new">New export</a>' in answer.text


def test_a_refusal_to_somebody_else_shows_nobodys_way(visitor):
    for cookie in (None, "made up"):
        visitor.cookie = cookie
        answer = visitor.get("/nowhere")
        assert answer.status_code == 404
        assert "Sign out" not in answer.text


def test_programs_get_json_where_there_is_nothing(service, page):
    for path, accept in (("/nowhere", "*/*"), ("/v5/nowhere", "text/html")):
        answer = service.http.get(path, headers={"accept": accept})
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "APIGW.0101"


def test_another_method_is_a_page_too(page):
    answer = page.ask("PUT", "/", {})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_head_is_answered_like_get_without_a_body(page):
    answer = page.ask("HEAD", "/", {})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 1000


def test_with_the_store_away_a_page_says_so_and_to_try_again(service, page):
    log = service.household.log.path
    log.rename(log.with_name("away"))
    log.mkdir()
    service.house.ledger.journal.recorder.datastore.close()
    answer = page.get()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "The service cannot answer now" in text_of(answer)
    assert "There is no such page" in text_of(page.get("/nowhere"))


def test_what_nobody_expected_is_not_told_on_the_page(service, page, monkeypatch):
    def fails(*_, **__):
        raise sqlite3.ProgrammingError("a secret of the inside")

    monkeypatch.setattr(service.house.ledger, "limits", fails)
    answer = page.get()
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Something went wrong here" in text_of(answer)


def test_assets_are_kept_for_ever_under_an_address_of_their_content(service, page):
    for name in ("console.css", "console.js", "stream.js", "icon.svg"):
        answer = service.http.get(address(name))
        assert answer.status_code == 200
        assert answer.content == (STATIC / name).read_bytes()
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-security-policy"] == POLICY
    assert address("console.css") in page.get().text


@pytest.mark.parametrize("path", ["/static/0123456789abcdef/console.css", "/static/x/..%2Fpage.py"])
def test_other_addresses_hold_nothing(service, path):
    assert service.http.get(path, headers={"accept": "text/html"}).status_code == 404


def test_nothing_outside_the_folder_is_an_asset(service):
    place = address("..%2Fpage.py")
    assert service.http.get(place, headers={"accept": "text/html"}).status_code == 404


def test_a_process_that_nobody_asks_for_a_page_has_not_loaded_what_makes_them():
    heavy = "{'jinja2', 'sse_starlette'}"
    look = f"import sys, api.app; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", look], cwd=ROOT, check=True)


def test_the_scripts_are_small_and_plain():
    scripts = list(STATIC.glob("*.js"))
    assert sum(len(path.read_bytes()) for path in scripts) <= 8 * 1024
    for path in scripts:
        assert max(map(len, path.read_text().splitlines())) <= 120
        assert not re.search(r"\b(eval|innerHTML|outerHTML|document\.write)\b", path.read_text())
