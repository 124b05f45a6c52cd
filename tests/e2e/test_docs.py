"""`/docs` in a real browser: rendered by the running server alone, and good for a real look-up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browsing import chromium, tab
from tests.documented import operations
from tests.running import Server

OPERATION = '[id="operations-zapier-zapier_get_profile"]'

IN_SIGHT = """() => [...document.querySelectorAll(".opblock")].map(each => [
  each.querySelector(".opblock-summary-method").innerText.toLowerCase(),
  each.querySelector(".opblock-summary-path").dataset.path,
  each.querySelector(".opblock-summary-description").innerText,
])"""
# Two frames later what came into sight is there.
SCROLLED = """async () => {
  const before = window.scrollY;
  window.scrollBy(0, window.innerHeight / 2);
  for (const _ of "12") await new Promise(requestAnimationFrame);
  return window.scrollY > before;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_docs_show_every_operation_and_ask_nobody_else(server: Server, browser: Browser) -> None:
    """No other host, no complaint of the browser, no redirect; with or without a slash at the end."""
    document = requests.get(f"{server.url}/openapi.json", timeout=60).json()
    wanted = {(method, path, told["summary"]) for method, path, told in operations(document)}
    with tab(browser, server.url) as seen:
        seen.page.goto(f"{server.url}/docs/")
        expect(seen.page.locator(".opblock-summary-path").first).to_be_visible()
        shown = set(read_down(seen.page))
        assert (seen.foreign, seen.complaints) == ([], [])
    assert shown == wanted


def read_down(page: Page) -> Iterator[tuple[str, str, str]]:
    """What is in sight, screen by screen to the end: of so many operations, no more is ever there."""
    below = True
    while below:
        yield from (tuple(row) for row in page.evaluate(IN_SIGHT))
        below = page.evaluate(SCROLLED)


def test_docs_try_a_real_look_up(server: Server, browser: Browser) -> None:
    """A person pastes the test key, presses Execute, and sees the row."""
    with tab(browser, server.url) as seen:
        page = seen.page
        page.goto(f"{server.url}/docs")
        page.locator(".auth-wrapper .authorize").click()
        page.locator(".auth-container input").first.fill("sk_test_demo")
        page.locator(".auth-btn-wrapper .authorize").first.click()
        page.locator(".auth-btn-wrapper .btn-done").first.click()
        operation = page.locator(OPERATION)
        operation.locator(".opblock-summary-control").click()
        operation.locator(".try-out__btn").click()
        operation.locator(".execute").click()
        answer = operation.locator(".live-responses-table .response")
        expect(answer).to_contain_text('"handle": "stoolpresidente"')
        expect(answer).to_contain_text("x-request-id")
        assert answer.inner_text().startswith("200")
        assert seen.complaints == []


def test_docs_trust_nobody_else(server: Server) -> None:
    """The browser itself would refuse another host's script, and ours in the page's text."""
    response = requests.get(f"{server.url}/docs", timeout=60)
    policy = dict(
        part.strip().split(" ", 1)
        for part in response.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "//" not in response.text
    assert not response.history
