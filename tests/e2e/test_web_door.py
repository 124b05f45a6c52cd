"""The web door: what every answer says to browsers, and whom it believes about where a request is from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from connector.web.headers import ALWAYS
from tests.e2e.test_hostile_callers import send
from tests.running import Server, running_server

FORGED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "444",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=9.9.9.9;proto=https;host=evil.example",
}
GUEST = "8.8.8.8"
HSTS = "Strict-Transport-Security"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Behind one proxy, which the tests play."""
    with running_server(tmp_path_factory.mktemp("proxied"), TRUSTED_PROXIES="1") as running:
        yield running


def made_address(server: Server, headers: dict[str, str]) -> str:
    """Where a new webhook is, as the connector says."""
    key, _ = server.new_key()
    made = requests.post(
        f"{server.url}/api/webhooks",
        json={"name": "x", "mode": "answer"},
        headers={"X-API-Key": key, **headers},
        timeout=60,
    )
    assert made.status_code == 201, made.text
    address: str = made.json()["url"]
    return address


def signed_in(server: Server, headers: dict[str, str]) -> requests.Response:
    """The page that signs in, which gives a guest a cookie."""
    return requests.get(f"{server.url}/console/sign-in", headers=headers, timeout=60)


ANSWERS = {
    "/healthz": 200,
    "/openapi.json": 200,
    "/docs": 200,
    "/docs/start.js": 200,
    "/docs/nothing": 404,
    "/zapier/me": 401,
    "/nowhere": 404,
    "/webhooks/wh_nothing": 404,
    "/console/sign-in": 200,
    "/console/nowhere": 303,
    "/console/static/console.css": 200,
    "/api/v1/get-tiktok-profile": 405,
}
PAGES = ("/docs", "/console/sign-in")


@pytest.mark.parametrize(("path", "status"), ANSWERS.items())
def test_every_answer_has_the_security_headers(server: Server, path: str, status: int) -> None:
    """Whoever writes it: a route, an error, the viewer, the console or the embedded endpoint."""
    answer = requests.get(f"{server.url}{path}", allow_redirects=False, timeout=60)
    assert answer.status_code == status
    for name, value in ALWAYS.items():
        if path not in PAGES:
            assert answer.headers[name] == value
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in answer.headers["Content-Security-Policy"]
    assert HSTS not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Server"] == "gunicorn"


def test_what_the_web_server_refuses_has_them_too(server: Server) -> None:
    status, head, _ = send(server, b"GET / HTTP/9.9\r\nHost: x\r\n\r\n")
    assert status == 400
    assert all(f"\n{name}: {value}" in head for name, value in ALWAYS.items())


def test_forged_headers_change_nothing_without_a_proxy(server: Server) -> None:
    """Neither the addresses that are made, nor cookies, nor what browsers are told of https."""
    assert made_address(server, FORGED).startswith(f"{server.url}/webhooks/")
    page = signed_in(server, FORGED)
    assert HSTS not in page.headers
    assert page.headers["Set-Cookie"].startswith("console_guest=")
    assert "Secure" not in page.headers["Set-Cookie"]


def test_proxy_is_believed_about_https_and_nothing_else(proxied: Server) -> None:
    """The host stays the one that was asked for: who names another would choose where keys go."""
    https = proxied.url.replace("http:", "https:")
    assert made_address(proxied, FORGED).startswith(f"{https}/webhooks/")
    page = signed_in(proxied, FORGED)
    assert page.headers[HSTS] == "max-age=31536000"
    assert page.headers["Set-Cookie"].startswith("__Host-console_guest=")
    assert "; Secure" in page.headers["Set-Cookie"]


def test_only_what_the_last_proxy_says_counts(proxied: Server) -> None:
    """What stands before it in the header, the caller wrote."""
    for said, scheme in (("https, http", "http:"), ("http, https", "https:")):
        address = made_address(proxied, {"X-Forwarded-Proto": said})
        assert address.startswith(scheme)


def test_public_address_is_not_the_callers_to_choose(tmp_path: Path) -> None:
    """Nor where a request comes from: whoever could would have a limit of its own for each request."""
    settings = {"CONNECTOR_BASE_URL": "https://real.example", "RATE_LIMIT_PER_ADDRESS": "1"}
    with running_server(tmp_path, **settings) as based:
        for _ in range(2):
            made = made_address(based, {"Host": "evil.example", "X-Forwarded-For": GUEST, **FORGED})
            page = signed_in(based, {"Host": "evil.example", "X-Forwarded-For": GUEST, **FORGED})
            assert page.status_code == 200
    assert made.startswith("https://real.example/webhooks/")
    assert "evil.example" not in page.text + str(page.headers)


def test_key_is_limited_whoever_sends_it(tmp_path: Path) -> None:
    """Also in the console, where the browser sends something else in its place."""
    with running_server(tmp_path, RATE_LIMIT_PER_KEY="5") as limited, requests.Session() as browser:
        key, _ = limited.new_key()
        page = browser.get(f"{limited.url}/console/sign-in", timeout=60)
        form = re.search(r'name="form_token" value="(\w+)"', page.text)
        assert form
        entered = {"api_key": key, "form_token": form[1]}
        assert browser.post(f"{limited.url}/console/sign-in", data=entered, timeout=60).ok

        def refused(ask: Callable[[str], requests.Response], path: str) -> requests.Response:
            # A new minute may begin meanwhile, and forgives.
            answers = (ask(f"{limited.url}{path}") for _ in range(20))
            return next(answer for answer in answers if answer.status_code == 429)

        by_header = partial(requests.get, headers={"X-API-Key": key}, timeout=60)
        rows = refused(by_header, "/zapier/usage")
        shown = refused(partial(browser.get, timeout=60), "/console/usage")
    assert rows.json()["error"] == "This connector takes 5 requests a minute from one API key."
    assert "This connector takes 5 requests a minute" in shown.text
    assert int(shown.headers["Retry-After"]) <= 60


def test_address_that_the_last_proxy_saw_is_limited(tmp_path: Path) -> None:
    """On every route but the endpoint's, which has limits of its own; a person gets a page."""
    settings = {"TRUSTED_PROXIES": "1", "RATE_LIMIT_PER_ADDRESS": "3"}
    with running_server(tmp_path, **settings) as limited:

        def ask(path: str, forged: int = 0) -> requests.Response:
            said = {"X-Forwarded-For": f"1.1.1.{forged}, {GUEST}"}
            return requests.get(f"{limited.url}{path}", headers=said, timeout=60)

        def refused(path: str) -> requests.Response:
            # A new minute may begin meanwhile, and forgives.
            answers = (ask(path, number) for number in range(20))
            return next(answer for answer in answers if answer.status_code == 429)

        key, token, page = map(refused, ("/zapier/me", "/webhooks/wh_guess", "/console/sign-in"))
        assert [ask("/api/v1/get-tiktok-profile").status_code for _ in range(4)] == [405] * 4
        assert [ask("/healthz").status_code for _ in range(4)] == [200] * 4
    assert key.json()["error_code"] == token.json()["error_code"] == "rate_limited"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in (key, token, page))
