"""The console in a real browser: with and without scripts, by keyboard, in twelve tabs, live."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.console.assets import address
from tests.browser import (
    NARROW,
    PASSWORD,
    SOON,
    WIDE,
    Window,
    faults_of,
    keep_picture,
)
from tests.gated import Gated
from tests.ports import kept_port
from tests.service import Home, Service, eventually

LEASE = 4
ALL_NEWS = 1_000
"""Milliseconds in which a page has asked for what the last news were about."""


@pytest.fixture(scope="module")
def home(browser, database, tmp_path_factory):
    """A running service with two API processes, a long batch task and a short one."""
    source = Gated(database)
    folder, how = tmp_path_factory.mktemp("console"), {"lease": f"{LEASE}s", "source": source.url}
    home = Home(folder, "--project", "plant-1", **how)
    home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
    home.run("limits", "set", "--download-interval", "2s")
    home.source = source
    home.service = home.serve("--workers", "2")
    yield home
    try:
        assert home.service.stop() == 0
    finally:
        home.close()
        source.close()


@pytest.fixture
def clean(home):
    """No exports of the tests before."""
    yield
    home.source.open()
    for line in home.run("task", "list").splitlines()[1:]:
        home.run("task", "delete", line.split()[0])


@pytest.fixture
def window(browser, home, clean):
    window = Window(browser, home.service.endpoint)
    yield window
    window.close()


def until(page, script: str) -> None:
    """Waits for something in a page, whose policy lets Playwright wait for nothing in it."""
    eventually(lambda: page.evaluate(script))


def create(page, batch: str) -> str:
    """Creates an export by the form; its id."""
    page.goto("/exports/new")
    page.locator(f"input[value='{batch}']").check()
    page.get_by_role("button", name="Create the export").click()
    page.wait_for_url(re.compile(r"/exports/[0-9a-f]{24}$"))
    return page.url.rpartition("/")[2]


def created_ready(page, batch: str) -> str:
    task_id = create(page, batch)
    page.locator("#now .state.ready").wait_for()
    return task_id


def may_download(page) -> bool:
    """Is the interval since the download of the test before over?"""
    return page.get_by_text("The next download is possible").count() == 0


def kill_exporter(home) -> int:
    """Its successor's pid, which stands still."""
    (killed,) = home.service.pids("exporter")
    os.kill(killed, signal.SIGKILL)
    (successor,) = eventually(lambda: home.service.pids("exporter") - {killed})
    os.kill(successor, signal.SIGSTOP)
    return successor


def test_from_the_link_that_serve_prints_to_a_first_page(browser, tmp_path):
    kept = {name: value for name, value in os.environ.items() if "EXPORT_TASKS" not in name}
    place = {**kept, "EXPORT_TASKS_HOME": str(tmp_path / "home")}
    service = Service(SimpleNamespace(folder=tmp_path, environment=place), "serve", "--port", "0")
    try:
        link = eventually(lambda: service._said(r"(http[^\s\"]+/begin\?[^\s\"]+)"))
        window = Window(browser, service.endpoint)
        page = window.tab(link)
        page.get_by_label("Your user name").fill("ada")
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.get_by_label("The same password again").fill(PASSWORD)
        page.get_by_role("button").click()
        page.get_by_role("heading", name="You are in").wait_for()
        page.get_by_role("link", name="To my exports").click()
        page.get_by_text("Create your first export").wait_for()
        assert page.locator("header").inner_text().count("ada in plant-1") == 1
        page.goto(link)
        page.get_by_role("heading", name="This link is dead").wait_for()
        window.close()
        assert service.stop() == 0
    finally:
        if service.process.poll() is None:
            service.kill_everything()


def test_created_watched_downloaded_and_deleted(home, window):
    page = window.sign_in("admin")
    home.source.shut()
    task_id = create(page, home.source.long)
    page.locator("#now .state.running").wait_for()
    until(page, "document.querySelector('#now progress').value > 10")
    milestones = page.get_by_role("status")
    home.source.open()
    until(page, "/percent|ready/.test(document.getElementById('announce').textContent)")
    page.locator("#now .state.ready").wait_for()
    until(page, "/ready$/.test(document.getElementById('announce').textContent)")
    assert milestones.count() == 1
    eventually(lambda: may_download(page))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith(task_id)
    assert Path(download.value.path()).read_bytes()[:8] == bytes.fromhex("d0cf11e0a1b11ae1")
    page.get_by_text("Downloaded", exact=True).wait_for()
    page.get_by_text("Delete…").click()
    page.get_by_role("button", name="Delete this export").click()
    page.get_by_text("Nothing is here yet").wait_for()
    page.goto(f"/exports/{task_id}")
    page.get_by_role("heading", name="This export is gone").wait_for()


def test_the_list_is_live(home, window):
    page, other = window.sign_in("admin"), window.tab()
    home.source.shut()
    task_id = create(other, home.source.long)
    row = page.locator(f"tr[data-task='{task_id}']")
    row.locator(".state.running").wait_for()
    until(page, f"document.querySelector('[data-task=\"{task_id}\"] progress').value > 20")
    home.source.open()
    row.locator(".state.ready").wait_for()
    other.get_by_text("Delete…").click()
    other.get_by_role("button", name="Delete this export").click()
    row.wait_for(state="detached")


def test_an_exporter_killed_at_half_is_told_within_a_lease_and_the_export_goes_on(home, window):
    page = window.sign_in("admin")
    home.source.shut()
    create(page, home.source.long)
    until(page, "document.querySelector('#now progress')?.value > 30")
    successor = kill_exporter(home)
    page.locator("#now .state.silent").wait_for()
    assert page.get_by_text("Taken over by").count() == 0  # what a lease of silence is before
    until(page, "/silent$/.test(document.getElementById('announce').textContent)")
    os.kill(successor, signal.SIGCONT)
    page.locator("#now .state.running").wait_for()
    page.get_by_text("Taken over by").wait_for()
    home.source.open()
    page.locator("#now .state.ready").wait_for(timeout=2 * SOON)
    waited = re.search(r"waiting (\d+) s", page.locator("#timeline").inner_text())
    assert waited
    assert int(waited[1]) >= LEASE


def test_without_scripts_everything_works_by_forms_links_and_reloads(browser, home, clean):
    window = Window(browser, home.service.endpoint, java_script_enabled=False)
    page = window.sign_in("admin")
    page.get_by_label("State").select_option("Failed")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("No export fits this").wait_for()
    create(page, home.source.short)

    def is_ready() -> bool:
        page.get_by_role("link", name="Reload").click()
        return page.locator("#now .state.ready").count() == 1 and may_download(page)

    eventually(is_ready)
    with page.expect_download():
        page.get_by_role("link", name="Download").click()
    page.goto("/")
    assert page.locator("tr .state.ready").count() == 1
    page.locator("tbody th a").click()
    page.get_by_text("Delete…").click()
    page.get_by_role("button", name="Delete this export").click()
    page.get_by_text("Nothing is here yet").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    window.close()


def tab_to(page, what: str) -> None:
    """Goes on by the Tab key until what is focused is this, by its name or its words."""
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("""() => {
            const at = document.activeElement;
            const words = at.getAttribute('aria-label') ?? at.innerText ?? '';
            return words || at.labels?.[0]?.innerText || at.name || '';
        }""")
        if what in name:
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    pytest.fail(f"{what} cannot be reached by keyboard")


def test_by_keyboard_alone(home, window):
    page = window.tab("/")
    page.locator("#name:focus").wait_for()  # by itself
    page.keyboard.type("admin")
    tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="My exports").wait_for()
    tab_to(page, "To the content")
    tab_to(page, "New export")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="New export").wait_for()
    tab_to(page, "made up")
    while page.evaluate("document.activeElement.value") != home.source.short:
        page.keyboard.press("ArrowDown")
    tab_to(page, "Create the export")
    page.keyboard.press("Enter")
    page.locator("#now .state.ready").wait_for()
    eventually(lambda: may_download(page))
    tab_to(page, "Download")
    with page.expect_download():
        page.keyboard.press("Enter")
    page.get_by_text("Downloaded", exact=True).wait_for()
    tab_to(page, "Delete…")
    page.keyboard.press("Enter")
    tab_to(page, "Delete this export")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing is here yet").wait_for()


def test_the_focus_stays_where_it_is_when_parts_are_made_anew(home, window):
    page, other = window.sign_in("admin"), window.tab()
    task_id = created_ready(other, home.source.short)
    link = page.locator(f"#get-{task_id}")
    link.focus()
    newer = created_ready(other, home.source.short)
    page.locator(f"tr[data-task='{newer}'] .state.ready").wait_for()
    assert page.evaluate("document.activeElement.id") == f"get-{task_id}"


def test_twelve_tabs_are_all_live_on_one_stream(home, window):
    first = window.sign_in("admin")
    tabs = [first, *(window.tab("/") for _ in range(11))]
    for tab in tabs:
        tab.locator(".live[data-on^='●']").wait_for(state="attached")
    other = window.tab()
    task_id = create(other, home.source.short)
    for tab in tabs:
        tab.locator(f"tr[data-task='{task_id}'] .state.ready").wait_for()


def test_signing_out_in_one_tab_ends_the_others(window):
    page, other = window.sign_in("admin"), window.tab("/")
    other.locator(".live[data-on^='●']").wait_for(state="attached")
    page.get_by_role("button", name="Sign out").click()
    other.get_by_role("heading", name="Sign in").wait_for()


def test_another_password_ends_an_open_page(browser, home, clean):
    home.run("user", "add", "eve", "--project", home.project, "--admin")
    home.run("user", "password", "eve", "--password-stdin", given=PASSWORD)
    window = Window(browser, home.service.endpoint)
    page = window.sign_in("eve")
    page.locator(".live[data-on^='●']").wait_for(state="attached")
    home.run("user", "password", "eve", "--password-stdin", given="another horse")
    page.get_by_text("Your session has ended").wait_for()
    window.close()


def test_without_shared_workers_a_tab_that_is_seen_is_live(home, window):
    window.context.add_init_script("delete window.SharedWorker")
    page = window.sign_in("admin")
    page.locator(".live[data-on^='●']").wait_for(state="attached")
    other = window.tab()
    task_id = create(other, home.source.short)
    page.bring_to_front()
    page.locator(f"tr[data-task='{task_id}'] .state.ready").wait_for()


def test_a_stream_that_a_proxy_refused_is_asked_for_again(home, window):
    window.context.add_init_script("delete window.SharedWorker")
    window.context.route("**/live?*", lambda route: route.fulfill(status=502))
    page = window.sign_in("admin")
    page.locator(".live[data-on*='Connection lost']").wait_for(state="attached")
    window.context.unroute("**/live?*")
    page.locator(".live[data-on^='●']").wait_for(state="attached")
    window.troubles = [each for each in window.troubles if "502" not in each]


def test_parts_that_could_not_be_made_anew_are_asked_for_again_without_news(home, window):
    page, refused = window.sign_in("admin"), []
    page.locator(".live[data-on^='●']").wait_for(state="attached")

    def refuse(route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=503)

    page.route(home.service.endpoint + "/", refuse)
    task_id = create(window.tab(), home.source.short)
    show = ("task", "show", task_id, "--json")
    eventually(lambda: json.loads(home.run(*show))["status"] == "Success")
    page.wait_for_timeout(2 * ALL_NEWS)
    told = len(refused)
    eventually(lambda: page.evaluate("1") and len(refused) > told)
    page.unroute(home.service.endpoint + "/")
    page.locator(f"tr[data-task='{task_id}'] .state.ready").wait_for()


COUNTED = """() => {
    window.made = [];
    EventSource = class extends EventSource { constructor(url) { super(url); made.push(this); } };
}"""
JOINED = """() => {
    const { port1, port2 } = new MessageChannel();
    onconnect({ ports: [port2] });
    port1.postMessage({ after: 0, news: "/live" });
    (window.tabs ??= []).push(port1);
}"""


def test_a_tab_that_comes_while_a_stream_is_to_be_asked_for_again_shares_the_one(window):
    """The worker's script, run by a page, whose clock and requests are in the test's hands."""
    window.sign_in("admin")
    window.context.route("**/live?*", lambda route: route.fulfill(status=502))
    page = window.tab("/exports/new")  # which has no stream
    page.clock.install()
    page.evaluate(COUNTED)
    page.add_script_tag(url=address("stream.js"))
    page.evaluate(JOINED)
    until(page, "made[0]?.readyState === EventSource.CLOSED")
    window.context.unroute("**/live?*")
    page.evaluate(JOINED)
    until(page, "made[1]?.readyState === EventSource.OPEN")
    page.clock.run_for(60_000)
    assert page.evaluate("made.length") == 2
    page.evaluate("tabs.forEach((each) => each.postMessage({ leave: true }))")
    until(page, "made.every((each) => each.readyState === EventSource.CLOSED)")
    window.troubles = [each for each in window.troubles if "502" not in each]


@contextmanager
def every_page_of(home, page):
    """Paths of every kind of page, with an export of every kind, for who is signed in."""
    ready = created_ready(page, home.source.short)
    gone = created_ready(page, home.source.short)
    page.get_by_text("Delete…").click()
    page.get_by_role("button", name="Delete this export").click()
    page.goto("/exports/new")
    page.get_by_text("Another one, by its id").click()
    page.get_by_label("Batch task id").fill("dead")
    page.get_by_role("button", name="Create the export").click()
    page.locator("#now .state.failed").wait_for()
    failed = page.url.rpartition("/")[2]
    home.source.shut()
    running = create(page, home.source.long)
    page.locator("#now .state.running").wait_for()
    until(page, "document.querySelector('#now progress')?.value > 20")
    yield {
        "exports": "/",
        "nothing": "/?state=Success&app=default",
        "new": "/exports/new",
        "running": f"/exports/{running}",
        "ready": f"/exports/{ready}",
        "failed": f"/exports/{failed}",
        "gone": f"/exports/{gone}",
        "refused": "/exports/0",
        "nowhere": "/nowhere",
        "sign-in": "/sign-in?ended=1",
        "dead-link": "/begin?key=0",
    }


def test_no_page_has_an_axe_violation_light_or_dark_narrow_or_wide(home, window):
    found, page = [], window.sign_in("admin")
    with every_page_of(home, page) as paths:
        for name, path in paths.items():
            page.goto(path)
            found += faults_of(page, name)
    assert found == []


def test_pictures_of_the_console_show_it_at_work_and_are_small(browser, database, tmp_path):
    """`scripts/screenshots` keeps them in docs/images."""
    names = ("Meters of hall 3: firmware 2.2.0", "All meters: firmware 2.2.1")
    source = Gated(database, 2_400, names)
    how = {"lease": "20s", "source": source.url}
    home = Home(tmp_path, "--project", "plant-1", "--user", "ada", **how)
    home.source = source
    try:
        home.run("user", "password", "ada", "--password-stdin", given=PASSWORD)
        home.run("app", "add", "line-2", "--project", "plant-1")
        window = Window(browser, home.serve().endpoint)
        page = window.sign_in("ada")
        with every_page_of(home, page) as paths:
            for name, path, scheme, size in (
                ("exports", "exports", "light", WIDE),
                ("exports-dark", "exports", "dark", WIDE),
                ("exports-narrow", "exports", "light", NARROW),
                ("export", "running", "light", WIDE),
                ("failed", "failed", "light", WIDE),
                ("new", "new", "light", WIDE),
                ("sign-in", "sign-in", "light", WIDE),
            ):
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size(size)
                page.goto(paths[path])
                if path in ("exports", "running", "failed"):
                    page.locator(".live[data-on^='●']").wait_for(state="attached")
                keep_picture(page, name, tmp_path)
        window.close()
    finally:
        home.close()
        source.close()


def test_a_service_that_stops_takes_leave_of_its_streams(browser, tmp_path):
    home = Home(tmp_path)
    try:
        home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
        port = kept_port(home)
        service = home.serve(port=port)
        window = Window(browser, service.endpoint)
        page = window.sign_in("admin")
        page.locator(".live[data-on^='●']").wait_for(state="attached")
        assert service.stop() == 0
        page.locator(".live[data-on*='Connection lost']").wait_for(state="attached")
        assert page.get_by_role("status").inner_text() == "Connection lost, trying again"
        heading = page.get_by_role("heading", name="My exports").bounding_box()
        mark = page.locator(".live").bounding_box()
        assert abs(heading["y"] - mark["y"]) < heading["height"]
        home.serve(port=port)
        page.locator(".live[data-on^='●']").wait_for(state="attached")
        window.troubles = [each for each in window.troubles if "ERR_CONNECTION" not in each]
        window.close()
    finally:
        home.close()
