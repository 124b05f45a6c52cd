"""`/docs` in a real browser: rendered by the running server alone, and good for a real look-up."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.browsing import Page, open_page
from tests.documented import operations
from tests.running import Server

OPERATION = '[id="operations-zapier-zapier_get_profile"]'
# React listens to its own setter; this is what a keystroke ends in.
TYPE_IN = """((input, text) => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
  input.dispatchEvent(new Event("input", {bubbles: true}));
})"""


def click(page: Page, selector: str) -> None:
    page.wait_for(f"!!document.querySelector('{selector}')")
    page.evaluate(f"document.querySelector('{selector}').click()")


def test_docs_show_every_operation_and_ask_nobody_else(server: Server, tmp_path: Path) -> None:
    """No other host, no complaint of the browser, no redirect; with or without a slash at the end."""
    document = requests.get(f"{server.url}/openapi.json", timeout=60).json()
    with open_page(f"{server.url}/docs/", tmp_path) as page:
        paths = page.wait_for(
            "(found => found.length && [...found].map(e => e.dataset.path))"
            "(document.querySelectorAll('.opblock-summary-path'))"
        )
        text = page.evaluate("document.body.innerText")
        loaded = page.evaluate("performance.getEntries().map(entry => entry.name)")
    assert sorted(paths) == sorted(path for _, path, _ in operations(document))
    assert "/zapier/actions/get_profile" in paths
    for _, _, operation in operations(document):
        assert operation["summary"] in text
    hosts = {urlsplit(url).netloc for url in page.requested if not url.startswith("data:")}
    assert hosts == {urlsplit(server.url).netloc}
    assert f"{server.url}/docs/swagger-ui-bundle.js" in loaded
    assert page.complaints == []


def test_docs_try_a_real_look_up(server: Server, tmp_path: Path) -> None:
    """A person pastes the test key, presses Execute, and sees the row."""
    with open_page(f"{server.url}/docs", tmp_path) as page:
        click(page, ".auth-wrapper .authorize")
        page.wait_for("!!document.querySelector('.auth-container input')")
        field = "document.querySelector('.auth-container input')"
        page.evaluate(f"{TYPE_IN}({field}, 'sk_test_demo')")
        click(page, ".auth-btn-wrapper .authorize")
        click(page, ".auth-btn-wrapper .btn-done")
        click(page, f"{OPERATION} .opblock-summary-control")
        click(page, f"{OPERATION} .try-out__btn")
        click(page, f"{OPERATION} .execute")
        answer = page.wait_for(
            f"""(shown => shown && shown.innerText)
            (document.querySelector('{OPERATION} .live-responses-table .response'))"""
        )
    assert answer.startswith("200")
    assert '"handle": "stoolpresidente"' in answer
    assert "x-request-id" in answer
    assert page.complaints == []


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
