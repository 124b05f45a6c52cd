"""The stand-in for Make's engine, in front of a server that answers as each rule needs it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.make_app.app import UnknownToEmulator, load
from tests.make_app.breaking import Change, broken, put
from tests.make_app.form import MakeError
from tests.make_app.runner import MAX_PAGES, Connection, Runner
from tests.running import FakeUpstream, Received, fake_upstream, reply

APP = load(Path(__file__).parents[2] / "platforms" / "make")
CONNECTION = Connection({"apiKey": "sk_mine"}, "Mine", "1")
BASE = "general/base.iml.json"
TEST = "connections/profile-data/profile-data.communication.iml.json"
GET = "modules/getProfile/getProfile.communication.iml.json"
GET_FORM = "modules/getProfile/getProfile.mappable-params.iml.json"
FIND = "modules/findProfile/findProfile.communication.iml.json"
TEXT = {"Content-Type": "text/html"}
# A server may say anything; none of it is an expression.
CURSOR = "{{connection.apiKey}}&handle=other"


@pytest.fixture
def connector() -> Iterator[FakeUpstream]:
    """Answers POSTs by handle and, as a list of two pages, every GET."""

    def pages(connection: socket.socket, request: Received) -> None:
        first = "cursor" not in query(request)
        rows = [{"id": 1}, {"id": 2}] if first else [{"id": 3}]
        body = {"items": rows, "next_cursor": CURSOR if first else None}
        connection.sendall(reply(200, body))

    with fake_upstream() as upstream:
        upstream.scripts["None"] = pages
        yield upstream


def query(request: Received) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.path).query)


def test_search_follows_pages_to_the_last(connector: FakeUpstream) -> None:
    """Each page is asked for with the same input and key, and with the cursor as it came."""
    bundles = Runner(APP, connector.url).run("findProfile", CONNECTION, handle="x", limit=None)
    first, second = connector.received
    assert bundles == [{"id": 1}, {"id": 2}, {"id": 3}]
    given = {"handle": ["x"], "max_age_seconds": ["60"]}
    assert query(first) == given
    assert query(second) == {**given, "cursor": [CURSOR]}
    assert {r.headers["authorization"] for r in (first, second)} == {"Bearer sk_mine"}


@pytest.mark.parametrize(
    ("limit", "ids", "requests"),
    [(1, [1], 1), (2, [1, 2], 1), (3, [1, 2, 3], 2), (9, [1, 2, 3], 2)],
)
def test_limit_ends_the_search(
    connector: FakeUpstream, limit: int, ids: list[int], requests: int
) -> None:
    """No page is asked for that nobody wants."""
    bundles = Runner(APP, connector.url).run("findProfile", CONNECTION, handle="x", limit=limit)
    assert [bundle["id"] for bundle in bundles] == ids
    assert len(connector.received) == requests


def test_endless_pages_are_no_hang(connector: FakeUpstream) -> None:
    connector.answers("None", reply(200, {"items": [], "next_cursor": "again"}))
    with pytest.raises(UnknownToEmulator, match="more than 100 pages"):
        Runner(APP, connector.url).run("findProfile", CONNECTION, handle="x")
    assert len(connector.received) == MAX_PAGES


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (reply(200, {}), "DataError", "The answer holds no profile."),
        (reply(200, b"", TEXT), "DataError", "The answer holds no profile."),
        (
            reply(502, b"<html>Bad gateway</html>", TEXT),
            "ConnectionError",
            "[502] The connector did not say why. ",
        ),
        (
            reply(429, {"error": "Slow down.", "advice": "Wait."}, {"Retry-After": "7"}),
            "RateLimitError",
            "[429] Slow down. Wait. Wait 7 seconds.",
        ),
        (
            reply(429, {"error": "Slow down."}),
            "RateLimitError",
            "[429] Slow down.  Wait some seconds.",
        ),
        (reply(418, {"error": "No."}), "RuntimeError", "[418] No. "),
    ],
    ids=["no keys", "no body", "a proxy", "a limit", "a proxy's limit", "unforeseen"],
)
def test_bad_answer_is_a_typed_error(
    connector: FakeUpstream, answer: bytes, kind: str, message: str
) -> None:
    connector.answers("x", answer)
    with pytest.raises(MakeError) as error:
        Runner(APP, connector.url).run("getProfile", CONNECTION, handle="x")
    assert (error.value.type, error.value.message) == (kind, message)


@pytest.mark.parametrize(
    ("module", "given", "message"),
    [
        ("getProfile", {}, "Missing value of required parameter 'handle'."),
        ("getProfile", {"handle": ""}, "Missing value of required parameter 'handle'."),
        ("getProfile", {"handle": ["a"]}, "Invalid value of parameter 'handle'."),
        ("findProfile", {"handle": "x", "limit": -1}, "Invalid value of parameter 'limit'."),
        ("findProfile", {"handle": "x", "limit": "ten"}, "Invalid value of parameter 'limit'."),
        ("makeApiCall", {"url": "/x", "method": "PURGE"}, "Invalid value of parameter 'method'."),
    ],
)
def test_form_is_checked_before_anything_is_sent(
    connector: FakeUpstream, module: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(MakeError) as error:
        Runner(APP, connector.url).run(module, CONNECTION, **given)
    assert (error.value.type, error.value.message) == ("BundleValidationError", message)
    assert connector.received == []


def test_base_says_how_long_to_wait(connector: FakeUpstream) -> None:
    done = threading.Event()

    def silent(_connection: socket.socket, _request: Received) -> None:
        done.wait(60)

    connector.scripts["x"] = silent
    app = broken(APP, BASE, put("timeout", 200))
    with pytest.raises(MakeError) as error:
        Runner(app, connector.url).run("getProfile", CONNECTION, handle="x")
    done.set()
    assert error.value.type == "ConnectionError"


MANIFEST = "makecomapp.json"
TYPE = "components/module/getProfile/moduleType"


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (MANIFEST, put(TYPE, "responder"), "the module type 'responder'"),
        (BASE, put("qs", {}), "in base: ['qs']"),
        (GET, put("temp", {}), "in request: ['temp']"),
        (GET, put("response/wrapper", {}), "in response: ['wrapper']"),
        (GET, put("response/valid/code", 1), "in valid: ['code']"),
        (GET, put("response/iterate", "{{body}}"), "iterate in a module that answers one object"),
        (GET, put("response/output", "{{body.handle}}"), "a bundle that is no object"),
        (GET, put("url", "https://example.com/x"), "is not below the base URL"),
        (GET, put("log", {"level": 1}), "in log: ['level']"),
        (GET, put("log", {"sanitize": ["headers.authorization"]}), "the log has no 'headers'"),
        (GET_FORM, put("0/validate", {}), "a parameter's {'validate'}"),
        (GET_FORM, put("0/type", "color"), "the parameter type 'color'"),
    ],
)
def test_what_was_not_learned_stops_the_run(
    connector: FakeUpstream, path: str, change: Change, message: str
) -> None:
    """Skipping a directive would pass an app that does something else in Make."""
    connector.answers("x", reply(200, {"handle": "x"}))
    app = broken(APP, path, change)
    with pytest.raises(UnknownToEmulator) as refusal:
        Runner(app, connector.url).run("getProfile", CONNECTION, handle="x")
    assert message in str(refusal.value)


HOOK = "webhooks/newVideo/newVideo"
INSTANT = "newVideoInstant"


def be_told(runner: Runner) -> Any:
    """The bundle of one event, from the webhook's beginning to its end."""
    hook = runner.attach(INSTANT, CONNECTION, "https://hook.make.com/1", handles=["x"])
    bundle = runner.receive(INSTANT, hook, {"id": "1"})
    runner.detach(hook)
    return bundle


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (MANIFEST, put("components/webhook/newVideo/webhookType", "web-shared"), "'web-shared'"),
        (MANIFEST, put(f"components/module/{INSTANT}/moduleType", "trigger"), "no instant trigger"),
        (f"{HOOK}.attach.iml.json", put("repeat", {}), "in request: ['repeat']"),
        (f"{HOOK}.attach.iml.json", put("response/expires", 1), "in response: ['expires']"),
        (f"{HOOK}.communication.iml.json", put("respond", {}), "in a webhook: ['respond']"),
        (
            f"{HOOK}.communication.iml.json",
            put("output", "{{body.id}}"),
            "bundle that is no object",
        ),
        (
            f"modules/{INSTANT}/{INSTANT}.communication.iml.json",
            put("url", "/x"),
            "in an instant trigger: ['url']",
        ),
        (
            f"modules/{INSTANT}/{INSTANT}.static-params.iml.json",
            lambda form: form.append({"name": "x"}),
            "with a form of its own",
        ),
        (f"{HOOK}.detach.iml.json", put("condition", "x"), "in request: ['condition']"),
    ],
)
def test_what_was_not_learned_of_webhooks_stops_the_run(
    connector: FakeUpstream, path: str, change: Change, message: str
) -> None:
    connector.answers("None", reply(200, {"id": "7"}))
    runner = Runner(broken(APP, path, change), connector.url)
    with pytest.raises(UnknownToEmulator) as refusal:
        be_told(runner)
    assert message in str(refusal.value)


def test_webhook_is_attached_and_detached_as_a_person_does_it(connector: FakeUpstream) -> None:
    """With the form and the address in the one request, and what that answered in the other."""
    connector.answers("None", reply(200, {"id": "7", "secret": "whsec_1"}))
    runner = Runner(APP, connector.url)
    assert be_told(runner) == {"id": "1"}
    connector.received.clear()
    hook = runner.attach(
        "followerMilestoneInstant",
        CONNECTION,
        "https://hook.make.com/1",
        handles=["x", "y"],
        every=5,
    )
    assert hook.data == {"url": "https://hook.make.com/1", "externalHookId": "7"}
    runner.detach(hook)
    made, ended = connector.received
    inputs = made.body.pop("inputs")
    assert made.body == {
        "trigger": "follower_milestone",
        "target_url": "https://hook.make.com/1",
    }
    assert (inputs["handles"], inputs["thresholds"], inputs["every"]) == ("x,y", "", 5)
    assert inputs["poll_interval_seconds"] is None
    assert (ended.path, ended.body) == ("/make/hooks/7", None)
    assert {r.headers["authorization"] for r in (made, ended)} == {"Bearer sk_mine"}
    assert runner.log[0]["response"]["body"] == {"id": "7", "secret": "[sanitized]"}


def test_unknown_field_of_a_form_stops_the_run(connector: FakeUpstream) -> None:
    with pytest.raises(UnknownToEmulator, match="the form has no field"):
        Runner(APP, connector.url).run("getProfile", CONNECTION, handle="x", name="y")


def test_unknown_error_type_stops_the_run(connector: FakeUpstream) -> None:
    connector.answers("x", reply(404, {"error": "No."}))
    app = broken(APP, BASE, put("response/error/404/type", "NotFoundError"))
    with pytest.raises(UnknownToEmulator, match="the error type 'NotFoundError'"):
        Runner(app, connector.url).run("getProfile", CONNECTION, handle="x")


def test_unknown_pagination_stops_the_run(connector: FakeUpstream) -> None:
    app = broken(APP, FIND, put("pagination/url", "/y"))
    with pytest.raises(UnknownToEmulator, match="in pagination"):
        Runner(app, connector.url).run("findProfile", CONNECTION, handle="x")


def test_unknown_metadata_stops_the_connection(connector: FakeUpstream) -> None:
    app = broken(APP, TEST, put("response/metadata/color", "red"))
    with pytest.raises(UnknownToEmulator, match="in metadata: \\['color'\\]"):
        Runner(app, connector.url).connect(apiKey="sk_mine")


def test_redirect_stops_the_run(connector: FakeUpstream) -> None:
    connector.answers("x", reply(301, {}, {"Location": "/y"}))
    with pytest.raises(UnknownToEmulator, match="a redirect"):
        Runner(APP, connector.url).run("getProfile", CONNECTION, handle="x")


def test_rows_that_are_no_list_stop_the_run(connector: FakeUpstream) -> None:
    connector.answers("None", reply(200, {"items": None}))
    with pytest.raises(UnknownToEmulator, match="iterate over what is no list"):
        Runner(APP, connector.url).run("findProfile", CONNECTION, handle="x")


def test_module_may_add_to_what_it_inherits(connector: FakeUpstream) -> None:
    connector.answers("x", reply(200, {"handle": "x"}))
    app = broken(APP, GET, put("headers", {"X-Other": "1"}))
    Runner(app, connector.url).run("getProfile", CONNECTION, handle="x")
    (request,) = connector.received
    assert request.headers["x-other"] == "1"
    assert request.headers["authorization"] == "Bearer sk_mine"
