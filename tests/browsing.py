"""Debian's Chromium without a window, driven by Playwright, and a strict reader of its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

DESK = {"width": 1280, "height": 900}


# Milliseconds: a busy machine is slow, and no page is broken by that.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; without a sandbox, as tests also run as root."""
    path = shutil.which("chromium")
    assert path, "The tests need chromium: make tools"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        yield browser
        browser.close()


@dataclass
class Seen:
    """A tab on the pages below `root`, and what a strict reader would hold against them."""

    page: Page
    root: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)
        self.page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _note(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts.netloc != urlsplit(self.root).netloc:
            self.foreign.append(request.url)

    def go(self, path: str) -> None:
        """To a page, and looks at it."""
        self.page.goto(f"{self.root}{path}")
        self.look()

    def look(self) -> None:
        """At a page that is there: no complaint, no other host, no fault in its accessibility."""
        faults = [
            f"{found['id']}: {found['help']} {[node['target'] for node in found['nodes']]}"
            for found in Axe().run(self.page).response["violations"]
            if found["impact"] in ("serious", "critical")
        ]
        assert faults == []
        assert self.foreign == []
        assert self.complaints == []


@contextmanager
def tab(browser: Browser, root: str, **options: Any) -> Iterator[Seen]:
    """A tab of somebody who was never there before."""
    with browser.new_context(**{"viewport": DESK, **options}) as context:
        yield Seen(context.new_page(), root)
