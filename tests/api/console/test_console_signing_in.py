"""Signing in to the console: by password alone, over TLS or on this machine, until it ends."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import timedelta
from urllib.parse import quote

import pytest

from api.access.lockout import TRIES_OF_A_NAME
from api.access.tokens import SESSION_LIVES
from api.console.sessions import COOKIE, local
from api.console.table import PAGES
from tests.facts import OPERATOR
from tests.visitor import FROM_HERE, PASSWORD, Visitor, text_of

PRIVATE = [page for page in PAGES if not page.open]


def test_whoever_signs_in_is_led_back_to_where_they_came_from(service, ann, visitor):
    asked = visitor.get("/?state=Failed")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/sign-in?next=%2F%3Fstate%3DFailed"
    assert text_of(visitor.get(asked.headers["location"])).count("Sign in") > 1
    answer = visitor.sign_in("Ann", next="/?state=Failed")
    assert answer.headers["location"] == "/sign-in?kept=1&next=%2F%3Fstate%3DFailed"
    kept = visitor.get(answer.headers["location"])
    assert (kept.status_code, kept.headers["location"]) == (303, "/?state=Failed")
    assert visitor.get("/?state=Failed").status_code == 200


@pytest.mark.parametrize(
    ("form", "page_of_it"),
    [
        ("/exports", "/exports/new"),
        ("/exports/{}/delete", "/exports/{}"),
        ("/operator/tasks/{}/retry", "/operator/tasks/{}"),
    ],
)
@pytest.mark.parametrize("end", ["signed out", "time"])
def test_a_form_that_was_lost_is_told_and_led_back_to(service, ann, page, form, page_of_it, end):
    task_id = ann.finished()
    if end == "time":
        service.story.clock.now += SESSION_LIVES
    else:
        page.cookie = None
    asked = page.post(form.format(task_id), other="aaa")
    assert asked.status_code == 303
    back = page_of_it.format(task_id)
    assert asked.headers["location"] == f"/sign-in?next={quote(back, safe='')}&unsent=1"
    assert "so nothing was sent" in text_of(page.get(asked.headers["location"]))
    page.sign_in("Ann", next=back)
    if "operator" not in back:
        assert page.get(back).status_code == 200
    assert len(ann.get().json()["export_tasks"]) == 1


def test_the_cookie_is_for_this_host_over_tls_and_for_no_script(service, ann, visitor):
    cookie = visitor.sign_in("Ann").headers["set-cookie"]
    name, _, attributes = cookie.partition("=")
    assert name.startswith("__Host-")
    assert set(attributes.split("; ")[1:]) == {
        *("Path=/", "Secure", "HttpOnly", "SameSite=Lax"),
        f"Max-Age={int(SESSION_LIVES.total_seconds())}",
    }


def test_a_browser_that_keeps_no_cookie_is_told_so(service, ann, visitor):
    answer = visitor.sign_in("Ann")
    visitor.cookie = None
    assert "did not keep the cookie" in text_of(visitor.get(answer.headers["location"]))


@pytest.mark.parametrize("page", PRIVATE, ids=[f"{each.method} {each.path}" for each in PRIVATE])
def test_nothing_private_is_shown_or_done_without_a_session(service, ann, visitor, page):
    path = page.path.replace("{export_task_id}", ann.finished())
    answer = visitor.ask(page.method, path, FROM_HERE)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")
    assert len(ann.get().json()["export_tasks"]) == 1


def test_a_wrong_password_is_told_on_the_form_that_keeps_the_name(service, ann, visitor):
    answer = visitor.sign_in("Ann", "wrong horse")
    assert answer.status_code == 401
    assert "The user name or the password is wrong." in text_of(answer)
    assert 'value="Ann"' in answer.text
    assert "wrong horse" not in answer.text
    assert visitor.cookie is None


def test_guesses_are_counted_with_those_for_tokens_and_locked_for_all(service, ann, visitor):
    for _ in range(TRIES_OF_A_NAME):
        assert visitor.sign_in("Ann", "wrong horse").status_code == 401
    locked = visitor.sign_in("Ann")
    assert locked.status_code == 401
    assert "too many wrong passwords" in text_of(locked).lower()
    assert int(locked.headers["retry-after"]) > 1


def test_of_several_projects_one_is_named_by_its_id_or_its_name(service, ann, visitor):
    service.household.people.grant("Ann", "p2", True, None, OPERATOR)
    several = visitor.sign_in("Ann")
    assert several.status_code == 400
    assert "several projects" in text_of(several)
    assert visitor.sign_in("Ann", project="p2").status_code == 303
    assert "in p2" in text_of(visitor.get())
    assert visitor.sign_in("Ann", project="nowhere").status_code == 401


def test_another_domain_is_refused(service, ann, visitor):
    assert visitor.sign_in("Ann", domain="elsewhere").status_code == 401


def test_signing_out_takes_the_cookie_away(service, page):
    answer = page.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert page.cookie is None


def end_by_time(service):
    service.story.clock.now += SESSION_LIVES


def end_by_password(service):
    service.household.people.set_password("Ann", "another horse", OPERATOR)


def end_by_removal(service):
    service.household.people.remove_user("Ann", OPERATOR)


@pytest.mark.parametrize("end", [end_by_time, end_by_password, end_by_removal])
def test_a_session_ends_with_its_time_its_password_and_its_user(service, page, end):
    assert page.get().status_code == 200
    end(service)
    answer = page.get()
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2F&ended=1"
    assert page.cookie is None
    assert "Your session has ended" in text_of(page.get(answer.headers["location"]))


def test_a_second_before_its_end_a_session_holds(service, page):
    service.story.clock.now += SESSION_LIVES - timedelta(seconds=2)
    assert page.get().status_code == 200


def test_who_left_the_project_sees_nothing_of_it_any_more(service, page):
    service.household.people.withdraw("Ann", "p1", OPERATOR)
    answer = page.get()
    assert answer.status_code == 403
    assert "do not belong to this project" in text_of(answer)


def test_a_token_of_the_api_is_no_session_and_a_session_no_token(service, ann, page):
    user = service.house.queries.user(ann.user_id)
    now = service.story.clock()
    token = service.house.tokens.issue(ann.user_id, "p1", user.password_version, now)
    session = page.cookie
    page.cookie = token.text
    assert page.get().status_code == 303
    headers = {"X-Auth-Token": session}
    assert service.http.get("/v5/iot/p1/export-tasks", headers=headers).status_code == 401


CRITICAL = urlsafe_b64encode(b'{"alg":"HS256","crit":1}')


def test_a_cookie_that_no_library_makes_is_no_session(visitor):
    visitor.cookie = CRITICAL.decode() + ".e30.AAAA"
    assert visitor.get().status_code == 303
    assert visitor.cookie is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://localhost"}, 303),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 303),
        ({"sec-fetch-site": "same-site", "origin": "http://localhost"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost"}, 403),
        ({"sec-fetch-site": "none"}, 403),
    ],
)
def test_a_form_is_taken_from_a_page_of_the_console_alone(service, page, headers, status):
    assert page.ask("POST", "/sign-out", headers).status_code == status


def test_a_form_from_elsewhere_is_refused_and_counted(service, page):
    answer = page.ask("POST", "/sign-out", {"sec-fetch-site": "cross-site"})
    kept = service.house.side_log.singles()
    assert [each.request_id for each in kept] == [answer.headers["x-request-id"]]


def test_the_session_is_found_among_cookies_that_others_made(page, monkeypatch):
    def long(_: str) -> str:
        pytest.fail("what unquotes cookies takes the square of their length")

    monkeypatch.setattr("http.cookies._unquote", long)
    strange = 'x="' + "\\" * 60_000 + '"'
    session = f"{COOKIE}={page.cookie}"
    page.cookie = None
    assert page.get("/", cookie=strange).status_code == 303
    assert page.get("/", cookie=f"{strange}; {session}; y=z").status_code == 200


@pytest.mark.parametrize("path", ["/sign-in", "/begin?key=1"])
def test_over_plain_http_off_this_machine_there_is_no_form(service, path):
    answer = service.http.get(f"http://exports.example{path}", headers={"accept": "text/html"})
    assert answer.status_code == 403
    assert "needs TLS" in text_of(answer)
    assert "--tls-cert" in answer.text
    assert "ssh -L 8080:localhost:80 HOST" in answer.text  # where this one listens
    assert "<form" not in answer.text


def test_over_plain_http_off_this_machine_no_password_is_taken(service, ann):
    place = "http://exports.example"
    answer = service.http.post(
        f"{place}/sign-in", data={"name": "Ann", "password": PASSWORD}, headers={"origin": place}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_over_tls_anybody_may_sign_in(service, ann):
    place = "https://exports.example"
    fields, headers = {"name": "Ann", "password": PASSWORD}, {"origin": place}
    answer = service.http.post(
        f"{place}/sign-in", data=fields, headers=headers, follow_redirects=False
    )
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith(COOKIE)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.9.9.9", "[::1]:80", "a.localhost"])
def test_names_of_this_machine_are_private(service, host):
    assert service.http.get(f"http://{host}/sign-in").status_code == 200


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "evil", "https://evil", "/a\nb"]
)
def test_signing_in_leads_nowhere_else(path):
    assert local(path) == "/"


def test_signing_in_leads_to_a_path_here():
    assert local("/exports/new?before=a") == "/exports/new?before=a"


def test_there_is_no_password_to_begin_with(service, visitor):
    service.client("Bob")
    for password in ("", "admin", "password", "Bob"):
        assert visitor.sign_in("Bob", password).status_code == 401
    assert isinstance(visitor, Visitor)
