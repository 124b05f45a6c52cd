"""The get-tiktok-profile endpoint against a real database: its checks, in their order, to the letter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from profile_api import failures
from profile_api.app import REQUEST_SOURCES, create_app
from profile_api.keys import TEST_KEY, new_key
from profile_api.services import ProfileService, ServiceAnswer
from profile_api.services.embedded import EmbeddedService
from profile_api.services.http import HTTPService
from profile_api.services.samples import DOCUMENTED
from profile_api.store import Store
from tests.running import FakeUpstream, reply
from wire.http import new_session

PATH = "/api/v1/get-tiktok-profile"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
HANDLE_REQUIRED = "'handle' parameter is required and must be a non-empty string."


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 12, 0, 10, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class CountingService:
    """Counts what reaches the service, and passes it on."""

    accepts_test_key = True

    def __init__(self, service: ProfileService) -> None:
        self.service = service
        self.handles: list[str] = []

    def fetch(self, handle: str) -> ServiceAnswer:
        self.handles.append(handle)
        return self.service.fetch(handle)


class Endpoint:
    """The endpoint with its database, clock and service."""

    def __init__(self, store: Store, service: ProfileService) -> None:
        self.store, self.clock = store, Clock()
        self.service = CountingService(service)
        self.service.accepts_test_key = service.accepts_test_key
        app = create_app(store=store, service=self.service, now=self.clock.now)
        self.client: FlaskClient = app.test_client()

    def key(self, **options: Any) -> str:
        key = new_key()
        options = {"credits": 100, "rate_limit": 100, **options}
        self.store.create_key(key, name="test", now=self.clock.now(), **options)
        return key

    def post(self, key: str | None = None, body: Any = None, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Not the application's own encoder, which escapes nothing.
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(PATH, headers=headers, data=content, **options)

    def credits(self) -> list[int]:
        return [row.credits for row in self.store.list_keys()]


@pytest.fixture
def database_kind() -> str:
    """One of them: what is tried is what is answered."""
    return "sqlite"


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine)


@pytest.fixture
def endpoint(store: Store) -> Endpoint:
    return Endpoint(store, EmbeddedService(now=Clock().now, sleep=lambda _: None))


def error(response: TestResponse) -> tuple[int, str]:
    assert list(response.json) == ["error"]
    return response.status_code, response.json["error"]


def test_success_is_the_documented_answer(endpoint: Endpoint) -> None:
    """The body as the service sent it, the two headers, two credits, one line in the log."""
    response = endpoint.post(endpoint.key(), {"handle": "stoolpresidente"})
    assert (response.status_code, response.json) == (200, DOCUMENTED)
    assert list(response.json["user"]) == list(DOCUMENTED["user"])
    assert response.content_type == "application/json"
    assert response.headers["X-RateLimit-Limit"] == "100"
    assert response.headers["X-RateLimit-Remaining"] == "99"
    assert endpoint.credits() == [98]
    (line,) = endpoint.store.latest_requests(9)
    assert (line.request_source, line.status, line.credits) == ("API", 200, 2)


@pytest.mark.parametrize("source", REQUEST_SOURCES)
def test_source_is_recorded(endpoint: Endpoint, source: str) -> None:
    endpoint.post(endpoint.key(), {"handle": "someone", "requestSource": source})
    assert endpoint.store.latest_requests(1)[0].request_source == source


@pytest.mark.parametrize("source", [None, ""])
def test_source_is_api_unless_said(endpoint: Endpoint, source: object) -> None:
    """A header does not set it."""
    headers = {"Authorization": f"Bearer {endpoint.key()}", "requestSource": "ZAPIER"}
    body = {"handle": "someone", "requestSource": source}
    assert endpoint.client.post(PATH, json=body, headers=headers).status_code == 200
    assert endpoint.store.latest_requests(1)[0].request_source == "API"


@pytest.mark.parametrize(
    "source", ["zapier", "N8N", 5, 0, [], ["ZAPIER"], {"a": 1}, {}, True, False]
)
def test_unknown_source_is_refused(endpoint: Endpoint, source: object) -> None:
    response = endpoint.post(endpoint.key(), {"handle": "someone", "requestSource": source})
    assert error(response) == (400, "'requestSource' must be one of API, MAKE_DOT_COM, ZAPIER.")
    assert endpoint.service.handles == []


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer unknown", "Basic c2tfeDo=", "sk_x", "Bearer \xff\xfe"],
)
def test_key_is_checked_first(endpoint: Endpoint, header: str | None) -> None:
    """Before the body, and with no word on limits."""
    headers = {"Authorization": header} if header is not None else {}
    response = endpoint.client.post(PATH, data=b"not json", headers=headers)
    assert error(response) == (401, "API key is invalid or missing.")
    assert "X-RateLimit-Limit" not in response.headers


def test_inactive_key_is_refused_until_it_is_active_again(endpoint: Endpoint) -> None:
    key = endpoint.key()
    endpoint.store.set_active(1, active=False, now=NOW)
    assert error(endpoint.post(key, {"handle": "x"})) == (401, "API key is invalid or missing.")
    endpoint.store.set_active(1, active=True, now=NOW)
    assert endpoint.post(key, {"handle": "stoolpresidente"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Invalid JSON in request body"),
        (b"{", "Invalid JSON in request body"),
        (b"\xff", "Invalid JSON in request body"),
        (b"NaN", "Invalid JSON in request body"),
        (b"[" * 60_000, "Invalid JSON in request body"),
        (b"handle=stoolpresidente", "Invalid JSON in request body"),
        (b"null", HANDLE_REQUIRED),
        (b'["stoolpresidente"]', HANDLE_REQUIRED),
        (b"{}", HANDLE_REQUIRED),
        (b'{"handle": null}', HANDLE_REQUIRED),
        (b'{"handle": ""}', HANDLE_REQUIRED),
        (b'{"handle": " \\t "}', HANDLE_REQUIRED),
        (b'{"handle": 5}', HANDLE_REQUIRED),
        (b'{"handle": ["x"]}', HANDLE_REQUIRED),
    ],
)
def test_body_and_handle_come_before_limit_and_credits(
    endpoint: Endpoint, body: bytes, message: str
) -> None:
    """They are free and don't count, even on an exhausted key; the headers go out all the same."""
    response = endpoint.post(endpoint.key(credits=0, rate_limit=1), body)
    assert error(response) == (400, message)
    assert response.headers["X-RateLimit-Remaining"] == "1"


def test_limit_comes_before_credits(endpoint: Endpoint) -> None:
    key = endpoint.key(credits=0, rate_limit=1)
    first, second = (endpoint.post(key, {"handle": "x.y"}) for _ in range(2))
    assert error(first) == (403, "Insufficient credits. Please top up your account.")
    assert error(second) == (429, "Rate limit exceeded. Please try again later.")
    assert second.headers["Retry-After"] == "50"
    assert second.headers["X-RateLimit-Limit"] == "1"
    assert second.headers["X-RateLimit-Remaining"] == "0"
    assert endpoint.service.handles == []


def test_limit_opens_with_the_next_minute(endpoint: Endpoint) -> None:
    key = endpoint.key(rate_limit=1)
    statuses = []
    for seconds in (0, 49, 1):
        endpoint.clock.time += timedelta(seconds=seconds)
        statuses.append(endpoint.post(key, {"handle": "x.y"}).status_code)
    assert statuses == [200, 429, 200]


def test_credits_come_before_the_service(endpoint: Endpoint) -> None:
    key = endpoint.key(credits=3)
    statuses = [endpoint.post(key, {"handle": "x.y"}).status_code for _ in range(2)]
    assert statuses == [200, 403]
    assert endpoint.service.handles == ["x.y"]
    assert endpoint.credits() == [1]


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("test_unprocessable", failures.handle_not_processed()),
        ("test_issue", failures.issue_reported()),
        ("test_not_found", failures.profile_not_found("test_not_found")),
        ("test_deactivated", failures.profile_not_found("test_deactivated")),
        ("test_unconfigured", failures.service_not_configured()),
        ("test_unauthorized", failures.service_authentication_failed()),
        ("test_crash", failures.unexpected("RuntimeError")),
        ("test_down", failures.service_unavailable()),
        ("test_malformed", failures.invalid_format()),
        ("test_oversized", failures.invalid_format()),
        ("test_error", failures.service_error()),
        ("test_rate_limited", failures.service_rate_limited()),
        ("a name", failures.handle_not_processed()),
        ("ends.", failures.handle_not_processed()),
        ("x" * 25, failures.handle_not_processed()),
        ("\ud800", failures.handle_not_processed()),
    ],
    ids=lambda value: (
        value[:20].encode("ascii", "replace").decode() if isinstance(value, str) else ""
    ),
)
def test_failure_costs_nothing_and_is_logged(
    endpoint: Endpoint, handle: str, expected: failures.Failure
) -> None:
    response = endpoint.post(endpoint.key(), {"handle": handle, "requestSource": "ZAPIER"})
    assert error(response) == (expected.status, expected.message)
    assert endpoint.credits() == [100]
    (line,) = endpoint.store.latest_requests(9)
    assert (line.status, line.credits) == (expected.status, 0)


def test_documented_messages_are_to_the_letter() -> None:
    """The contract of every client; `test_errors.py` checks that they arrive."""
    assert [
        (f.status, f.message)
        for f in (
            failures.invalid_json(),
            failures.handle_required(),
            failures.handle_not_processed(),
            failures.issue_reported(),
            failures.invalid_key(),
            failures.insufficient_credits(),
            failures.profile_not_found("somebody"),
            failures.service_not_configured(),
            failures.service_authentication_failed(),
            failures.unexpected("boom"),
            failures.service_unavailable(),
            failures.invalid_format(),
            failures.service_error(),
            failures.service_rate_limited(),
            failures.key_rate_limited(1),
        )
    ] == [(status, message) for status, message, _ in _documented()]


def _documented() -> list[tuple[int, str, str]]:
    from tests.e2e.test_errors import DOCUMENTED as MESSAGES

    return MESSAGES


def test_slow_handle_answers_after_all(store: Store) -> None:
    """Its caller has given up by then, and is charged: what a timeout may cost."""
    slept: list[float] = []
    endpoint = Endpoint(store, EmbeddedService(now=Clock().now, sleep=slept.append))
    assert endpoint.post(endpoint.key(), {"handle": "test_slow"}).status_code == 200
    assert slept == [70.0]
    assert endpoint.credits() == [98]


def test_test_key_opens_sample_data_at_once(endpoint: Endpoint) -> None:
    assert endpoint.post(TEST_KEY, {"handle": "stoolpresidente"}).status_code == 200
    assert endpoint.credits() == [1_000_000 - 2]


def test_test_key_stays_off_once_an_operator_turned_it_off(endpoint: Endpoint) -> None:
    endpoint.post(TEST_KEY, {"handle": "stoolpresidente"})
    endpoint.store.set_active(1, active=False, now=NOW)
    assert endpoint.post(TEST_KEY, {"handle": "stoolpresidente"}).status_code == 401


def service_at(url: str | None, key: str | None = "service-key") -> HTTPService:
    return HTTPService(url, key, session=new_session(pool_size=2))


def test_test_key_opens_nothing_real(store: Store, upstream: FakeUpstream) -> None:
    """Neither a new one nor one that sample data left in the database."""
    Endpoint(store, EmbeddedService(now=Clock().now)).post(TEST_KEY, {"handle": "stoolpresidente"})
    endpoint = Endpoint(store, service_at(upstream.url))
    response = endpoint.post(TEST_KEY, {"handle": "stoolpresidente"})
    assert error(response) == (401, "API key is invalid or missing.")
    assert endpoint.service.handles == []


def test_service_behind_gets_handle_and_key(store: Store, upstream: FakeUpstream) -> None:
    upstream.answers("behind", reply(200, DOCUMENTED))
    endpoint = Endpoint(store, service_at(f"{upstream.url}/lookup"))
    assert endpoint.post(endpoint.key(), {"handle": "behind"}).json == DOCUMENTED
    (request,) = upstream.asked_for("behind")
    assert request.path == "/lookup"
    assert request.headers["authorization"] == "Bearer service-key"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(400, {}), failures.handle_not_processed()),
        (reply(422, {}), failures.handle_not_processed()),
        (reply(401, {}), failures.service_authentication_failed()),
        (reply(403, {}), failures.service_authentication_failed()),
        (reply(404, {}), failures.profile_not_found("judged")),
        (reply(409, {}), failures.issue_reported()),
        (reply(429, {}), failures.service_rate_limited()),
        (reply(500, {}), failures.service_error()),
        (reply(502, {}), failures.service_unavailable()),
        (reply(503, {}), failures.service_unavailable()),
        (reply(504, {}), failures.service_unavailable()),
        (reply(302, {}, {"Location": "http://127.0.0.1:9"}), failures.invalid_format()),
        (reply(204, b""), failures.invalid_format()),
        (reply(200, b"<html>"), failures.invalid_format()),
        (reply(200, []), failures.invalid_format()),
        (reply(200, {"user": {}}), failures.invalid_format()),
        (reply(200, {"user": "x"}), failures.invalid_format()),
        (reply(200, {"user": {"nickname": "x"}}), failures.invalid_format()),
        (reply(200, {"user": {"id": True, "uniqueId": [1]}}), failures.invalid_format()),
        (reply(200, {"user": {"id": "1"}, "n": [1e99] * 1_500_000}), failures.invalid_format()),
        (reply(200, {"error": "x"}), failures.issue_reported()),
        (reply(200, {"account_deactivated": True}), failures.profile_not_found("judged")),
        (reply(200, b" " * 9_000_000), failures.invalid_format()),
        (reply(200, b"[" * 100_000), failures.invalid_format()),
        (b"", failures.service_unavailable()),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", failures.service_unavailable()),
    ],
)
def test_failing_service_gives_the_documented_answer(
    store: Store, upstream: FakeUpstream, answer: bytes, expected: failures.Failure
) -> None:
    upstream.answers("judged", answer)
    endpoint = Endpoint(store, service_at(upstream.url))
    response = endpoint.post(endpoint.key(), {"handle": "judged"})
    assert error(response) == (expected.status, expected.message)
    assert endpoint.credits() == [100]


def test_text_beyond_ascii_does_not_grow(store: Store, upstream: FakeUpstream) -> None:
    """Escaped it would, past what callers read, and be charged for nothing."""
    text = json.dumps({"user": {"id": "1", "signature": "田" * 2_000_000}}, ensure_ascii=False)
    upstream.answers("long.bio", reply(200, text.encode()))
    endpoint = Endpoint(store, service_at(upstream.url))
    response = endpoint.post(endpoint.key(), {"handle": "long.bio"})
    assert response.status_code == 200
    assert len(response.data) < 1.01 * len(text.encode())


def test_key_switched_off_meanwhile_is_no_lack_of_credits(store: Store) -> None:
    """The owner should not be told to top up."""

    def switch_off(_seconds: float) -> None:
        store.set_active(1, active=False, now=NOW)

    endpoint = Endpoint(store, EmbeddedService(now=Clock().now, sleep=switch_off))
    response = endpoint.post(endpoint.key(), {"handle": "test_slow"})
    assert error(response) == (401, "API key is invalid or missing.")
    assert endpoint.credits() == [100]


def test_service_without_an_address_is_not_configured(store: Store) -> None:
    endpoint = Endpoint(store, service_at(None))
    response = endpoint.post(endpoint.key(), {"handle": "x.y"})
    assert error(response) == (500, "Service not configured. Please contact support.")


def test_service_that_is_not_there_is_unavailable(store: Store) -> None:
    endpoint = Endpoint(store, service_at("http://127.0.0.1:9/"))
    response = endpoint.post(endpoint.key(), {"handle": "x.y"})
    assert error(response) == (502, "The profile service is currently unavailable.")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", PATH, 405), ("POST", "/api/v1/other", 404)]
)
def test_other_requests_get_a_plain_error(
    endpoint: Endpoint, method: str, path: str, status: int
) -> None:
    response = endpoint.client.open(path, method=method)
    assert response.status_code == status
    assert list(response.json) == ["error"]


def test_body_over_the_limit_is_refused(endpoint: Endpoint) -> None:
    response = endpoint.post(endpoint.key(), b" " * 70_000)
    assert error(response) == (413, "Request Entity Too Large.")
