"""Test events: what a receiver gets before anything happened, without cost and without a flood."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from connector.domain.deliveries import Outcome
from connector.domain.errors import InvalidApiKey, NotFound, RateLimited
from connector.domain.platforms import PLATFORMS, Platform
from schemas.catalog import CATALOG
from schemas.events import EventRow
from schemas.fields import declared_fields
from tests.integration.test_delivering import FAILED, A, listed, post_video, subscribe
from tests.watched import Watching, profile

TRIGGERS = [trigger.key for trigger in CATALOG.triggers]


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not yet seen"])
def test_it_has_the_form_of_the_events_of_its_trigger(
    watching: Watching, trigger: str, seen: bool
) -> None:
    """With what was last seen of the profile, where it was; nothing is looked at, or paid."""
    made = subscribe(watching, trigger=trigger, thresholds=[1], every=None)
    if seen:
        watching.profiles.answers["ada"] = profile(nickname="Ada L.")
        watching.look()
    asked = list(watching.profiles.asked)
    answer = watching.hooks.test(made["id"], watching.caller())
    (sent,) = watching.deliver()
    assert watching.profiles.asked == asked
    keys = list(declared_fields(EventRow))
    assert list(sent.body)[: len(keys)] == keys
    assert sent.body["event_id"] == sent.body["id"]
    assert sent.body["event_id"].startswith("test:")
    assert sent.body["occurred_at"] == "2026-11-24T12:30:00.000Z"
    assert sent.body["user_nickname"] == ("Ada L." if seen else "Dave Portnoy")
    assert sent.body["request_source"] == "ZAPIER"
    (row,) = listed(watching)
    assert (row["id"], row["state"], answer["state"]) == (answer["id"], "delivered", "pending")


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.key)
def test_declared_sample_is_of_the_platform(watching: Watching, platform: Platform) -> None:
    caller = watching.caller(platform=platform.key)
    made = watching.hooks.subscribe("new_video", A, {"handles": ["ada"]}, caller)
    watching.hooks.test(made["id"], caller)
    (sent,) = watching.deliver()
    assert sent.body["request_source"] == platform.request_source


def test_what_happens_is_told_beside_it(watching: Watching) -> None:
    made = subscribe(watching)
    watching.hooks.test(made["id"], watching.caller())
    post_video(watching)
    assert [one.body["id"][:5] for one in watching.deliver()] == ["test:", "id-ad"]


def test_another_has_to_wait(watching: Watching) -> None:
    """Else one who subscribes somebody else's address could flood it with tests."""
    made = subscribe(watching)
    watching.hooks.test(made["id"], watching.caller())
    for deliver in (False, True):
        if deliver:
            assert len(watching.deliver()) == 1
        with pytest.raises(RateLimited) as refused:
            watching.hooks.test(made["id"], watching.caller())
        assert refused.value.retry_after_seconds == 10
    watching.clock.move(seconds=10)
    watching.hooks.test(made["id"], watching.caller())
    (sent,) = watching.deliver()
    assert len({row["event_id"] for row in listed(watching)}) == 2
    assert sent.body["event_id"] == listed(watching)[0]["event_id"]


def test_one_that_is_being_sent_is_waited_for(watching: Watching) -> None:
    made = subscribe(watching)
    watching.hooks.test(made["id"], watching.caller())
    (claimed,) = watching.claim()
    watching.clock.move(seconds=30)
    with pytest.raises(RateLimited):
        watching.hooks.test(made["id"], watching.caller())
    watching.courier.deliver(claimed)
    watching.clock.move(seconds=10)
    watching.hooks.test(made["id"], watching.caller())
    assert len(watching.deliver()) == 1


def test_one_that_failed_is_sent_again_rather_than_another(watching: Watching) -> None:
    """Whoever mends a receiver need not wait for hours, and what waits never becomes more."""
    made = subscribe(watching)
    watching.receivers.answers[A] = FAILED
    watching.hooks.test(made["id"], watching.caller())
    assert len(watching.deliver()) == 1
    watching.clock.move(seconds=6)
    assert len(watching.deliver()) == 1
    del watching.receivers.answers[A]
    watching.clock.move(seconds=10)
    assert watching.deliver() == []
    watching.hooks.test(made["id"], watching.caller())
    assert len(watching.deliver()) == 1
    assert len({one.webhook_id for one in watching.receivers.sent}) == 1
    assert [row["state"] for row in listed(watching)] == ["delivered"]


def test_many_at_once_are_one(watching: Watching) -> None:
    made = subscribe(watching)

    def ask(_: int) -> bool:
        try:
            watching.hooks.test(made["id"], watching.caller())
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(ask, range(20))) == 1
    assert len(watching.deliver()) == 1


def test_ended_subscription_is_active_again(watching: Watching) -> None:
    """As after a replay; a receiver that still wants no more ends it again at once."""
    made = subscribe(watching)
    watching.receivers.answers[A] = Outcome(410, "The receiver answered 410.")
    watching.hooks.test(made["id"], watching.caller())
    watching.deliver()
    assert watching.hooks.listed(watching.caller())[0]["state"] == "disabled"
    watching.receivers.answers.clear()
    watching.clock.move(seconds=10)
    watching.hooks.test(made["id"], watching.caller())
    assert len(watching.deliver()) == 1
    assert watching.hooks.listed(watching.caller())[0]["state"] == "active"


def test_only_the_subscriptions_owner_sends_one(watching: Watching) -> None:
    """Nobody's and another's are the same; a key that does not work is told so."""
    made = subscribe(watching)
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    for subscription_id, api_key in (("x", "sk_a"), ("a\0b", "sk_a"), (made["id"], "sk_b")):
        with pytest.raises(NotFound):
            watching.hooks.test(subscription_id, watching.caller(api_key))
    with pytest.raises(InvalidApiKey):
        watching.hooks.test(made["id"], watching.caller("sk_bad"))
    assert watching.deliver() == []
