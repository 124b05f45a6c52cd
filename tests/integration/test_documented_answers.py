"""What the running server answers is what its own document says: status, headers and body."""

from __future__ import annotations

import csv
import hmac
import io
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from profile_api.app import PATH
from profile_api.services.embedded import RESERVED, SLOW_HANDLE
from profile_api.services.samples import SAMPLE_HANDLES
from schemas.catalog import CATALOG
from tests.documented import Document, check_answer, operations, resolve
from tests.running import PLATFORM_SOURCES, FakeUpstream, Server, early_in_a_minute, reply

platforms = pytest.mark.parametrize("platform", PLATFORM_SOURCES)


@pytest.fixture(scope="module")
def document(server: Server) -> Document:
    """As the server itself publishes it."""
    response = requests.get(f"{server.url}/openapi.json", timeout=60)
    published: Document = response.json()
    check_answer(published, response)
    return published


@pytest.fixture(scope="module")
def key(server: Server) -> dict[str, str]:
    return {"X-API-Key": server.new_key()[0]}


def ask(
    server: Server, document: Document, method: str, path: str, **options: Any
) -> requests.Response:
    """The answer, once it is found to be as documented."""
    response = requests.request(method, server.url + path, timeout=60, **options)
    check_answer(document, response)
    return response


@platforms
@pytest.mark.parametrize("handle", SAMPLE_HANDLES)
def test_every_sample_fits(
    server: Server, document: Document, key: dict[str, str], platform: str, handle: str
) -> None:
    """As an action, as a search by either method, and as a universal call."""
    body = {"handle": handle, "max_age_seconds": 0}
    search = f"/{platform}/searches/find_profile"
    raw = {"url": PATH, "body": {"handle": handle}}
    answers = [
        ask(server, document, "POST", f"/{platform}/actions/get_profile", json=body, headers=key),
        ask(server, document, "POST", search, data=body, headers=key),
        ask(server, document, "GET", search, params=body, headers=key),
        ask(server, document, "POST", f"/{platform}/request", json=raw, headers=key),
    ]
    assert [response.status_code for response in answers] == [200] * 4
    assert all("X-RateLimit-Remaining" in response.headers for response in answers)
    known = ask(
        server,
        document,
        "POST",
        f"/{platform}/actions/get_profile",
        json=body | {"max_age_seconds": 60},
        headers=key,
    )
    assert known.json()["cached"] is True


@platforms
def test_watching_fits(
    server: Server, document: Document, key: dict[str, str], platform: str
) -> None:
    """Started by JSON or a form, ended twice, and refused."""
    start, end = (f"/{platform}/actions/{name}_profile" for name in ("watch", "unwatch"))
    target = "https://hooks.example.com/1"
    given = {"trigger": "follower_milestone", "target_url": target, "thresholds": ["5", 10]}
    made = ask(server, document, "POST", start, json={**given, "handles": ["ada"]}, headers=key)
    form = {**given, "thresholds": "5,10", "every": "", "handles": "ada,bo"}
    ask(server, document, "POST", start, data=form, headers=key)
    for deleted in (True, False):
        subscription = {"id": made.json()["id"]}
        ended = ask(server, document, "POST", end, json=subscription, headers=key)
        assert ended.json() == {**subscription, "deleted": deleted}
    for path, body, wrong, status in (
        (start, {**given, "handles": ["a b"]}, key, 400),
        (start, {**given, "thresholds": [], "handles": ["ada"]}, key, 400),
        (start, {**given, "handles": ["ada"]}, {"X-API-Key": "sk_unknown"}, 401),
        (end, {}, key, 400),
        (end, {"id": "\x00"}, key, 200),
        (end, {"id": "x"}, {"X-API-Key": "sk_unknown"}, 401),
    ):
        refused = ask(server, document, "POST", path, json=body, headers=wrong)
        assert refused.status_code == status


@platforms
def test_webhooks_fit(
    server: Server, document: Document, key: dict[str, str], platform: str
) -> None:
    """Made, listed, fired, replaced and ended; in both modes, and refused."""
    root = f"/{platform}/webhooks"
    signed = {"signature_style": "github", "signature_secret": "at least 8"}
    given = {"mode": "forward", "target_url": "https://hooks.example.com/1", **signed}
    forwarding = ask(server, document, "POST", root, data=given, headers=key).json()
    made = ask(server, document, "POST", root, json={}, headers=key).json()
    item = f"{root}/{made['id']}"
    ask(server, document, "GET", root, headers=key)
    ask(server, document, "GET", item, headers=key)

    def calls_of(webhook: str) -> list[dict[str, Any]]:
        found = ask(server, document, "GET", f"{webhook}/calls", headers=key).json()
        calls: list[dict[str, Any]] = found["items"] if platform == "make" else found
        return calls

    path = urlsplit(made["url"]).path
    assert ask(server, document, "POST", path, json={"user": "ada"}).status_code == 200
    assert ask(server, document, "GET", f"{path}?handle=ada").status_code == 200
    signature = hmac.digest(b"at least 8", b"@ada", "sha256").hex()
    headers = {"X-Hub-Signature-256": f"sha256={signature}"}
    fired = ask(
        server, document, "POST", urlsplit(forwarding["url"]).path, data="@ada", headers=headers
    )
    assert fired.status_code == 202
    for handle, reserved in RESERVED.items():
        answer = ask(server, document, "POST", path, data=handle)
        assert answer.status_code >= 400, reserved
    once = {"data": "@ada", "headers": {"Idempotency-Key": "once"}}
    before = len(calls_of(item))
    fired_twice = [requests.post(server.url + path, timeout=60, **once) for _ in range(2)]
    assert fired_twice[1].headers["Idempotent-Replayed"] == "true"
    assert len(calls_of(item)) == before + 1
    ask(server, document, "POST", path, data="{", headers={"Content-Type": "application/json"})
    again = {"data": "@bo", "headers": {"Idempotency-Key": "once"}}
    assert ask(server, document, "POST", path, **again).status_code == 422
    newest = [(call["handle"], call["error_code"]) for call in calls_of(item)[:3]]
    assert newest == [(None, "idempotency_key_reused"), (None, "invalid_input"), ("ada", None)]
    stranger = {"X-API-Key": server.new_key()[0]}
    refusals: list[tuple[int, str, str, dict[str, Any]]] = [
        (404, "GET", f"{item}/calls", {"headers": stranger}),
        (404, "GET", f"{root}/x/calls", {"headers": key}),
        (401, "GET", f"{item}/calls", {"headers": {"X-API-Key": "sk_unknown"}}),
        (400, "POST", path, {"json": {}}),
        (401, "POST", urlsplit(forwarding["url"]).path, {"data": "@ada"}),
        (404, "GET", f"{root}/x", {"headers": key}),
        (404, "POST", f"{root}/x/rotate", {"headers": key}),
        (404, "POST", "/webhooks/x", {"data": "ada"}),
        (405, "HEAD", path, {}),
        (405, "PUT", path, {}),
        (413, "POST", path, {"data": b"x" * (1024 * 1024 + 1)}),
        (401, "DELETE", item, {"headers": {"X-API-Key": "sk_unknown"}}),
        (400, "POST", root, {"json": {"mode": "forward"}, "headers": key}),
        (400, "POST", root, {"json": {"signature_header": "a b"}, "headers": key}),
        (200, "POST", f"{item}/rotate", {"headers": key}),
        (404, "POST", path, {"data": "ada"}),
        (200, "DELETE", item, {"headers": key}),
    ]
    for status, method, where, options in refusals:
        assert ask(server, document, method, where, **options).status_code == status


@platforms
@pytest.mark.parametrize("handle", RESERVED)
def test_every_failure_fits(
    server: Server, document: Document, key: dict[str, str], platform: str, handle: str
) -> None:
    body = {"handle": handle}
    action = ask(
        server, document, "POST", f"/{platform}/actions/get_profile", json=body, headers=key
    )
    search = ask(
        server, document, "GET", f"/{platform}/searches/find_profile", params=body, headers=key
    )
    assert action.status_code >= 400
    assert search.status_code == (200 if action.status_code == 404 else action.status_code)


@pytest.mark.parametrize("handle", [*RESERVED, *SAMPLE_HANDLES])
def test_endpoint_answers_as_documented(
    server: Server, document: Document, key: dict[str, str], handle: str
) -> None:
    bearer = {"Authorization": f"Bearer {key['X-API-Key']}"}
    response = ask(server, document, "POST", PATH, json={"handle": handle}, headers=bearer)
    assert (response.status_code == 200) is (handle in SAMPLE_HANDLES)


@platforms
@pytest.mark.parametrize("trigger", [trigger.key for trigger in CATALOG.triggers])
def test_polls_fit(
    server: Server, document: Document, key: dict[str, str], platform: str, trigger: str
) -> None:
    """The first poll, a later one, and one that there is nothing to watch for."""
    path = f"/{platform}/triggers/{trigger}"
    given = {"handles": f"some.{platform}", "thresholds": "10"}
    for _ in range(2):
        answer = ask(server, document, "GET", path, params=given, headers=key)
        assert answer.status_code == 200
    missing = {"handles": "test_not_found", "thresholds": "10"}
    answer = ask(server, document, "GET", path, params=missing, headers=key)
    assert answer.status_code == 404


@platforms
def test_hooks_fit(server: Server, document: Document, key: dict[str, str], platform: str) -> None:
    """From the subscription to its end; a second test right after the first has to wait."""
    hooks = f"/{platform}/hooks"
    given = {"trigger": "new_video", "target_url": "https://hooks.example.com/1", "handles": "ada"}
    made = ask(server, document, "POST", hooks, json=given, headers=key).json()
    one = f"{hooks}/{made['id']}"
    asked = [
        (200, "GET", hooks),
        (200, "GET", one),
        (404, "GET", f"{hooks}/nobody"),
        (200, "POST", f"{one}/rotate"),
        (404, "POST", f"{hooks}/nobody/rotate"),
        (200, "POST", f"{one}/test"),
        (429, "POST", f"{one}/test"),
        (404, "POST", f"{hooks}/nobody/test"),
        (200, "GET", f"/{platform}/deliveries"),
        (200, "GET", f"/{platform}/deliveries?state=pending&subscription_id={made['id']}"),
        (404, "GET", f"/{platform}/deliveries?subscription_id=nobody"),
        (400, "GET", f"/{platform}/deliveries?state=lost"),
        (200, "POST", f"/{platform}/deliveries/replay"),
        (200, "POST", f"/{platform}/deliveries/replay?subscription_id={made['id']}"),
        (404, "POST", f"/{platform}/deliveries/replay?subscription_id=nobody%00"),
        (404, "GET", f"/{platform}/deliveries/{2**63 - 1}"),
        (404, "GET", f"/{platform}/deliveries/{2**63}"),
        (404, "GET", f"/{platform}/deliveries/x"),
    ]
    for status, method, path in asked:
        assert ask(server, document, method, path, headers=key).status_code == status
    of_it = f"/{platform}/deliveries?subscription_id={made['id']}"
    found = ask(server, document, "GET", of_it, headers=key).json()
    (row,) = found["items"] if platform == "make" else found
    delivery = f"/{platform}/deliveries/{row['id']}"
    whole = ask(server, document, "GET", delivery, headers=key).json()
    assert whole["body"]["event_id"] == row["event_id"]
    assert given["target_url"] not in str(whole)
    stranger = {"X-API-Key": server.new_key()[0]}
    for status, method, path, headers in (
        (404, "GET", one, stranger),
        (404, "GET", delivery, stranger),
        (404, "GET", of_it, stranger),
        (404, "POST", f"/{platform}/deliveries/replay?subscription_id={made['id']}", stranger),
        (401, "GET", delivery, {"X-API-Key": "sk_unknown"}),
        (401, "POST", f"/{platform}/deliveries/replay", {"X-API-Key": "sk_unknown"}),
        (200, "DELETE", one, key),
        (404, "GET", delivery, key),
    ):
        assert ask(server, document, method, path, headers=headers).status_code == status


@platforms
def test_jobs_fit(server: Server, document: Document, key: dict[str, str], platform: str) -> None:
    """Begun at once or as a job, shown in each way, cancelled twice, and refused."""
    begin, jobs = f"/{platform}/actions/get_profiles", f"/{platform}/jobs"
    few = ask(
        server,
        document,
        "POST",
        begin,
        data={"handles": "test_private,test_not_found\n=1+1"},
        headers=key,
    )
    assert few.status_code == 200
    done = few.json()
    assert [row["lookup_status"] for row in done["profiles"]] == ["private", "not_found", "failed"]
    assert {row["request_source"] for row in done["profiles"]} == {PLATFORM_SOURCES[platform]}
    table = ask(server, document, "GET", f"{done['rows_path']}?format=csv", headers=key)
    lines = [*csv.DictReader(io.StringIO(table.content.decode()))]
    assert [line["handle"] for line in lines] == ["test_private", "test_not_found", "'=1+1"]
    assert json.loads(lines[0]["recent_videos"]) == done["profiles"][0]["recent_videos"]
    many = {"handles": [f"many{n}" for n in range(250)]}
    dry = ask(server, document, "POST", begin, json=many | {"dry_run": "true"}, headers=key)
    assert (dry.status_code, dry.json()["credits_at_most"]) == (200, 500)
    made = ask(server, document, "POST", begin, json=many, headers=key)
    assert made.status_code == 202
    assert "No worker is alive" in made.json()["problem"]
    one = f"{jobs}/{made.json()['id']}"
    stranger = {"X-API-Key": server.new_key()[0]}
    asked = [
        (200, "GET", jobs, key),
        (200, "GET", one, key),
        (200, "GET", f"{one}/rows", key),
        (400, "GET", f"{one}/rows?limit=1001", key),
        (400, "GET", f"{one}/rows?cursor=x", key),
        (200, "DELETE", one, key),
        (200, "DELETE", one, key),
        (401, "GET", jobs, {"X-API-Key": "sk_unknown"}),
        *((404, method, one, stranger) for method in ("GET", "DELETE")),
        (404, "GET", f"{one}/rows", stranger),
        (404, "GET", f"{jobs}/%00", key),
        (401, "GET", one, {"X-API-Key": "sk_unknown"}),
    ]
    for status, method, path, headers in asked:
        assert ask(server, document, method, path, headers=headers).status_code == status
    pages = [
        ask(server, document, "GET", f"{one}/rows?cursor={n}", headers=key) for n in (100, 200)
    ]
    assert [page.headers.get("X-Next-Cursor") for page in pages] == ["200", None]
    job = ask(
        server, document, "POST", f"/{platform}/actions/get_job", json=made.json(), headers=key
    )
    assert (job.json()["state"], job.json()["not_tried_count"]) == ("cancelled", 250)
    for method in ("GET", "POST"):
        search = f"/{platform}/searches/find_job_profiles?id={job.json()['id']}&cursor=200"
        found = ask(server, document, method, search, headers=key).json()
        rows = found["items"] if platform == "make" else found
        assert [row["handle"] for row in rows] == many["handles"][200:]
    for path, body, status in (
        (begin, {"handles": " , "}, 400),
        (begin, {"handles": [",", "\n;"]}, 400),
        (begin, {"handles": [f"many{n}" for n in range(1001)]}, 400),
        (begin, {"handles": ["ada"], "callback_url": "http://10.0.0.1/"}, 400),
        (begin, {"handles": ["\ud800", "\x00"]}, 200),
        *((f"/{platform}/actions/get_job", {"id": i}, 404) for i in ("nothing", "\ud800", "\0")),
        (f"/{platform}/searches/find_job_profiles", {"id": "nothing"}, 404),
    ):
        assert ask(server, document, "POST", path, json=body, headers=key).status_code == status


@platforms
def test_history_fits(
    server: Server, document: Document, key: dict[str, str], platform: str
) -> None:
    """As JSON and as CSV, whichever way it is asked for; and each way in which it is refused."""
    watched = f"seen.{platform}"
    trigger = f"/{platform}/triggers/new_video"
    ask(server, document, "GET", trigger, params={"handles": watched}, headers=key)
    path = f"/{platform}/profiles/{watched}/history"
    found = ask(server, document, "GET", path, headers=key).json()
    (row,) = found["items"] if platform == "make" else found
    assert (row["handle"], row["status"]) == (watched, "found")
    accept = {"Accept": "text/csv;q=0.9, */*;q=0.1"}
    for params, headers in (({"format": "csv"}, {}), ({}, accept), ({"format": ""}, accept)):
        table = ask(
            server, document, "GET", path, params=params, headers={**key, **headers}
        ).content.decode()
        lines = [",".join(row), ",".join(map(str, row.values()))]
        assert table.split("\r\n") == [*lines, ""]
    for headers in ({"Accept": "*/*"}, {"Accept": "text/html"}, {"Accept": ""}):
        answer = ask(server, document, "GET", path, headers={**key, **headers})
        assert answer.headers["Content-Type"] == "application/json"
    json_too = ask(server, document, "GET", f"{path}?format=json", headers={**key, **accept})
    assert json_too.headers["Content-Type"] == "application/json"
    refusals = [
        ("since=yesterday", "since: Not a moment such as 2026-11-24T12:00:00Z."),
        ("since=2026-11-24T12:00:00", "since: Not a moment such as 2026-11-24T12:00:00Z."),
        ("since=2026-11-02&until=1", "since: Not a moment such as 2026-11-24T12:00:00Z."),
        ("since=1700000000&until=1700000000", "until: Must be later than since."),
        ("limit=0", "limit: Must be greater than or equal to 1 and less than or equal to 10000."),
        (
            "limit=10001",
            "limit: Must be greater than or equal to 1 and less than or equal to 10000.",
        ),
        ("cursor=0", "cursor: "),
        ("format=xml", "format: Must be one of: json, csv."),
    ]
    for query, message in refusals:
        refused = ask(server, document, "GET", f"{path}?{query}", headers={**key, **accept})
        assert refused.status_code == 400
        assert refused.json()["error"].startswith(message)
    for name, headers, code in (
        ("nobody.watches", key, "not_watched"),
        ("no%20handle!", key, "invalid_handle"),
        (watched, {"X-API-Key": "sk_mistyped"}, "invalid_api_key"),
        (watched, {"X-API-Key": server.new_key()[0]}, "not_watched"),
    ):
        path = f"/{platform}/profiles/{name}/history?format=csv"
        refused = ask(server, document, "GET", path, headers=headers)
        assert refused.json()["error_code"] == code


def test_late_answer_fits(hasty_server: Server, document: Document) -> None:
    body, key = {"handle": SLOW_HANDLE}, {"X-API-Key": hasty_server.new_key()[0]}
    path = "/api/actions/get_profile"
    assert ask(hasty_server, document, "POST", path, json=body, headers=key).status_code == 504


@platforms
def test_refusals_fit(
    server: Server, document: Document, key: dict[str, str], platform: str
) -> None:
    action, search = f"/{platform}/actions/get_profile", f"/{platform}/searches/find_profile"
    poor = {"X-API-Key": server.new_key(credits=1)[0]}
    body = {"handle": "stoolpresidente"}
    asked: list[tuple[int, str, str, dict[str, Any]]] = [
        (400, "POST", action, {"data": b"{", "headers": key}),
        (400, "POST", f"/{platform}/request", {"json": {"url": "/nowhere"}, "headers": key}),
        (400, "GET", search, {"headers": key}),
        (401, "POST", action, {"json": body}),
        (401, "GET", f"/{platform}/me", {"headers": {"X-API-Key": "sk_unknown"}}),
        (403, "POST", action, {"json": body, "headers": poor}),
        (405, "PUT", action, {"headers": key}),
        (405, "HEAD", search, {"headers": key}),
        (413, "POST", search, {"data": b"x" * (1024 * 1024 + 1), "headers": key}),
        (414, "GET", search, {"params": {"handle": "x" * 9000}, "headers": key}),
        (431, "GET", f"/{platform}/me", {"headers": {**key, "X-Other": "x" * 9000}}),
    ]
    for status, method, path, options in asked:
        assert ask(server, document, method, path, **options).status_code == status


@platforms
def test_refusal_beyond_a_limit_fits(
    hasty_server: Server, document: Document, platform: str
) -> None:
    """With more time it would wait for the next minute."""
    path = f"/{platform}/actions/get_profile"
    body = {"handle": "stoolpresidente", "max_age_seconds": 0}
    limited = {"X-API-Key": hasty_server.new_key(rate_limit=1)[0]}
    early_in_a_minute()
    for status in (200, 429):
        answer = ask(hasty_server, document, "POST", path, json=body, headers=limited)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("status", "method", "options"),
    [
        (400, "POST", {"data": b"{"}),
        (400, "POST", {"json": {"handle": "someone", "requestSource": "N8N"}}),
        (405, "GET", {}),
        (413, "POST", {"data": b"x" * (64 * 1024 + 1)}),
    ],
)
def test_refusals_of_the_endpoint_fit(
    server: Server,
    document: Document,
    key: dict[str, str],
    status: int,
    method: str,
    options: dict[str, Any],
) -> None:
    bearer = {"Authorization": f"Bearer {key['X-API-Key']}"}
    assert ask(server, document, method, PATH, headers=bearer, **options).status_code == status


def test_routes_without_a_key_fit(server: Server, document: Document) -> None:
    """All of them, and each file of the viewer."""
    checked = 0
    for method, path, operation in operations(document):
        if operation["security"] or path == "/webhooks/{token}":
            continue
        names = resolve(document, operation["parameters"][0])["schema"].get("enum", [""])
        for name in names:
            response = ask(server, document, method, path.replace("{name}", name))
            assert response.status_code == 200
            checked += 1
    assert checked > 10
    missing = ask(server, document, "GET", "/docs/nothing.js")
    assert (missing.status_code, missing.json()["error_code"]) == (404, "not_found")


def test_unchanged_file_is_not_sent_again(server: Server, document: Document) -> None:
    """The viewer's megabytes travel once; its page too is asked for by its tag."""
    for path in ("/docs", "/docs/swagger-ui-bundle.js"):
        first = ask(server, document, "GET", path)
        again = requests.get(
            server.url + path, headers={"If-None-Match": first.headers["ETag"]}, timeout=60
        )
        assert (again.status_code, again.content) == (304, b"")
        promised = document["paths"][path if path == "/docs" else "/docs/{name}"]["get"][
            "responses"
        ]
        assert set(promised["304"]["headers"]) - set(again.headers) == set()


def test_answers_in_front_of_another_api_fit(front: Server, upstream: FakeUpstream) -> None:
    """Whatever the hosted API answers; its own path is not among ours."""
    document: Document = requests.get(f"{front.url}/openapi.json", timeout=60).json()
    assert PATH not in document["paths"]
    answers = {
        "foreign_row": reply(200, {"user": {"id": "1", "newField": {"a": [1, {"b": 2}]}}}),
        "foreign_402": reply(402, {"error": "pay"}),
        "foreign_404": reply(404, {"error": "TikTok profile not found for handle: x"}),
        "foreign_429": reply(429, {"error": "slow down"}, {"X-RateLimit-Limit": "many"}),
        "foreign_500": reply(500, b"<html>"),
    }
    for handle, answer in answers.items():
        upstream.answers(handle, answer)
        for platform in PLATFORM_SOURCES:
            ask(
                front,
                document,
                "POST",
                f"/{platform}/actions/get_profile",
                json={"handle": handle},
                headers={"X-API-Key": "sk_any"},
            )
