"""Requests to incoming webhooks on each database: each is kept for its owner, and none depends on that."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine

from connector.adapters.store.tables import WebhookCall
from connector.adapters.store.webhooks import Webhooks as Store
from connector.domain.errors import (
    ConnectorError,
    InvalidInput,
    NotFound,
    ProfileNotFound,
    RateLimited,
    UpstreamUnavailable,
)
from connector.domain.signatures import Signed
from connector.domain.webhooks import Call, Sent
from connector.services.calls import DOOR_A_MINUTE
from schemas import webhooks as schemas
from schemas.fields import declared_fields
from tests.integration.test_history import Remembering
from tests.integration.test_webhooks import TARGET, fire, make
from tests.watched import ToldProfiles, Watching, database, profile
from wire.database import writing


@pytest.fixture
def watching(engine: Engine) -> Remembering:
    watching = Remembering(engine)
    watching.profiles.answers["ada"] = profile()
    return watching


def refuse(watching: Watching, made: dict[str, Any], handle: str = "ada", **asked: str) -> str:
    """The code of the error that it ends with."""
    with pytest.raises(ConnectorError) as caught:
        fire(watching, made, handle, **asked)
    return caught.value.code


def calls(watching: Watching, made: dict[str, Any]) -> list[dict[str, Any]]:
    return watching.webhooks.calls(made["id"], watching.caller())


def test_every_way_in_which_a_call_ends_is_told_newest_first(watching: Watching) -> None:
    """What went well, what was not found, what could not be understood, and what was not let in."""
    made = make(watching, signature_style="github", signature_secret="at least 8", daily_credits=4)
    signed = {"X-Hub-Signature-256": "sha256=00"}
    open_one = make(watching, daily_credits=2, requests_per_minute=5)
    fire(watching, open_one)
    watching.profiles.answers["bo"] = UpstreamUnavailable()
    watching.clock.move(minutes=2)
    codes = [
        refuse(watching, open_one, "bo"),
        refuse(watching, open_one, "a b"),
        refuse(watching, make(watching), "nobody"),
    ]
    assert codes == ["budget_exceeded", "invalid_handle", "profile_not_found"]
    assert [refuse(watching, made, **headers) for headers in ({}, signed)] == [
        "invalid_signature"
    ] * 2
    found = calls(watching, open_one)
    assert [list(call) for call in found] == [list(declared_fields(schemas.WebhookCall))] * 3
    assert [(call["handle"], call["error_code"]) for call in found] == [
        (None, "invalid_handle"),
        ("bo", "budget_exceeded"),
        ("ada", None),
    ]
    assert [call["error"] for call in found] == [
        "The handle holds white space or control characters. Use a single name.",
        "This webhook has spent its 2 credits for today (UTC).",
        None,
    ]
    assert [call["error_code"] for call in calls(watching, made)] == ["invalid_signature"] * 2
    assert "signature" in calls(watching, made)[0]["error"]


class SlowProfiles(ToldProfiles):
    clock: Any

    def call(self, *given: Any, **named: Any) -> Any:
        self.clock.move(seconds=1.25)
        return super().call(*given, **named)


def test_time_from_the_first_to_the_answer_is_told(watching: Watching) -> None:
    began = watching.clock.now()
    slow = SlowProfiles(watching.profiles.answers)
    slow.clock = watching.clock
    firing = replace(watching.firing, lookups=replace(watching.lookups, profiles=slow))
    made = make(watching)
    watching.firing = firing
    fire(watching, made)
    (call,) = calls(watching, made)
    assert call["milliseconds"] == 1250
    assert datetime.fromisoformat(call["called_at"]) == began


@pytest.mark.parametrize(
    "given",
    [{"mode": "forward", "target_url": TARGET}, {"mode": "callback", "target_url": TARGET}],
    ids=["forward", "callback"],
)
def test_what_goes_elsewhere_is_a_call_too(watching: Watching, given: dict[str, str]) -> None:
    made = make(watching, **given)
    fire(watching, made)
    assert [(call["handle"], call["error_code"]) for call in calls(watching, made)] == [
        ("ada", None)
    ]


def test_newest_fifty_of_each_are_kept(watching: Remembering) -> None:
    """However many another webhook has."""
    made, other = make(watching), make(watching)
    fire(watching, other)
    for n in range(53):
        watching.profiles.answers[f"p{n}"] = ProfileNotFound()
        refuse(watching, made, f"p{n}")
    assert [call["handle"] for call in calls(watching, made)] == [f"p{n}" for n in range(52, 2, -1)]
    assert watching.count(WebhookCall) == 51
    assert len(calls(watching, other)) == 1


def test_flood_writes_a_row_a_minute(watching: Remembering, database_url: str) -> None:
    """Over many threads of two processes; or it would push out what its owner looks for."""
    made = make(watching, requests_per_minute=2)
    for _ in range(2):
        fire(watching, made)
    with database(database_url) as engine, ThreadPoolExecutor(16) as pool:
        rival = Watching(engine)
        rival.clock.time = watching.clock.time
        both = [watching, rival]
        codes = pool.map(lambda n: refuse(both[n % 2], made), range(40))
        assert Counter(codes) == {"rate_limited": 40}
    assert [call["error_code"] for call in calls(watching, made)] == ["rate_limited", None, None]
    watching.clock.move(minutes=1)
    for _ in range(2):
        fire(watching, made)
    refuse(watching, made)
    assert Counter(call["error_code"] for call in calls(watching, made)) == {
        "rate_limited": 2,
        None: 4,
    }


def test_first_refusals_of_a_minute_at_once_are_one(
    watching: Remembering, database_url: str
) -> None:
    """Each process looks first, and neither sees what the other is just writing."""
    made = make(watching)
    with database(database_url) as engine, ThreadPoolExecutor(2) as pool:
        stores = [Store(watching.engine), Store(engine)]
        for n in range(20):
            both = Barrier(2)
            now = watching.clock.now() + timedelta(minutes=n)
            call = Call(now, None, "rate_limited", "Too many.", 0)

            def keep(store: Store, both: Barrier = both, call: Call = call) -> None:
                both.wait()
                store.keep_call(made["id"], call, a_minute=1)

            list(pool.map(keep, stores))
    assert watching.count(WebhookCall) == 20


def test_limit_of_the_upstream_is_told_each_time(watching: Watching) -> None:
    """The webhook's own limit bounds how often: it is not the flood that one row stands for."""
    made = make(watching, requests_per_minute=3)
    watching.profiles.answers["bo"] = RateLimited()
    assert [refuse(watching, made, "bo") for _ in range(4)] == ["rate_limited"] * 4
    handles = [call["handle"] for call in calls(watching, made)]
    assert handles == [None, "bo", "bo", "bo"]


def test_unsigned_flood_is_bounded_too(watching: Remembering) -> None:
    """Whoever knows only the address is counted by no limit."""
    made = make(watching, signature_style="github")
    for _ in range(DOOR_A_MINUTE + 5):
        refuse(watching, made)
    assert watching.count(WebhookCall) == DOOR_A_MINUTE


def test_call_that_can_not_be_kept_is_answered_all_the_same(
    watching: Remembering, caplog: pytest.LogCaptureFixture
) -> None:
    """It has been paid for. The log says of what kind the failure was, and nothing else."""
    made = make(watching)
    with writing(watching.engine) as session:
        session.exec_driver_sql("ALTER TABLE webhook_calls RENAME TO gone")
    with caplog.at_level(logging.WARNING):
        assert fire(watching, made).row["handle"] == "ada"
        assert refuse(watching, made, "nobody") == "profile_not_found"
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert all(line.startswith("a call of a webhook was not kept (") for line in lines)
    assert not [record for record in caplog.records if record.exc_info]
    assert "ada" not in caplog.text


def test_fault_of_our_own_is_a_call_too(watching: Watching) -> None:
    class Broken(ToldProfiles):
        def call(self, *_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("planted")

    made = make(watching)
    watching.firing = replace(watching.firing, lookups=replace(watching.lookups, profiles=Broken()))
    with pytest.raises(ZeroDivisionError):
        fire(watching, made)
    (call,) = calls(watching, made)
    assert (call["handle"], call["error_code"]) == ("ada", "internal_error")
    assert "planted" not in call["error"]


def test_secret_in_a_sentence_is_not_kept(watching: Watching) -> None:
    made = make(watching)
    watching.profiles.answers["bo"] = InvalidInput("No such key: sk_planted_5b1d.")
    refuse(watching, made, "bo")
    assert calls(watching, made)[0]["error"] == "No such key: ***"


def test_only_the_owner_sees_calls_and_they_end_with_the_webhook(watching: Remembering) -> None:
    made = make(watching)
    fire(watching, made)
    for stranger in (watching.caller("sk_b"), watching.caller(platform="make")):
        with pytest.raises(NotFound):
            watching.webhooks.calls(made["id"], stranger)
    watching.webhooks.end(made["id"], watching.caller())
    assert watching.count(WebhookCall) == 0
    with pytest.raises(NotFound):
        calls(watching, made)


def test_unknown_address_is_nobodys_call(watching: Remembering) -> None:
    sent = Sent(Signed(lambda _: "", b""), "", b"")
    with pytest.raises(NotFound):
        watching.firing.admit("wh_unknown", sent)
    assert watching.count(WebhookCall) == 0
