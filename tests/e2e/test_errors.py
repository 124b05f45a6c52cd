"""Every documented failure, through every platform, over real HTTP."""

from __future__ import annotations

import json
import re

import pytest
import requests

from connector.domain import errors
from connector.web.errors import STATUSES
from profile_api.services.embedded import RESERVED, SLOW_HANDLE
from schemas.errors import ErrorBody
from schemas.fields import declared_fields
from tests.e2e.test_get_profile import get_profile
from tests.running import PLATFORM_SOURCES, FakeUpstream, Server, reply

platforms = pytest.mark.parametrize("platform", PLATFORM_SOURCES)

# The document's own messages, with the status they come with and the code that stands for them.
DOCUMENTED = [
    (400, "Invalid JSON in request body", "invalid_handle"),
    (400, "'handle' parameter is required and must be a non-empty string.", "invalid_handle"),
    (400, "The profile service could not process the handle.", "invalid_handle"),
    (400, "The profile service reported an issue.", "invalid_handle"),
    (401, "API key is invalid or missing.", "invalid_api_key"),
    (403, "Insufficient credits. Please top up your account.", "insufficient_credits"),
    (404, "TikTok profile not found for handle: somebody", "profile_not_found"),
    (500, "Service not configured. Please contact support.", "upstream_unavailable"),
    (500, "Service authentication failed. Please contact support.", "upstream_unavailable"),
    (
        500,
        "An unexpected server error occurred while fetching the TikTok profile: boom",
        "upstream_unavailable",
    ),
    (502, "The profile service is currently unavailable.", "upstream_unavailable"),
    (502, "Received invalid data format from profile service.", "upstream_unavailable"),
    (502, "Error fetching profile data from the upstream service.", "upstream_unavailable"),
    (
        503,
        "Rate limit exceeded with the profile service. Please try again later.",
        "rate_limited",
    ),
    (429, "Rate limit exceeded. Please try again later.", "rate_limited"),
]
STATUS_OF = {kind.code: status for kind, status in STATUSES.items()}


def check_body(response: requests.Response) -> None:
    body = response.json()
    assert list(body) == list(declared_fields(ErrorBody))
    assert all(isinstance(body[name], str) and body[name] for name in body if name != "retryable")
    assert isinstance(body["retryable"], bool)
    assert body["request_id"] == response.headers["X-Request-ID"]


@platforms
@pytest.mark.parametrize(
    ("status", "message", "code"), DOCUMENTED, ids=[message[:30] for _, message, _ in DOCUMENTED]
)
def test_documented_message_reaches_the_caller(
    front: Server, upstream: FakeUpstream, platform: str, status: int, message: str, code: str
) -> None:
    """Word for word, under the status and code that say what to do about it."""
    handle = f"documented{DOCUMENTED.index((status, message, code))}"
    upstream.answers(handle, reply(status, {"error": message}))
    response = get_profile(front, platform, handle, "sk_any")
    body = response.json()
    check_body(response)
    assert (body["error"], body["error_code"]) == (message, code)
    assert response.status_code == STATUS_OF[code]
    assert response.headers.get("Retry-After") == ("60" if code == "rate_limited" else None)
    assert {r.body["requestSource"] for r in upstream.asked_for(handle)} >= {
        PLATFORM_SOURCES[platform]
    }


RESERVED_OUTCOMES = {
    "test_not_found": (404, "profile_not_found", "TikTok profile not found for handle: "),
    "test_deactivated": (404, "profile_not_found", "TikTok profile not found for handle: "),
    "test_unprocessable": (400, "invalid_handle", DOCUMENTED[2][1]),
    "test_issue": (400, "invalid_handle", DOCUMENTED[3][1]),
    "test_rate_limited": (429, "rate_limited", DOCUMENTED[13][1]),
    "test_down": (502, "upstream_unavailable", DOCUMENTED[10][1]),
    "test_error": (502, "upstream_unavailable", DOCUMENTED[12][1]),
    "test_malformed": (502, "upstream_unavailable", DOCUMENTED[11][1]),
    "test_oversized": (502, "upstream_unavailable", DOCUMENTED[11][1]),
    "test_unauthorized": (502, "upstream_unavailable", DOCUMENTED[8][1]),
    "test_unconfigured": (502, "upstream_unavailable", DOCUMENTED[7][1]),
    "test_crash": (502, "upstream_unavailable", "An unexpected server error occurred while "),
}
SLOW_OUTCOME = (504, "upstream_timeout", "The profile API did not answer within 2 seconds.")


def test_every_reserved_handle_is_tried() -> None:
    assert set(RESERVED_OUTCOMES) == set(RESERVED)


@platforms
@pytest.mark.parametrize("handle", RESERVED_OUTCOMES)
def test_reserved_handle_fails_as_documented(server: Server, platform: str, handle: str) -> None:
    """A builder can see each failure on purpose, and pays for none of them."""
    check_failure(server, platform, handle, RESERVED_OUTCOMES[handle])


@platforms
def test_slow_handle_fails_as_documented(hasty_server: Server, platform: str) -> None:
    check_failure(hasty_server, platform, SLOW_HANDLE, SLOW_OUTCOME)


def check_failure(
    server: Server, platform: str, handle: str, outcome: tuple[int, str, str]
) -> None:
    key, key_id = server.new_key(credits=2)
    response = get_profile(server, platform, handle, key)
    status, code, start = outcome
    check_body(response)
    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert response.json()["error"].startswith(start)
    assert server.credits_of(key_id) == 2


@platforms
@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic abc"}, {"X-API-Key": "no such"}])
def test_missing_key_is_refused_unasked(
    front: Server, upstream: FakeUpstream, platform: str, header: dict[str, str]
) -> None:
    """Without a usable key nothing goes upstream."""
    before = len(upstream.received)
    for path in ("me", "searches/find_profile?handle=x"):
        response = requests.get(f"{front.url}/{platform}/{path}", headers=header, timeout=60)
        check_body(response)
        assert (response.status_code, response.json()["error_code"]) == (401, "invalid_api_key")
    assert len(upstream.received) == before


@platforms
def test_bad_key_is_told_from_an_empty_account(server: Server, platform: str) -> None:
    """A 403 is never called a bad key."""
    empty, _ = server.new_key(credits=1)
    refused = get_profile(server, platform, "stoolpresidente", "sk_unknown")
    poor = get_profile(server, platform, "stoolpresidente", empty)
    me = requests.get(
        f"{server.url}/{platform}/me", headers={"X-API-Key": "sk_unknown"}, timeout=60
    )
    assert [r.json()["error_code"] for r in (refused, me)] == ["invalid_api_key"] * 2
    assert poor.json()["error_code"] == "insufficient_credits"
    assert [r.status_code for r in (refused, poor, me)] == [401, 403, 401]


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (b'{"handle": ', "The request body is not valid JSON."),
        (b'{"handle": NaN}', "The request body is not valid JSON."),
        (b"[" * 100_000, "The request body is not valid JSON."),
        (b"\xff\xfe", "The request body is not valid JSON."),
        (b'["stoolpresidente"]', "The request body must be a JSON object."),
        (b"{}", "handle: "),
        (b"", "handle: "),
        (b'{"handle": null}', "handle: "),
        (b'{"handle": ["a"]}', "handle: "),
        (b'{"handle": true}', "handle: "),
        (b'{"handle": " @ "}', "The handle is empty."),
        (b"\x0c", "The request body is not valid JSON."),
        (b'{"handle": "a b"}', "The handle holds white space"),
        (b'{"handle": "\\ud800"}', None),
        (b'{"handle": "https://vm.tiktok.com/ZM123/"}', "Short links hide the name."),
        (b'{"handle": 6659752019493208069}', "This is a user id, not a handle."),
    ],
)
def test_bad_input_is_named(server: Server, body: bytes, start: str | None) -> None:
    """A sentence that says what is wrong, and nothing charged."""
    key, key_id = server.new_key(credits=2)
    response = requests.post(
        f"{server.url}/make/actions/get_profile",
        data=body,
        headers={"X-API-Key": key, "Content-Type": "application/json"},
        timeout=60,
    )
    check_body(response)
    assert response.status_code == 400
    assert start is None or response.json()["error"].startswith(start)
    assert server.credits_of(key_id) == 2


def test_number_from_a_spreadsheet_is_a_handle(server: Server) -> None:
    key, _ = server.new_key()
    response = requests.post(
        f"{server.url}/zapier/actions/get_profile",
        json={"handle": 12345},
        headers={"X-API-Key": key},
        timeout=60,
    )
    assert response.json()["handle"] == "12345"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/n8n/me", 404, "not_found"),
        ("GET", "/zapier/actions/get_profile", 405, "method_not_allowed"),
        ("PUT", "/make/me", 405, "method_not_allowed"),
        ("PUT", "/zapier/searches/find_profile", 405, "method_not_allowed"),
    ],
)
def test_wrong_address_gets_the_same_body(
    server: Server, method: str, path: str, status: int, code: str
) -> None:
    response = requests.request(method, server.url + path, timeout=60)
    check_body(response)
    assert (response.status_code, response.json()["error_code"]) == (status, code)


def test_head_of_a_search_costs_nothing(server: Server) -> None:
    """A look-up without its row would be paid for in vain."""
    key, key_id = server.new_key(credits=2)
    response = requests.head(
        f"{server.url}/api/searches/find_profile?handle=stoolpresidente",
        headers={"X-API-Key": key},
        timeout=60,
    )
    assert response.status_code == 405
    assert server.credits_of(key_id) == 2


def test_body_over_the_limit_is_refused(server: Server) -> None:
    response = requests.post(
        f"{server.url}/api/actions/get_profile",
        data=b"x" * (1024 * 1024 + 1),
        headers={"X-API-Key": "sk_test_demo"},
        timeout=60,
    )
    check_body(response)
    assert (response.status_code, response.json()["error_code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (reply(301, {}, {"Location": "http://127.0.0.1:9/"}), 502, "upstream_invalid"),
        (reply(204, b""), 502, "upstream_invalid"),
        (reply(418, {"error": "teapot"}), 502, "upstream_invalid"),
        (reply(404, b"<html>no such page</html>"), 502, "upstream_invalid"),
        (reply(503, {"error": "maintenance"}), 502, "upstream_unavailable"),
        (reply(429, b"slow down"), 429, "rate_limited"),
        (reply(200, {"account_deactivated": True}), 404, "profile_not_found"),
        (reply(500, {"error": {"deep": 1}}), 502, "upstream_unavailable"),
    ],
    ids=["redirect", "empty", "teapot", "html 404", "other 503", "bare 429", "deactivated", "odd"],
)
def test_other_answers_have_their_place(
    front: Server, upstream: FakeUpstream, answer: bytes, status: int, code: str
) -> None:
    handle = f"other{abs(hash(answer))}"
    upstream.answers(handle, answer)
    response = get_profile(front, "zapier", handle, "sk_any")
    check_body(response)
    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert len(upstream.asked_for(handle)) == 1


PROFILE = {"user": {"id": "1", "uniqueId": "retried"}}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after", ["1", "0.5", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_refusal_is_repeated_once_when_there_is_time(
    front: Server, upstream: FakeUpstream, status: int, retry_after: str
) -> None:
    """Such a call was not charged, and waiting costs the builder less than a failed Zap."""
    handle = re.sub(r"\W", "", f"retry{status}{retry_after}").lower()
    refusal = reply(status, {"error": "rate limit"}, {"Retry-After": retry_after})
    upstream.answers(handle, refusal, reply(200, PROFILE))
    assert get_profile(front, "zapier", handle, "sk_any").status_code == 200
    assert len(upstream.asked_for(handle)) == 2


@pytest.mark.parametrize("retry_after", ["3600", "nonsense", "", "-5", "1e999"])
def test_refusal_is_not_repeated_without_time(
    front: Server, upstream: FakeUpstream, retry_after: str
) -> None:
    handle = re.sub(r"\W", "", f"noretry{retry_after}").lower()
    upstream.answers(handle, reply(429, {"error": "no"}, {"Retry-After": retry_after}))
    response = get_profile(front, "zapier", handle, "sk_any")
    assert response.status_code == 429
    assert response.headers["Retry-After"] == ("3600" if retry_after == "3600" else "60")
    assert len(upstream.asked_for(handle)) == 1


def test_second_refusal_is_final(front: Server, upstream: FakeUpstream) -> None:
    upstream.answers("twice", reply(429, {"error": "no"}, {"Retry-After": "1"}))
    assert get_profile(front, "api", "twice", "sk_any").status_code == 429
    assert len(upstream.asked_for("twice")) == 2


@pytest.mark.parametrize("status", [500, 502])
def test_failure_that_may_cost_is_not_repeated(
    front: Server, upstream: FakeUpstream, status: int
) -> None:
    handle = f"once{status}"
    upstream.answers(handle, reply(status, {"error": "no"}, {"Retry-After": "1"}))
    get_profile(front, "api", handle, "sk_any")
    assert len(upstream.asked_for(handle)) == 1


def test_upstream_hears_the_key_and_nothing_else_of_the_caller(
    front: Server, upstream: FakeUpstream
) -> None:
    """The bare name, the source and the key; no cookie, address or header of the caller's."""
    upstream.answers("quiet", reply(200, PROFILE))
    requests.post(
        f"{front.url}/make/actions/get_profile?x=1",
        json={"handle": "@Quiet", "secret": "s"},
        headers={"X-API-Key": "sk_mine", "Cookie": "a=b", "X-Other": "1"},
        timeout=60,
    )
    (request,) = upstream.asked_for("quiet")
    assert request.path == "/api/v1/get-tiktok-profile"
    assert request.body == {"handle": "quiet", "requestSource": "MAKE_DOT_COM"}
    assert request.headers["authorization"] == "Bearer sk_mine"
    assert request.headers["content-type"] == "application/json"
    assert not {"cookie", "x-other", "x-api-key"} & set(request.headers)


def test_every_error_has_a_status() -> None:
    """A new error class can't be forgotten where statuses are given."""

    def leaves(kind: type[errors.ConnectorError]) -> set[type[errors.ConnectorError]]:
        below = {leaf for child in kind.__subclasses__() for leaf in leaves(child)}
        return below | ({kind} if "code" in vars(kind) else set())

    assert leaves(errors.ConnectorError) == set(STATUSES)


def test_log_has_the_request_but_not_its_contents(front: Server, upstream: FakeUpstream) -> None:
    """The request id leads to the log line; a caller's own id is kept where it is harmless."""
    upstream.answers("logged", reply(200, PROFILE))
    for given, kept in (("trace-12345678", True), ("x" * 65, False), ("bad id!", False)):
        response = requests.post(
            f"{front.url}/api/actions/get_profile?handle=logged",
            headers={"X-API-Key": "sk_any", "X-Request-ID": given},
            timeout=60,
        )
        assert (response.headers["X-Request-ID"] == given) is kept
    text = next(x for x in front.log.read_text().splitlines() if "trace-12345678" in x)
    line = json.loads(text)
    assert (line["method"], line["route"]) == ("POST", "/api/actions/get_profile")
    assert (line["status"], line["request_id"]) == (200, "trace-12345678")
    assert "logged" not in text
    sent = [asked.headers["x-request-id"] for asked in upstream.asked_for("logged")]
    assert sent[0] == "trace-12345678"
