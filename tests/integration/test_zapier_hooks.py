"""Instant triggers as Zapier goes through them: its real engine, in front of a real connector."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.domain.errors import ProfileNotFound
from schemas.catalog import CATALOG
from schemas.fields import declared_fields
from schemas.hooks import Hook
from tests.running import NODE, ROOT, FakeUpstream, Server, clean_environment, reply
from tests.watched import MISSING_HANDLE, Watching, database, profile
from tests.zapier.checks import lint_hook_payload, lint_live
from tests.zapier.engine import PACKAGE, Engine, ZapierError, running_engine

DEFINITION: dict[str, Any] = json.loads((PACKAGE / "definition.json").read_text("utf-8"))
TARGET = "https://hooks.zapier.com/hooks/standard/1/2/"
# As the editor sends them: lists, a number as text, and fields that were left or made empty.
INPUTS: dict[str, dict[str, Any]] = {
    "new_video": {"poll_interval_seconds": ""},
    "profile_changed": {"watched_fields": ["user_nickname", "user_verified"]},
    "follower_milestone": {"thresholds": ["2000", "", "20000"], "every": ""},
    "stats_snapshot": {"frequency": "daily", "poll_interval_seconds": "3600"},
    "profile_unavailable": {},
}
HAPPENING: dict[str, Any] = {
    "new_video": profile("ada", videos=3),
    "profile_changed": profile("ada", nickname="Ada Bakes"),
    "follower_milestone": profile("ada", stats={"followerCount": 2500}),
    "stats_snapshot": profile("ada"),
    "profile_unavailable": ProfileNotFound(),
}
triggers = pytest.mark.parametrize("trigger", [trigger.key for trigger in CATALOG.triggers])


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Engine]:
    with running_engine(server.url) as running:
        yield running


def given(trigger: str) -> dict[str, Any]:
    return {"handles": ["ada.x", " ", "@Bo_x"], **INPUTS[trigger]}


def subscribe(engine: Engine, trigger: str, key: str, target: str = TARGET, **inputs: Any) -> Any:
    """What Zapier keeps with a Zap that is switched on."""
    filled_in = inputs or given(trigger)
    return engine.hook(
        trigger, "performSubscribe", api_key=key, inputData=filled_in, targetUrl=target
    )


def unsubscribe(engine: Engine, trigger: str, key: str, kept: Any) -> Any:
    return engine.hook(
        trigger, "performUnsubscribe", api_key=key, subscribeData=kept, targetUrl=TARGET
    )


def listed(server: Server, key: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{server.url}/zapier/hooks", headers={"X-API-Key": key}, timeout=60)
    rows: list[dict[str, Any]] = answer.json()
    return rows


@triggers
def test_zap_is_switched_on_and_off(engine: Engine, server: Server, trigger: str) -> None:
    """The inputs arrive as the person meant them; off twice is no error, and nothing is charged."""
    key, key_id = server.new_key(credits=2)
    kept = subscribe(engine, trigger, key)
    (row,) = listed(server, key)
    assert (row["id"], row["trigger"], row["target_url"]) == (kept["id"], trigger, TARGET)
    assert row["handles"] == ["ada.x", "bo_x"]
    assert row["poll_interval_seconds"] == (3600 if trigger == "stats_snapshot" else 900)
    assert unsubscribe(engine, trigger, key, kept) == {"id": kept["id"], "deleted": True}
    assert unsubscribe(engine, trigger, key, kept) == {"id": kept["id"], "deleted": False}
    assert listed(server, key) == []
    assert server.credits_of(key_id) == 2


def test_zaps_of_one_account_are_apart(engine: Engine, server: Server) -> None:
    """Also where they ask for the same; switching one off leaves the other."""
    key, _ = server.new_key()
    one, other = (subscribe(engine, "new_video", key, f"{TARGET}{n}") for n in (1, 2))
    unsubscribe(engine, "new_video", key, one)
    (row,) = listed(server, key)
    assert (row["id"], row["target_url"]) == (other["id"], f"{TARGET}2")


def test_signing_secret_is_not_kept_with_the_zap(engine: Engine, server: Server) -> None:
    """Nothing of Zapier's checks it, and what a Zap keeps is seen by more people than its owner."""
    key, _ = server.new_key()
    kept = subscribe(engine, "new_video", key)
    assert list(kept) == [name for name in declared_fields(Hook) if name != "secret"]


def test_zapiers_log_shows_no_secret(server: Server) -> None:
    """Its engine logs each request and answer; it censors by the name that the secret goes by."""
    key, _ = server.new_key()
    event = {
        "command": "execute",
        "method": "triggers.new_video_instant.operation.performSubscribe",
        "bundle": {
            "authData": {"api_key": key},
            "inputData": given("new_video"),
            "targetUrl": TARGET,
        },
        "logToStdout": True,
        "detailedLogToStdout": True,
    }
    log = subprocess.check_output(
        [NODE, str(ROOT / "tests/zapier/engine.js"), str(PACKAGE)],
        input=json.dumps(event),
        env=clean_environment(BASE_URL=server.url, NODE_ENV="test"),
        text=True,
        timeout=60,
    )
    assert '"secret":":censored:' in log
    assert "whsec_" not in log
    assert key not in log


@pytest.mark.parametrize(
    ("target", "inputs", "start"),
    [
        ("http://hooks.zapier.com/1", {"handles": ["ada"]}, "target_url: Use an address that st"),
        (TARGET, {"handles": []}, "handles: "),
        (TARGET, {"handles": ["", " "]}, "handles: Length must be between 1 and 50."),
        (TARGET, {"handles": ""}, "handles: Missing data for required field."),
        (TARGET, {"handles": ["ada", "a b"]}, "The handle holds white space"),
    ],
    ids=["target", "empty list", "blank list", "nothing", "no handle"],
)
def test_zap_that_can_not_be_switched_on_says_why(
    engine: Engine, server: Server, target: str, inputs: dict[str, Any], start: str
) -> None:
    key, _ = server.new_key()
    with pytest.raises(ZapierError) as caught:
        subscribe(engine, "new_video", key, target, **inputs)
    assert (caught.value.name, caught.value.detail["status"]) == ("AppError", 400)
    assert caught.value.message.startswith(start)
    assert listed(server, key) == []


@pytest.mark.parametrize("step", ["performSubscribe", "performUnsubscribe", "performList"])
def test_bad_key_asks_for_a_new_connection(engine: Engine, step: str) -> None:
    bundle = {"inputData": given("new_video"), "targetUrl": TARGET, "subscribeData": {"id": "x"}}
    with pytest.raises(ZapierError) as caught:
        engine.hook("new_video", step, api_key="sk_wrong", **bundle)
    sentence = "API key is invalid or missing. Reconnect the account with an active API key."
    assert (caught.value.name, caught.value.message.splitlines()[0]) == (
        "ExpiredAuthError",
        sentence,
    )


def test_steps_that_watch_and_stop_cost_nothing(engine: Engine, server: Server) -> None:
    """And answer what their definition promises; a subscription of one key is no other's to end."""
    (key, key_id), (other, _) = server.new_key(credits=2), server.new_key()
    watch, unwatch = (f"creates.{name}_profile.operation.perform" for name in ("watch", "unwatch"))
    inputs = {"trigger": "stats_snapshot", "target_url": TARGET, "handles": ["ada"]}
    made = engine.run(watch, api_key=key, frequency="", every="", thresholds=[], **inputs)
    stolen = engine.run(unwatch, api_key=other, id=made["id"])
    ended = engine.run(unwatch, api_key=key, id=made["id"])
    assert (stolen["deleted"], ended["deleted"]) == (False, True)
    for name, row in (("watch_profile", made), ("unwatch_profile", ended)):
        assert lint_live(f"creates.{name}", DEFINITION["creates"][name], [row]) == []
    assert server.credits_of(key_id) == 2


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    with database(f"sqlite:///{tmp_path}/connector.db", new=True) as engine:
        yield Watching(engine)


def delivered(watching: Watching, trigger: str) -> dict[str, Any]:
    """What is sent when what the trigger waits for has happened."""
    inputs = {"handles": ["ada"], "thresholds": [2000]}
    watching.hooks.subscribe(trigger, TARGET, inputs, watching.caller())
    watching.profiles.answers["ada"] = profile("ada")
    watching.look()
    watching.clock.move(days=1)
    watching.profiles.answers["ada"] = HAPPENING[trigger]
    watching.look()
    (sent,) = watching.deliver()
    return sent.body


@pytest.fixture(scope="module")
def front_engine(front: Server, upstream: FakeUpstream) -> Iterator[Engine]:
    """In front of the same profile as the deliveries below are about."""
    upstream.answers("None", reply(400, MISSING_HANDLE))
    upstream.answers("ada", reply(200, profile("ada")))
    with running_engine(front.url) as running:
        yield running


@triggers
def test_delivery_has_the_shape_of_the_list(
    front_engine: Engine, watching: Watching, trigger: str
) -> None:
    """What was mapped from the list, before anything happened, is there when it happens."""
    inputs = {"handles": ["ada"], **INPUTS[trigger]}
    first = front_engine.hook(trigger, "performList", api_key="sk_shape", inputData=inputs)
    again = front_engine.hook(trigger, "performList", api_key="sk_shape", inputData=inputs)
    body = delivered(watching, trigger)
    (row,) = front_engine.hook(trigger, "perform", cleanedRequest=body)
    assert row == body
    where = f"triggers.{trigger}_instant"
    step = DEFINITION["triggers"][f"{trigger}_instant"]
    for (shown,) in (first, again):
        assert list(shown) == list(row)
        assert lint_hook_payload(where, shown, row) == []
        assert lint_live(where, step, [shown, row]) == []
