"""`/docs` in a real browser: rendered by the running server alone, and good for a real look-up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, expect

from tests.browsing import chromium, tab
from tests.documented import operations
from tests.running import Server

OPERATION = '[id="operations-zapier-zapier_get_profile"]'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_docs_show_every_operation_and_ask_nobody_else(server: Server, browser: Browser) -> None:
    """No other host, no complaint of the browser, no redirect; with or without a slash at the end."""
    document = requests.get(f"{server.url}/openapi.json", timeout=60).json()
    with tab(browser, server.url) as seen:
        seen.page.goto(f"{server.url}/docs/")
        summaries = seen.page.locator(".opblock-summary-path")
        expect(summaries).to_have_count(len(list(operations(document))), timeout=30_000)
        paths = [path.get_attribute("data-path") for path in summaries.all()]
        text = seen.page.locator("body").inner_text()
        assert (seen.foreign, seen.complaints) == ([], [])
    assert sorted(map(str, paths)) == sorted(path for _, path, _ in operations(document))
    for _, _, operation in operations(document):
        assert operation["summary"] in text


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
        expect(answer).to_contain_text('"handle": "stoolpresidente"', timeout=30_000)
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
