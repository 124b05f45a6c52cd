"""The generated app for Make, run by the stand-in for its engine against the running connector."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from profile_api.services.embedded import SLOW_HANDLE
from profile_api.services.samples import DOCUMENTED, SAMPLE_HANDLES
from schemas.universal import ENDPOINTS
from tests.make_app.app import load
from tests.make_app.checks.values import row_faults
from tests.make_app.form import MakeError
from tests.make_app.runner import Connection, Runner
from tests.running import FakeUpstream, Server, reply, until
from tests.watched import MISSING_HANDLE, profile

APP = load(Path(__file__).parents[2] / "platforms" / "make")
PATH = ENDPOINTS[0][1]


@pytest.fixture
def make(server: Server) -> Runner:
    return Runner(APP, server.url)


@pytest.fixture(scope="module")
def connection(server: Server) -> Connection:
    return Runner(APP, server.url).connect(apiKey=server.new_key()[0])


def error_of(runner: Runner, module: str, connection: Connection, **given: Any) -> MakeError:
    with pytest.raises(MakeError) as error:
        runner.run(module, connection, **given)
    return error.value


def test_connection_is_named_without_its_key(server: Server, make: Runner) -> None:
    """The test is free, and the same key is the same connection."""
    key, key_id = server.new_key(credits=2)
    mine, again = make.connect(apiKey=key), make.connect(apiKey=key)
    assert mine == again
    assert re.fullmatch(r"[0-9a-f]{12}", mine.uid)
    assert mine.label == f"Profile data ({mine.uid})"
    assert server.credits_of(key_id) == 2


@pytest.mark.parametrize(
    ("typed", "kind", "start"),
    [
        ("sk_unknown", "InvalidAccessTokenError", "[401] API key is invalid or missing. Send an"),
        ("", "BundleValidationError", "Missing value of required parameter 'apiKey'."),
    ],
)
def test_bad_key_makes_no_connection(make: Runner, typed: str, kind: str, start: str) -> None:
    with pytest.raises(MakeError) as error:
        make.connect(apiKey=typed)
    assert error.value.type == kind
    assert error.value.message.startswith(start)


@pytest.mark.parametrize("handle", SAMPLE_HANDLES)
def test_row_is_what_the_interface_says(make: Runner, connection: Connection, handle: str) -> None:
    """However an answer differs from the document; the search finds what the action gets."""
    (got,) = make.run("getProfile", connection, handle=handle)
    (found,) = make.run("findProfile", connection, handle=f"@{handle}")
    assert row_faults(APP, "getProfile", got) == []
    assert row_faults(APP, "findProfile", found) == []
    assert got == {**found, "cached": False, "credits_used": 2}
    assert got["request_source"] == "MAKE_DOT_COM"


def test_long_ids_arrive_whole(make: Runner, connection: Connection) -> None:
    """Make would round nineteen digits, were they a number."""
    (row,) = make.run("getProfile", connection, handle="test_web_videos")
    assert row["user_id"] == "6659752019493208069"
    assert row["latest_video_id"] == row["recent_videos"][0]["id"] == "7301234567890123456"


@pytest.mark.parametrize("limit", [1, 10, None])
def test_search_keeps_within_its_limit(
    make: Runner, connection: Connection, limit: int | None
) -> None:
    assert len(make.run("findProfile", connection, handle="stoolpresidente", limit=limit)) == 1


@pytest.mark.parametrize("handle", ["test_not_found", "test_deactivated"])
def test_search_without_a_match_puts_out_nothing(
    make: Runner, connection: Connection, handle: str
) -> None:
    assert make.run("findProfile", connection, handle=handle) == []


BODY = {"handle": "stoolpresidente"}


@pytest.mark.parametrize(
    "url", [PATH, PATH.lstrip("/"), f"/{PATH}"], ids=["path", "bare", "double"]
)
@pytest.mark.parametrize("body", [BODY, json.dumps(BODY)], ids=["collection", "text"])
def test_universal_call_answers_as_documented(
    make: Runner, connection: Connection, url: str, body: object
) -> None:
    (bundle,) = make.run("makeApiCall", connection, url=url, body=body)
    assert row_faults(APP, "makeApiCall", bundle) == []
    assert bundle["status_code"] == 200
    assert bundle["body"] == DOCUMENTED


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ({"url": "https://evil.example/x", "body": BODY}, "[400] Only POST /api/v1/"),
        ({"url": "//evil.example/x", "body": BODY}, "[400] Only POST /api/v1/"),
        ({"url": PATH, "body": "{"}, "[400] body: Not valid JSON."),
        ({"url": PATH, "body": "[]"}, "[400] body: Not a JSON object."),
        ({"url": PATH, "body": None}, "[400] 'handle' parameter is required"),
    ],
    ids=["other host", "no scheme", "broken", "list", "empty"],
)
def test_universal_call_stays_where_it_belongs(
    make: Runner, connection: Connection, given: dict[str, Any], start: str
) -> None:
    error = error_of(make, "makeApiCall", connection, **given)
    assert error.type == "DataError"
    assert error.message.startswith(start)


def test_select_offers_the_documented_paths(make: Runner, connection: Connection) -> None:
    choices = make.choices("listEndpoints", connection)
    assert choices == [{"label": label, "value": path} for _, path, label in ENDPOINTS]


ERRORS = {
    "test_unprocessable": (
        "DataError",
        r"\[400\] The profile service could not process the handle\. .+",
    ),
    "test_not_found": ("DataError", r"\[404\] TikTok profile not found for handle: .+"),
    "test_deactivated": ("DataError", r"\[404\] TikTok profile not found for handle: .+"),
    "test_rate_limited": ("RateLimitError", r"\[429\] Rate limit .+ Wait \d+ seconds\."),
    "test_down": ("ConnectionError", r"\[502\] Error fetching|\[502\] The profile service .+"),
    "test_malformed": ("ConnectionError", r"\[502\] Received invalid data format .+"),
    "test_unauthorized": ("ConnectionError", r"\[502\] Service authentication failed\. .+"),
    "a b": ("DataError", r"\[400\] The handle holds white space .+"),
}


@pytest.mark.parametrize("handle", ERRORS)
def test_failure_has_the_type_that_fits(make: Runner, connection: Connection, handle: str) -> None:
    """The type decides what the scenario does next; the message says why, and what to do."""
    error = error_of(make, "getProfile", connection, handle=handle)
    kind, message = ERRORS[handle]
    assert error.type == kind
    assert re.match(message, error.message), error.message


def test_late_answer_says_that_it_may_have_been_charged(hasty_server: Server) -> None:
    make = Runner(APP, hasty_server.url)
    connection = make.connect(apiKey=hasty_server.new_key()[0])
    error = error_of(make, "getProfile", connection, handle=SLOW_HANDLE)
    assert error.type == "ConnectionError"
    assert re.match(r"\[504\] The profile API did not .+ may have been charged", error.message)


@pytest.mark.parametrize("module", ["getProfile", "findProfile", "makeApiCall"])
def test_empty_account_is_not_called_a_bad_key(server: Server, make: Runner, module: str) -> None:
    poor = make.connect(apiKey=server.new_key(credits=1)[0])
    given = {"url": PATH, "body": BODY} if module == "makeApiCall" else BODY
    error = error_of(make, module, poor, **given)
    assert error.type == "InvalidConfigurationError"
    assert error.message.startswith("[403] Insufficient credits.")


@pytest.mark.parametrize("module", ["getProfile", "findProfile", "makeApiCall"])
def test_revoked_key_is_called_one(make: Runner, module: str) -> None:
    """A key that worked when the connection was made may be switched off later."""
    given = {"url": PATH, "body": BODY} if module == "makeApiCall" else BODY
    error = error_of(make, module, Connection({"apiKey": "sk_gone"}, "", ""), **given)
    assert error.type == "InvalidAccessTokenError"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, "RateLimitError"), (500, "ConnectionError"), (503, "ConnectionError")],
)
def test_upstream_failure_passes_through(
    front: Server, upstream: FakeUpstream, status: int, kind: str
) -> None:
    """The upstream's own words, and its own wait, reach the person."""
    handle = f"make{status}"
    upstream.answers(handle, reply(status, {"error": "Not now."}, {"Retry-After": "3600"}))
    runner = Runner(APP, front.url)
    mine = Connection({"apiKey": "sk_any"}, "", "")
    error = error_of(runner, "getProfile", mine, handle=handle)
    assert error.type == kind
    assert "Not now." in error.message
    assert error.message.endswith("Wait 3600 seconds.") is (status == 429)


def test_source_is_makes(front: Server, upstream: FakeUpstream) -> None:
    upstream.answers("from.make", reply(200, {"user": {"id": "1", "uniqueId": "from.make"}}))
    mine = Connection({"apiKey": "sk_any"}, "", "")
    Runner(APP, front.url).run("getProfile", mine, handle="from.make")
    (request,) = upstream.asked_for("from.make")
    assert request.body["requestSource"] == "MAKE_DOT_COM"
    assert request.headers["authorization"] == "Bearer sk_any"


def test_no_key_in_makes_log(server: Server, make: Runner) -> None:
    """Whoever may see a scenario may see its log."""
    key, _ = server.new_key()
    mine = make.connect(apiKey=key)
    make.choices("listEndpoints", mine)
    make.run("getProfile", mine, handle="stoolpresidente")
    make.run("findProfile", mine, handle="test_not_found")
    make.run("makeApiCall", mine, url=PATH, body=BODY)
    with pytest.raises(MakeError):
        make.run("getProfile", mine, handle="test_not_found")
    assert len(make.log) == 6
    assert {line["request"]["headers"]["authorization"] for line in make.log} == {"[sanitized]"}
    assert key not in json.dumps(make.log)


WATCHED: dict[str, dict[str, Any]] = {
    "newVideo": {},
    "profileChanged": {"watchedFields": ["user_nickname"]},
    "followerMilestone": {"thresholds": [1500]},
    "statsSnapshot": {"frequency": "daily"},
    "profileUnavailable": {},
}


@pytest.fixture
def watched(watching_front: Server, upstream: FakeUpstream) -> tuple[Runner, Connection]:
    upstream.answers("None", reply(400, MISSING_HANDLE))
    runner = Runner(APP, watching_front.url)
    return runner, runner.connect(apiKey="sk_watcher")


@pytest.mark.parametrize("module", WATCHED)
def test_trigger_starts_from_a_sample_and_puts_out_nothing_else(
    watched: tuple[Runner, Connection], upstream: FakeUpstream, module: str
) -> None:
    """What was there before is no event; where to start can be chosen all the same."""
    make, connection = watched
    given = {"handles": [f"make.{module}"], **WATCHED[module]}
    upstream.answers(f"make.{module}".lower(), reply(200, profile(f"make.{module}".lower())))
    (start,) = make.starts(module, connection, **given)
    assert list(start) == ["label", "date"]
    assert start["label"].endswith(f" make.{module}".lower())
    assert make.poll(module, connection, 0, **given) == ([], 0)


def test_trigger_tells_each_event_once_oldest_first(
    watched: tuple[Runner, Connection], upstream: FakeUpstream
) -> None:
    make, connection = watched
    upstream.answers("make.films", reply(200, profile("make.films")))
    given = {"handles": ["@Make.Films"], "limit": 2}
    assert make.poll("newVideo", connection, 0, **given) == ([], 0)
    upstream.answers("make.films", reply(200, profile("make.films", videos=5)))
    rows = until(lambda: make.poll("newVideo", connection, 0, **given)[0])
    assert [row["latest_video_id"] for row in rows] == ["make.films-v3", "make.films-v4"]
    assert row_faults(APP, "newVideo", rows[0]) == []
    last = rows[-1]["event_sequence"]
    rest, last = make.poll("newVideo", connection, last, **given)
    assert [row["latest_video_id"] for row in rest] == ["make.films-v5"]
    assert make.poll("newVideo", connection, last, **given) == ([], last)


@pytest.mark.parametrize(
    ("given", "kind", "start"),
    [
        ({"handles": []}, "DataError", "[400] handles: "),
        ({"handles": ["a b"]}, "DataError", "[400] The handle holds white space"),
        ({}, "BundleValidationError", "Missing value of required parameter 'handles'."),
    ],
)
def test_trigger_that_can_not_work_says_so(
    watched: tuple[Runner, Connection], given: dict[str, Any], kind: str, start: str
) -> None:
    make, connection = watched
    with pytest.raises(MakeError) as error:
        make.poll("newVideo", connection, 0, **given)
    assert error.value.type == kind
    assert error.value.message.startswith(start)


def test_batch_is_begun_asked_for_and_paged(server: Server, make: Runner) -> None:
    """As a scenario polls: begin, ask until it has ended, read the rows page by page."""
    key, key_id = server.new_key()
    connection = make.connect(apiKey=key)
    (job,) = make.run("getProfiles", connection, handles=["stoolpresidente", "test_not_found"])
    assert row_faults(APP, "getProfiles", job) == []
    assert [row["lookup_status"] for row in job["profiles"]] == ["found", "not_found"]
    assert make.run("getJob", connection, id=job["id"]) == [job]
    assert make.run("findJobProfiles", connection, id=job["id"]) == job["profiles"]
    assert [row_faults(APP, "findJobProfiles", row) for row in job["profiles"]] == [[], []]
    names = [f"make.{n}" for n in range(250)]
    (dry,) = make.run("getProfiles", connection, handles=names, dryRun=True)
    assert (dry["state"], dry["credits_at_most"]) == ("dry_run", 500)
    (begun,) = make.run("getProfiles", connection, handles=names)
    assert (begun["state"], begun["total"]) == ("running", 250)
    rows = make.run("findJobProfiles", connection, id=begun["id"], limit=None)
    assert [row["handle"] for row in rows] == names
    assert {row["lookup_status"] for row in rows} == {"pending"}
    assert len(make.run("findJobProfiles", connection, id=begun["id"], limit=120)) == 120
    assert server.credits_of(key_id) == 1_000_000 - 2
    headers = {"X-API-Key": key}
    ended = requests.delete(f"{server.url}/make/jobs/{begun['id']}", headers=headers, timeout=60)
    assert ended.json()["state"] == "cancelled"
    error = error_of(make, "getJob", connection, id="nothing")
    assert (error.type, error.message[:5]) == ("DataError", "[404]")
