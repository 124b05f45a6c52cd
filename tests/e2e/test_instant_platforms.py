"""Instant triggers and their actions on each platform: from the form to the row that steps map.

A connector and its worker as real processes, a profile that changes, a receiver in the platform's place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from schemas.catalog import CATALOG
from schemas.fields import declared_fields
from schemas.hooks import Hook
from tests.e2e.test_instant import KEY, Product, post_video, running_product
from tests.make_app.app import load
from tests.make_app.checks.values import row_faults
from tests.make_app.form import MakeError
from tests.make_app.runner import Connection, Runner
from tests.running import (
    ROOT,
    FakeUpstream,
    Received,
    fake_upstream,
    reply,
    until,
)
from tests.watched import profile
from tests.zapier.checks import lint_hook_payload, lint_live
from tests.zapier.engine import PACKAGE, Engine, ZapierError, running_engine

APP = load(ROOT / "platforms" / "make")
DEFINITION: dict[str, Any] = json.loads((PACKAGE / "definition.json").read_text("utf-8"))
SECRET = "whsec_"


@pytest.fixture(scope="module")
def receiver() -> Iterator[FakeUpstream]:
    with fake_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def product(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with (
        running_product(tmp_path_factory.mktemp("platforms"), upstream) as product,
        product.worker(),
    ):
        yield product


@pytest.fixture(scope="module")
def engine(product: Product) -> Iterator[Engine]:
    with running_engine(product.server.url) as running:
        yield running


@pytest.fixture
def make(product: Product) -> Runner:
    return Runner(APP, product.server.url)


def there(upstream: FakeUpstream, receiver: FakeUpstream, name: str) -> None:
    """A profile with two videos, whose events the receiver takes."""
    upstream.answers(name, reply(200, profile(name)))
    receiver.answers(name, reply(200, {}))


def at(receiver: FakeUpstream, path: str, name: str) -> list[Received]:
    return [event for event in receiver.asked_for(name) if event.path == path]


def test_zaps_are_told_each_for_itself_until_they_are_switched_off(
    product: Product, engine: Engine, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """Two of one account, with the same input: what one is told, and when it ends, is its own affair."""
    there(upstream, receiver, "zaps")
    bundle = {"inputData": {"handles": ["@Zaps"]}, "api_key": KEY}
    one, other = (
        engine.hook("new_video", "performSubscribe", targetUrl=f"{receiver.url}/zap/{n}", **bundle)
        for n in (1, 2)
    )
    (shown,) = engine.hook("new_video", "performList", **bundle)
    post_video(upstream, "zaps")
    for path in ("/zap/1", "/zap/2"):
        (event,) = until(partial(at, receiver, path, "zaps"))
        (row,) = engine.hook("new_video", "perform", cleanedRequest=event.body)
        assert row["latest_video_id"] == "zaps-v3"
        assert list(row) == list(shown)
        assert lint_hook_payload("triggers.new_video_instant", shown, row) == []
        step = DEFINITION["triggers"]["new_video_instant"]
        assert lint_live("triggers.new_video_instant", step, [row]) == []
    for deleted in (True, False):
        ended = engine.hook("new_video", "performUnsubscribe", api_key=KEY, subscribeData=one)
        assert ended == {"id": one["id"], "deleted": deleted}
    upstream.answers("zaps", reply(200, profile("zaps", videos=4)))
    until(lambda: len(at(receiver, "/zap/2", "zaps")) == 2)
    assert len(at(receiver, "/zap/1", "zaps")) == 1
    engine.hook("new_video", "performUnsubscribe", api_key=KEY, subscribeData=other)


def test_scenario_is_told_until_its_webhook_is_deleted(
    product: Product, make: Runner, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """What was typed reaches the connector, one bundle comes out, and the log tells no secrets."""
    there(upstream, receiver, "scenario")
    connection = make.connect(apiKey=KEY)
    hook = make.attach(
        "newVideoInstant",
        connection,
        f"{receiver.url}/make",
        handles=["@Scenario"],
        pollIntervalSeconds=1,
    )
    (row,) = product.call("GET", "/make/hooks")["items"]
    assert (row["id"], row["handles"]) == (hook.data["externalHookId"], ["scenario"])
    post_video(upstream, "scenario")
    (event,) = until(lambda: at(receiver, "/make", "scenario"))
    bundle = make.receive("newVideoInstant", hook, event.body)
    assert row_faults(APP, "newVideoInstant", bundle) == []
    assert (bundle["latest_video_id"], bundle["request_source"]) == ("scenario-v3", "MAKE_DOT_COM")
    for deleted in (True, False):
        assert make.detach(hook).body == {"id": row["id"], "deleted": deleted}
    assert product.call("GET", "/make/hooks")["items"] == []
    log = json.dumps(make.log)
    assert KEY not in log
    assert SECRET not in log


WATCHED: dict[str, dict[str, Any]] = {
    "newVideo": {},
    "profileChanged": {"watchedFields": ["user_nickname"]},
    "followerMilestone": {"thresholds": [1500, 2000]},
    "statsSnapshot": {"frequency": "weekly"},
    "profileUnavailable": {"pollIntervalSeconds": None},
}


@pytest.mark.parametrize("trigger", WATCHED)
def test_every_webhook_subscribes_to_its_own_trigger(
    product: Product, make: Runner, receiver: FakeUpstream, trigger: str
) -> None:
    connection = make.connect(apiKey=f"{KEY}_{trigger}")
    given = {"handles": ["make.a", "@Make.B"], **WATCHED[trigger]}
    hook = make.attach(f"{trigger}Instant", connection, f"{receiver.url}/{trigger}", **given)
    made = make.log[-1]["response"]["body"]
    keys = {t.watch_label: t.key for t in CATALOG.triggers}
    assert made["trigger"] == keys[APP.components("webhook")[trigger]["label"]]
    assert made["handles"] == ["make.a", "make.b"]
    make.detach(hook)


def test_every_webhook_was_tried() -> None:
    assert set(WATCHED) == set(APP.components("webhook"))


@pytest.mark.parametrize(
    ("key", "target", "given", "kind", "start"),
    [
        ("", "https://hook.make.com/1", {"handles": ["a.b"]}, "InvalidAccessTokenError", "[401]"),
        (KEY, "http://hook.make.com/1", {"handles": ["a.b"]}, "DataError", "[400] target_url: Use"),
        (KEY, "https://hook.make.com/1", {"handles": []}, "DataError", "[400] handles: "),
        (KEY, "https://hook.make.com/1", {}, "BundleValidationError", "Missing value of required"),
    ],
    ids=["key", "target", "empty list", "nothing"],
)
def test_webhook_that_can_not_be_made_says_why(
    make: Runner, key: str, target: str, given: dict[str, Any], kind: str, start: str
) -> None:
    with pytest.raises(MakeError) as error:
        make.attach("newVideoInstant", Connection({"apiKey": key}, "", ""), target, **given)
    assert error.value.type == kind
    assert error.value.message.startswith(start)


def watch(product: Product, engine: Engine, platform: str, **inputs: Any) -> tuple[Any, Any]:
    """A subscription made by the platform's action, and what ends it."""
    if platform == "zapier":
        made = engine.run("creates.watch_profile.operation.perform", api_key=KEY, **inputs)
        end = "creates.unwatch_profile.operation.perform"
        return made, lambda: engine.run(end, api_key=KEY, id=made["id"])
    if platform == "make":
        runner = Runner(APP, product.server.url)
        connection = runner.connect(apiKey=KEY)
        renamed = {"targetUrl": inputs["target_url"]}
        given = {name: inputs[name] for name in ("trigger", "handles")}
        (made,) = runner.run("watchProfile", connection, **given, **renamed)
        assert row_faults(APP, "watchProfile", made) == []
        assert SECRET not in json.dumps(runner.log)
        return made, lambda: runner.run("unwatchProfile", connection, id=made["id"])[0]
    made = product.call("POST", "/api/actions/watch_profile", **inputs)
    return made, lambda: product.call("POST", "/api/actions/unwatch_profile", id=made["id"])


def test_step_of_a_workflow_watches_and_stops(
    product: Product, engine: Engine, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """It answers the subscription, with the secret that is shown only then; ending it twice is fine."""
    steps = {}
    for platform in ("zapier", "make", "api"):
        name = f"step.{platform}"
        there(upstream, receiver, name)
        given = {"trigger": "new_video", "target_url": f"{receiver.url}/step", "handles": [name]}
        steps[name] = watch(product, engine, platform, **given)
    for name in steps:
        post_video(upstream, name)
    for name, (made, end) in steps.items():
        assert list(made) == list(declared_fields(Hook))
        assert made["secret"].startswith(SECRET)
        (event,) = until(partial(at, receiver, "/step", name))
        assert event.body["latest_video_id"] == f"{name}-v3"
        assert end() == {"id": made["id"], "deleted": True}
        assert end() == {"id": made["id"], "deleted": False}


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"target_url": "http://x.example.com"}, "target_url: Use an address that starts with"),
        ({"trigger": "follower_milestone"}, "thresholds: Give thresholds, or a number in every."),
        ({"trigger": "nothing"}, "trigger: Must be one of: new_video, "),
        ({"handles": []}, "handles: "),
        ({"handles": ["a b"]}, "The handle holds white space"),
        ({"frequency": "never"}, "frequency: Must be one of: hourly, "),
    ],
)
def test_step_that_can_not_watch_says_why(
    engine: Engine, changes: dict[str, Any], start: str
) -> None:
    inputs = {"trigger": "new_video", "target_url": "https://a.example.com", "handles": ["ada"]}
    with pytest.raises(ZapierError) as caught:
        engine.run("creates.watch_profile.operation.perform", api_key=KEY, **{**inputs, **changes})
    assert (caught.value.name, caught.value.detail["status"]) == ("AppError", 400)
    assert caught.value.message.startswith(start)
