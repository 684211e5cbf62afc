"""Browser: a real one, if the machine has it, that tells whatever went wrong in it."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

PASSWORD = "correct horse"
SOON = 60_000
"""How long whatever should happen may take, in milliseconds."""

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}

PICTURE_MOST = 150_000
"""How large a picture for the documents may be, in bytes."""


def keep_picture(page: Page, name: str, elsewhere: Path) -> None:
    """Makes a picture of a page: in the folder that SCREENSHOTS names, if it names one."""
    picture = Path(os.environ.get("SCREENSHOTS") or elsewhere) / f"console-{name}.png"
    page.screenshot(path=picture)
    assert picture.stat().st_size < PICTURE_MOST


def faults_of(page: Page, name: str) -> list[str]:
    """What axe finds wrong with the page that is shown, all of it unfolded, light and dark, narrow
    and wide; and where it scrolls sideways.
    """
    from axe_playwright_python.sync_playwright import Axe

    axe, found = Axe(), []
    for each in page.locator("details").all():
        each.evaluate("each => each.open = true")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            where = f"{name}, {scheme}, {size['width']} px"
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > size["width"]:
                found.append(f"{where}: is {wide} px wide")
            result = axe.run(page)
            if result.violations_count:
                found.append(f"{where}: {result.generate_report()}")
    return found


def program() -> str | None:
    """Where the browser is: `CHROMIUM`, or what is installed under one of its names."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Starts it, or skips the test."""
    path = program()
    if path is None:
        pytest.skip("there is no Chromium: apt install chromium, or name one in CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A browser of its own: its cookies, its tabs, and what went wrong in any of them."""

    def __init__(self, browser: Browser, endpoint: str, **how: Any) -> None:
        self.endpoint = endpoint
        self.troubles: list[str] = []
        how = {"viewport": WIDE, "reduced_motion": "reduce", **how}
        self.context: BrowserContext = browser.new_context(base_url=endpoint, **how)
        self.context.set_default_timeout(SOON)
        self.context.on("request", self._requested)
        self.context.on("weberror", lambda error: self.troubles.append(str(error.error)))
        self.context.on("console", self._said)

    def tab(self, path: str | None = None) -> Page:
        """A new tab, perhaps at a path."""
        page = self.context.new_page()
        if path:
            page.goto(path)
        return page

    def sign_in(self, name: str, password: str = PASSWORD) -> Page:
        """A tab in which somebody has signed in, at the list of exports."""
        page = self.tab("/")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="My exports").wait_for()
        return page

    def close(self) -> None:
        """Ends it; fails where anything went wrong."""
        self.context.close()
        assert self.troubles == []

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.endpoint, "data:")):
            self.troubles.append(f"asked elsewhere: {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        # The browser tells of every page that is a refusal, and so should not be told of here.
        if "Failed to load resource" in message.text and self._is_page(message.location["url"]):
            return
        self.troubles.append(f"{message.text} ({message.location['url']})")

    def _is_page(self, url: str) -> bool:
        return "/static/" not in url and "/live" not in url
