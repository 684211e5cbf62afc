"""How pages lie, in a real browser: whole words, nothing sideways, and the newest in sight."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.parts import Parts
from api.settings import Settings
from domain.conditions import OwnerId
from exporter.sources.batches import Batches
from tests.browser import NARROW, PASSWORD, WIDE, Window
from tests.busy import Busy
from tests.service import Home

LONG = "n" * 64
"""As long as a name may be, and one word."""

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])

BROKEN = """() => {
    const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text; text = texts.nextNode();) {
        for (const { 0: word, index } of text.data.matchAll(/[^\\s/?&=-]+/g)) {
            const of = text.parentElement;
            const unseen = of.closest('thead')?.offsetWidth === 1;
            if (word.length > 26 || unseen || of.closest('pre, .route')) continue;
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
            if (lines.size > 1) found.push(text.data.trim());
        }
    }
    return found;
}"""
"""The texts of a page in which a word, of those that are no long names, goes on in a new line."""


@pytest.fixture(scope="module")
def home(browser, tmp_path_factory):
    """A running service with a day behind it, of people and batch tasks with the longest names."""
    home = Home(tmp_path_factory.mktemp("layout"), "--project", "p" * 64, "--user", "olga")
    home.run("user", "password", "olga", "--password-stdin", given=PASSWORD)
    home.run("user", "operator", "olga", "operate")
    home.run("user", "add", LONG, "--project", home.project, "--admin")
    settings = Settings.read(home.environment)
    with Batches(settings.source) as batches:
        batches.generate(home.project, 10, task_type="firmwareUpgrade")
        for name in ("N" * 128, "a usual name"):
            batches.import_([b'{"task_name": "%s"}' % name.encode()], project_id=home.project)
    with Parts(settings) as parts:
        ids = [parts.people.user_id_of(name) for name in (LONG, "olga")]
        owners = (OwnerId(home.project, user_id) for user_id in ids)
        busy = Busy(parts.ledger, *owners, datetime.now(UTC))
        busy.day()
        home.tasks = {name: task.task_id for name, task in busy.now().items()}
    home.serve("--exporters", "0")
    yield home
    try:
        assert home.services[0].stop() == 0
    finally:
        home.close()


@pytest.fixture
def window(browser, home):
    window = Window(browser, home.services[0].endpoint)
    yield window
    window.close()


@pytest.fixture
def page(window):
    """Olga's, an operator's, who has exports herself."""
    return window.sign_in("olga")


@SIZES
def test_no_word_is_broken_but_in_long_names_and_no_page_is_too_wide(home, page, size):
    page.set_viewport_size(size)
    paths = ["/", "/exports/new", "/docs", "/nowhere", "/operator/service", "/operator/failures"]
    paths += ["/operator", "/operator/hours", "/operator/tasks", "/operator/tasks?user=olga"]
    paths += [f"/operator/tasks/{task_id}" for task_id in home.tasks.values()]
    paths += [f"/exports/{home.tasks[name]}" for name in ("silent", "waiting")]
    for path in paths:
        page.goto(path)
        assert (path, page.evaluate(BROKEN)) == (path, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


@SIZES
def test_a_batch_tasks_name_stands_beside_its_button(page, size):
    page.set_viewport_size(size)
    page.goto("/exports/new")
    for choice in page.locator(".choice").all():
        button = choice.locator("input").bounding_box()
        name = choice.locator("span").bounding_box()
        assert button["x"] + button["width"] <= name["x"]
        assert name["y"] <= button["y"] <= name["y"] + 24


def test_the_last_day_is_opened_at_its_end(page):
    page.set_viewport_size(NARROW)
    page.goto("/operator/hours")
    ends = "document.querySelector('.latest').getBoundingClientRect().right"
    shown = "document.querySelector('.latest > svg').getBoundingClientRect().right"
    assert abs(page.evaluate(ends) - page.evaluate(shown)) <= 1


@SIZES
def test_the_navigation_stays_where_it_is_from_page_to_page(page, size):
    page.set_viewport_size(size)
    places = set()
    for path in ("/", "/exports/new", "/operator", "/operator/tasks", "/operator/service", "/x"):
        page.goto(path)
        links = page.locator("header nav a").all()
        places.add(str([link.bounding_box() for link in links]))
        assert len({link.bounding_box()["y"] for link in links}) == 1
    assert len(places) == 1


def test_the_inputs_of_a_filter_stand_in_one_line(page):
    page.goto("/operator/tasks")
    for what in ("label", "input, select"):
        boxes = [each.bounding_box() for each in page.locator(".filter > div").locator(what).all()]
        assert len({round(box["y"] + box["height"], 1) for box in boxes}) == 1


def test_what_waits_has_no_bar(home, page):
    page.goto(f"/exports/{home.tasks['waiting']}")
    assert page.locator("progress").count() == 0
    page.goto(f"/operator/tasks/{home.tasks['running']}")
    assert page.locator("#now progress").count() == 1
