"""The operators' pages in a real browser: live, by keyboard, without scripts, for all eyes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.parts import Parts
from api.settings import Settings
from domain.commands import CompleteTask, DeleteTask, Progress, SetLimits
from domain.conditions import OwnerId
from tests.browser import PASSWORD, Window, faults_of, keep_picture
from tests.busy import Busy
from tests.facts import LEASE, a_file
from tests.service import Home, eventually

BATCH = "5f433ce0c24389024365fdfa"


class Scene:
    """A running service without exporters, a day behind it, and those whom the test plays."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.parts = Parts(Settings.read(home.environment))
        self.ledger = self.parts.ledger
        ids = {}
        for name, role in (("ann", "none"), ("ben", "none"), ("olga", "operate"), ("vera", "view")):
            home.run("user", "add", name, "--project", home.project, "--admin")
            home.run("user", "password", name, "--password-stdin", given=PASSWORD)
            home.run("user", "operator", name, role)
            ids[name] = self.parts.people.user_id_of(name)
        self.ledger.set_limits(SetLimits(50, 50, 30.0, self.parts.operator()))
        owners = (OwnerId(home.project, ids[name]) for name in ("ann", "ben"))
        self.busy = Busy(self.ledger, *owners, datetime.now(UTC))
        clock = self.ledger.journal.clock
        self.busy.day()
        self.tasks = {name: task.task_id for name, task in self.busy.now().items()}
        self.ledger.journal.clock = clock
        self.service = home.serve("--exporters", "0")

    def create(self):
        """Ann asks for an export."""
        return self.busy.create(self.busy.ann, BATCH)

    def failed(self) -> str:
        """An export of Ann's that failed just now."""
        task = self.create()
        self.ledger.fail(self.busy.claim(task, "e1"), "IOTDA.014706", "Timed out.")
        return task.task_id

    def delete(self, task_id: str) -> None:
        """Ann deletes an export."""
        self.ledger.delete(DeleteTask(self.busy.ann, task_id, self.parts.operator()))


@pytest.fixture(scope="module")
def scene(browser, tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("operators"), "--project", "plant-1")
    scene = Scene(home)
    yield scene
    try:
        assert scene.service.stop() == 0
    finally:
        scene.parts.__exit__(None, None, None)
        home.close()


@pytest.fixture
def window(browser, scene):
    window = Window(browser, scene.service.endpoint)
    yield window
    window.close()


def row(page, task_id: str):
    """A task's row on the queue's page."""
    return page.locator(f"tr[data-task='{task_id}']")


def test_the_queue_is_live_without_a_reload(scene, window):
    page = window.sign_in("olga")
    page.get_by_role("link", name="Operator").click()
    page.locator(".live[data-on^='●']").wait_for(state="attached")
    page.evaluate("window.same = true")
    task = scene.create()
    row(page, task.task_id).get_by_text("an exporter", exact=True).wait_for()
    claim = scene.busy.claim(task, "exporter-of-the-test")
    row(page, task.task_id).get_by_text("exporter-of-the-test").wait_for()
    scene.ledger.progress(claim, LEASE, Progress(300, 1000, 30))
    row(page, task.task_id).get_by_text("300 of 1\u202f000 rows").wait_for()
    scene.ledger.complete(CompleteTask(claim, a_file(task, claim), 10))
    row(page, task.task_id).wait_for(state="detached")
    assert page.evaluate("window.same")
    scene.delete(task.task_id)


def test_a_failed_task_is_found_retried_and_the_new_one_deleted(scene, window):
    failed = scene.failed()
    page = window.sign_in("olga")
    page.goto("/operator/failures")
    page.get_by_role("region", name="The source could not be read").get_by_role(
        "link", name="Those that are kept"
    ).click()
    page.get_by_role("link", name=failed).click()
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("Retries", exact=True).wait_for()
    made = page.url.rpartition("/")[2]
    assert made != failed
    page.locator("#now .state.waiting").wait_for()
    page.get_by_text("Delete…").click()
    page.get_by_role("button", name="Delete this task").click()
    page.get_by_text("This task was removed").wait_for()
    assert scene.ledger.history(made)[-1].by == scene.parts.people.user_id_of("olga")
    scene.delete(failed)


def test_a_page_of_a_task_is_live_too(scene, window):
    page = window.sign_in("olga")
    task = scene.create()
    page.goto(f"/operator/tasks/{task.task_id}")
    page.locator(".live[data-on^='●']").wait_for(state="attached")
    claim = scene.busy.claim(task, "e1")
    page.locator("#now .state.running").wait_for()
    scene.ledger.fail(claim, "IOTDA.014706", "Timed out.")
    page.get_by_role("button", name="Retry").wait_for()
    scene.delete(task.task_id)
    page.get_by_text("This task was removed").wait_for()


def test_without_scripts_an_operator_finds_retries_and_deletes(scene, browser):
    failed = scene.failed()
    window = Window(browser, scene.service.endpoint, java_script_enabled=False)
    page = window.sign_in("olga")
    page.goto("/operator/tasks")
    page.get_by_label("User").fill("ann")
    page.get_by_label("Error code").fill("IOTDA.014706")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name=failed).click()
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("Delete…").click()
    page.get_by_role("button", name="Delete this task").click()
    page.get_by_text("This task was removed").wait_for()
    window.close()
    scene.delete(failed)


def tab_to(page, what: str) -> None:
    """Goes on by the Tab key until what is focused is this, by its name or its words."""
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("""() => {
            const at = document.activeElement, of = at.labels?.[0]?.innerText;
            if (at === document.body) return '';
            return of || at.getAttribute('aria-label') || at.innerText || '';
        }""")
        if what in name:
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    pytest.fail(f"{what} cannot be reached by keyboard")


def test_by_keyboard_alone(scene, window):
    failed = scene.failed()
    page = window.sign_in("olga")
    tab_to(page, "Operator")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="What waits").wait_for()
    tab_to(page, "Last day")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The last day").wait_for()
    tab_to(page, "Picture, wider")
    page.goto("/operator/tasks")
    tab_to(page, "State")
    page.keyboard.type("failed")
    tab_to(page, "Filter")
    page.keyboard.press("Enter")
    page.get_by_text("Newest first, filtered").wait_for()
    tab_to(page, failed)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{failed}")
    page.get_by_role("button", name="Retry").wait_for()
    tab_to(page, "Retry")
    page.keyboard.press("Enter")
    page.get_by_text("Retries", exact=True).wait_for()
    tab_to(page, "Delete…")
    page.keyboard.press("Enter")
    tab_to(page, "Delete this task")
    page.keyboard.press("Enter")
    page.get_by_text("This task was removed").wait_for()
    scene.delete(failed)


def test_who_only_views_sees_all_and_is_offered_nothing(scene, window):
    page = window.sign_in("vera")
    page.goto(f"/operator/tasks/{scene.tasks['failed']}")
    page.get_by_role("heading", name="What happened").wait_for()
    assert page.get_by_role("button", name="Retry").count() == 0
    assert page.get_by_text("Delete…").count() == 0


def test_an_operator_who_is_none_any_more_loses_an_open_page(scene, window):
    page = window.sign_in("vera")
    page.goto("/operator")
    page.locator(".live[data-on^='●']").wait_for(state="attached")
    scene.home.run("user", "operator", "vera", "none")
    page.get_by_text("These pages are for operators").wait_for()
    scene.home.run("user", "operator", "vera", "view")


def test_no_page_has_an_axe_violation_light_or_dark_narrow_or_wide(scene, window):
    paths = {
        "queue": "/operator",
        "hours": "/operator/hours",
        "failures": "/operator/failures",
        "tasks": "/operator/tasks",
        "filtered": "/operator/tasks?state=Failed&user=ann",
        "nothing": "/operator/tasks?project=nowhere",
        "service": "/operator/service",
        **{name: f"/operator/tasks/{task_id}" for name, task_id in scene.tasks.items()},
        "refused": "/operator/tasks?state=x",
    }
    found, page = [], window.sign_in("olga")
    for name, path in paths.items():
        page.goto(path)
        found += faults_of(page, name)
    assert found == []


def test_an_exporter_that_says_nothing_is_told_without_a_reload(scene, window):
    page = window.sign_in("olga")
    page.goto("/operator")
    page.locator(".live[data-on^='●']").wait_for(state="attached")
    task = scene.create()
    version = len(scene.ledger.history(task.task_id))
    scene.ledger.claim(task.task_id, version, "mute", 4.0, 3)
    row(page, task.task_id).locator(".state.silent").wait_for()
    eventually(lambda: "silent" in page.get_by_role("status").inner_text())
    scene.delete(task.task_id)


def test_pictures_of_the_operators_pages_show_a_busy_day_and_are_small(window, tmp_path):
    """`scripts/screenshots` keeps them in docs/images."""
    page = window.sign_in("olga")
    for name in ("", "/hours", "/failures"):
        page.goto(f"/operator{name}")
        keep_picture(page, f"operator{name.replace('/', '-')}", tmp_path)
