"""Incoming webhooks on each database: whose they are, what they may cost, and how they end."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from connector.adapters.store.webhooks import Webhooks as Store
from connector.domain.deliveries import Outcome
from connector.domain.errors import (
    BudgetExceeded,
    InvalidApiKey,
    InvalidInput,
    InvalidSignature,
    NotFound,
    ProfileNotFound,
    RateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
    WebhookDisabled,
)
from connector.domain.jobs import NewRow
from connector.domain.signatures import Signed
from connector.domain.webhooks import Fired, Sent
from schemas.fields import declared_fields
from schemas.profile import ProfileRow
from schemas.webhooks import RotateInput, WebhookInput
from tests.watched import LEASE, Watching, database, profile

TARGET = "https://hooks.example.com/in"


@pytest.fixture
def watching(watching: Watching) -> Watching:
    for name in ("ada", "bo", "cy"):
        watching.profiles.answers[name] = profile(name)
    return watching


def make(watching: Watching, api_key: str = "sk_a", **given: Any) -> dict[str, Any]:
    asked = WebhookInput().load(given)
    return watching.webhooks.create(asked, watching.caller(api_key))


def fire(
    watching: Watching,
    made: dict[str, Any],
    handle: str = "ada",
    *,
    callback_url: str | None = None,
    **headers: str,
) -> Fired:
    body = json.dumps({"handle": handle, "callback_url": callback_url}).encode()
    sent = Sent(Signed(lambda name: headers.get(name, ""), body), "", b"")
    admitted = watching.firing.admit(made["url"].rpartition("/")[2], sent)
    return watching.firing.run(admitted, [json.loads(body)])


def test_result_that_comes_after_its_receiver_has_gone_is_a_dead_letter(
    watching: Watching,
) -> None:
    """It was paid for: it is to be seen, and sent when it is replayed, rather than to wait for ever."""
    made = make(watching, mode="forward", target_url=TARGET)
    watching.receivers.answers[TARGET] = Outcome(410, "The receiver answered 410.")
    (kept,) = watching.firing.store.listed(None)
    mine, carrier = kept.webhook.connection_id, kept.webhook.subscription_id
    fire(watching, made)
    watching.jobs.start([NewRow("bo")], mine, max_age_seconds=0, callback_id=carrier)
    assert len(watching.deliver()) == 1
    assert watching.work() == 1
    watching.forgetting.run()
    dead = watching.hooks.on_their_way("dead", watching.caller())
    assert sorted(row["attempts"] for row in dead) == [0, 1]
    assert all("410" in row["last_error"] for row in dead)
    watching.hooks.replay(int(dead[0]["id"]), watching.caller())
    watching.clock.move(seconds=1)
    assert len(watching.deliver()) == 1


def spent(watching: Watching, made: dict[str, Any]) -> Any:
    return watching.webhooks.one(made["id"], watching.caller())["credits_today"]


def test_webhook_looks_up_with_the_key_and_platform_of_its_maker(watching: Watching) -> None:
    made = make(watching, name="Form")
    assert made["url"].startswith("/webhooks/wh_")
    assert (made["mode"], made["daily_credits"], made["requests_per_minute"]) == ("answer", 100, 60)
    fired = fire(watching, made, "@Ada")
    assert list(fired.row) == list(declared_fields(ProfileRow))
    assert fired.row["request_source"] == "ZAPIER"
    assert watching.profiles.asked == [("ada", "ZAPIER")]


def test_address_and_secrets_are_shown_once(watching: Watching) -> None:
    made = make(watching, mode="forward", target_url=TARGET, signature_style="standard")
    assert all(made[key] for key in ("url", "signature_secret", "secret"))
    (listed,) = watching.webhooks.listed(watching.caller())
    hidden = dict.fromkeys(("url", "signature_secret", "secret"))
    assert listed == watching.webhooks.one(made["id"], watching.caller()) == {**made, **hidden}


def test_bad_key_makes_nothing(watching: Watching) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    for given in ({}, {"mode": "forward", "target_url": TARGET}):
        with pytest.raises(InvalidApiKey):
            make(watching, "sk_bad", **given)
    assert watching.firing.store.listed(None) == []


def test_bad_target_makes_nothing(watching: Watching) -> None:
    """Guarded as the targets of events are."""
    with pytest.raises(InvalidInput, match="target_url: Use a host name"):
        make(watching, mode="forward", target_url="https://169.254.169.254/latest")
    assert watching.firing.store.listed(None) == []


def test_nobody_else_sees_or_ends_it(watching: Watching) -> None:
    """Neither another key nor the same key on another platform."""
    made = make(watching)
    empty = RotateInput().load({})
    for other in (watching.caller("sk_b"), watching.caller("sk_a", "make")):
        assert watching.webhooks.listed(other) == []
        assert watching.webhooks.end(made["id"], other)["deleted"] is False
        with pytest.raises(NotFound):
            watching.webhooks.one(made["id"], other)
        with pytest.raises(NotFound):
            watching.webhooks.rotate(made["id"], empty, other)
    assert fire(watching, made).row["handle"] == "ada"


def test_look_ups_are_shared_with_no_other_key(watching: Watching) -> None:
    """Two accounts pay for themselves; a second request with one of them costs nothing."""
    first, second = make(watching, "sk_a"), make(watching, "sk_b")
    fired = [fire(watching, made) for made in (first, second, first)]
    assert [one.row["credits_used"] for one in fired] == [2, 2, 0]
    assert spent(watching, first) == 2


def test_ended_webhook_is_as_unknown_as_one_that_never_was(watching: Watching) -> None:
    made = make(watching)
    assert watching.webhooks.end(made["id"], watching.caller())["deleted"] is True
    assert watching.webhooks.end(made["id"], watching.caller())["deleted"] is False
    messages = []
    for url in (made["url"], "/webhooks/wh_x", "/webhooks/"):
        with pytest.raises(NotFound) as caught:
            fire(watching, {"url": url})
        messages.append((caught.value.message, caught.value.advice))
    assert len(set(messages)) == 1
    assert watching.profiles.asked == []


def test_new_address_ends_the_old_one(watching: Watching) -> None:
    made = make(watching)
    asked = RotateInput().load({})
    renewed = watching.webhooks.rotate(made["id"], asked, watching.caller())
    assert renewed["url"] != made["url"]
    assert renewed | {"url": None} == made | {"url": None}
    with pytest.raises(NotFound):
        fire(watching, made)
    assert fire(watching, renewed).row["handle"] == "ada"


@pytest.mark.parametrize("given", [None, "whsec_" + "QUFB" * 8], ids=["made", "given"])
def test_new_address_comes_with_a_new_signature_secret(
    watching: Watching, given: str | None
) -> None:
    made = make(watching, signature_style="standard")
    asked = RotateInput().load({"signature_secret": given})
    renewed = watching.webhooks.rotate(made["id"], asked, watching.caller())
    assert renewed["signature_secret"] not in (None, made["signature_secret"])
    assert given in (None, renewed["signature_secret"])
    kept = watching.firing.store.find(watching.caller().connection, made["id"])
    assert kept is not None
    assert watching.vault.open(kept.webhook.sealed_secret) == renewed["signature_secret"]
    with pytest.raises(InvalidSignature, match="webhook-signature is missing"):
        fire(watching, renewed)


def test_secret_that_the_style_can_not_have_is_refused(watching: Watching) -> None:
    with pytest.raises(InvalidInput, match="signature_secret: "):
        make(watching, signature_style="standard", signature_secret="too short")
    assert watching.firing.store.listed(None) == []


def test_day_ends_where_its_credits_do(watching: Watching) -> None:
    """Beyond them nothing is asked; at midnight UTC it goes on."""
    made = make(watching, daily_credits=4)
    for handle in ("ada", "bo"):
        fire(watching, made, handle)
    with pytest.raises(BudgetExceeded, match="spent its 4 credits for today"):
        fire(watching, made, "cy")
    assert len(watching.profiles.asked) == 2
    assert spent(watching, made) == 4
    watching.clock.move(hours=12)
    assert spent(watching, made) == 0
    assert fire(watching, made, "cy").row["handle"] == "cy"


def test_only_what_may_be_charged_counts(watching: Watching) -> None:
    made = make(watching, daily_credits=4)
    for error in (ProfileNotFound(), UpstreamUnavailable(), UpstreamTimeout()):
        watching.profiles.answers["bo"] = error
        watching.clock.move(seconds=90)
        with pytest.raises(type(error)):
            fire(watching, made, "bo")
    assert spent(watching, made) == 2


def test_no_handle_costs_nothing(watching: Watching) -> None:
    made = make(watching, daily_credits=2)
    for _ in range(3):
        with pytest.raises(InvalidInput):
            fire(watching, made, "a b")
    assert (spent(watching, made), watching.profiles.asked) == (0, [])


def test_minute_takes_so_many_requests(watching: Watching) -> None:
    made, other = make(watching, requests_per_minute=2), make(watching, requests_per_minute=1)
    watching.clock.move(seconds=20)
    for _ in range(2):
        fire(watching, made)
    with pytest.raises(RateLimited, match="2 requests a minute") as caught:
        fire(watching, made)
    assert caught.value.retry_after_seconds == 40
    fire(watching, other)
    watching.clock.move(seconds=40)
    fire(watching, made)


def test_unsigned_requests_use_up_nothing(watching: Watching) -> None:
    """Who knows only the address keeps nobody else from firing it."""
    made = make(watching, requests_per_minute=1, signature_style="github")
    for _ in range(3):
        with pytest.raises(InvalidSignature):
            fire(watching, made, **{"X-Hub-Signature-256": "sha256=00"})
    assert watching.firing.store.count_request(made["id"], watching.clock.now())


def test_many_at_once_are_counted_one_by_one(watching: Watching, database_url: str) -> None:
    """Fifty on 20 credits and 10 requests, over two processes' worth of connections."""
    made = make(watching, daily_credits=20, requests_per_minute=10)
    now, day = watching.clock.now(), "2026-11-24"
    with database(database_url) as engine, ThreadPoolExecutor(50) as pool:
        stores = [watching.firing.store, Store(engine)]
        taken = pool.map(lambda n: stores[n % 2].set_aside(made["id"], day, 2), range(50))
        assert sum(taken) == 10
        counted = pool.map(lambda n: stores[n % 2].count_request(made["id"], now), range(50))
        assert sum(counted) == 10
        list(pool.map(lambda n: stores[n % 2].give_back(made["id"], day, 2), range(3)))
    assert spent(watching, made) == 14
    assert watching.firing.store.count_request(made["id"], now + timedelta(minutes=1))


def test_minute_or_day_that_ended_does_not_begin_again(watching: Watching) -> None:
    """Of requests around its end the earlier may come last, or by a clock that is behind."""
    made = make(watching, daily_credits=20, requests_per_minute=10)
    store, now = watching.firing.store, watching.clock.now()
    moments = [now, now - timedelta(minutes=1)] * 10
    assert [store.count_request(made["id"], at) for at in moments] == [True] * 10 + [False] * 10
    days = ["2026-12-01", "2026-11-30"] * 10
    assert [store.set_aside(made["id"], day, 2) for day in days] == [True] * 10 + [False] * 10
    # A clock that ran ahead, and was set right, locks nobody out.
    assert store.count_request(made["id"], now - timedelta(minutes=2))
    assert store.set_aside(made["id"], "2026-11-29", 2)


def test_key_that_works_no_more_disables_it(watching: Watching) -> None:
    """Who fires it is not told to send a key."""
    made = make(watching)
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey()
    with pytest.raises(WebhookDisabled, match="API key of this webhook works no more"):
        fire(watching, made)
    watching.profiles.bad_keys.clear()
    assert spent(watching, made) == 0


def forwarding(watching: Watching) -> dict[str, Any]:
    return make(watching, mode="forward", target_url=TARGET)


def test_row_is_forwarded_as_events_are(watching: Watching) -> None:
    made = forwarding(watching)
    fired = fire(watching, made)
    assert fired.accepted is not None
    assert watching.wakeups.sent == [("delivery", int(fired.accepted.id))]
    (listed,) = watching.hooks.on_their_way(None, watching.caller())
    assert (listed["id"], listed["trigger"], listed["state"]) == (
        fired.accepted.id,
        "webhook",
        "pending",
    )
    (sent,) = watching.deliver()
    assert sent.target_url == TARGET
    assert sent.body == {**fired.row, "event_sequence": int(fired.accepted.id)}


def test_what_carries_rows_is_no_subscription_to_anybody(watching: Watching) -> None:
    """It is not listed, has no sample to test with, and keeps the webhook's own secret."""
    made = forwarding(watching)
    fire(watching, made)
    caller = watching.caller()
    (delivery,) = watching.hooks.on_their_way(None, caller)
    assert watching.hooks.listed(caller) == []
    for use in (watching.hooks.test, watching.hooks.rotate, watching.hooks.one):
        with pytest.raises(NotFound):
            use(delivery["subscription_id"], caller)


def test_what_carries_rows_shows_its_deliveries(watching: Watching) -> None:
    """Whose they are is known by it; where they go, by the end of the address only."""
    made, other = forwarding(watching), forwarding(watching)
    fired = fire(watching, made)
    fire(watching, other)
    caller = watching.caller()
    rows = watching.hooks.on_their_way(None, caller)
    for row in rows:
        assert watching.hooks.on_their_way(None, caller, row["subscription_id"]) == [row]
    (sent, _) = watching.deliver()
    whole = watching.hooks.delivery(int(rows[-1]["id"]), caller)
    assert whole["body"] == sent.body == {**fired.row, "event_sequence": int(rows[-1]["id"])}
    assert whole["target"] == "https://hooks.example.com/…in"
    assert [one["status"] for one in whole["attempts_made"]] == [200]


def test_failure_is_told_and_forwards_nothing(watching: Watching) -> None:
    made = forwarding(watching)
    with pytest.raises(ProfileNotFound):
        fire(watching, made, "nobody")
    assert watching.hooks.on_their_way(None, watching.caller()) == []


def test_target_that_wants_no_more_is_not_paid_for(watching: Watching) -> None:
    """It says so, until somebody sends what failed again."""
    made = forwarding(watching)
    watching.receivers.answers[TARGET] = Outcome(410)
    first = fire(watching, made).accepted
    watching.deliver()
    with pytest.raises(WebhookDisabled, match="The receiver answered 410"):
        fire(watching, made, "bo")
    assert len(watching.profiles.asked) == 1
    (listed,) = watching.webhooks.listed(watching.caller())
    assert (listed["state"], listed["reason"]) == (
        "disabled",
        "The receiver answered 410: it wants no more.",
    )
    assert first is not None
    watching.hooks.replay(int(first.id), watching.caller())
    assert fire(watching, made, "bo").accepted


def test_ended_webhook_sends_no_more(watching: Watching) -> None:
    made = forwarding(watching)
    fire(watching, made)
    watching.webhooks.end(made["id"], watching.caller())
    assert watching.deliver() == []
    assert watching.hooks.on_their_way(None, watching.caller()) == []


def test_new_address_signs_with_both_secrets_for_a_day(watching: Watching) -> None:
    """As when the secret of a subscription is replaced."""
    made = forwarding(watching)
    asked = RotateInput().load({})
    renewed = watching.webhooks.rotate(made["id"], asked, watching.caller())
    fire(watching, renewed)
    (claimed,) = watching.claim()
    kept = json.loads(watching.vault.open(claimed.sealed_secrets))
    assert kept == [renewed["secret"], made["secret"]]
    assert claimed.rotated_at == watching.clock.now()


def test_new_address_comes_with_its_secrets_or_not_at_all(
    database_url: str, watching: Watching
) -> None:
    """A process that dies half-way leaves its owner the address that is known."""

    def die(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE subscriptions"):
            raise SystemExit

    made = forwarding(watching)
    with database(database_url) as engine:
        event.listen(engine, "before_cursor_execute", die)
        dying = Watching(engine)
        with pytest.raises(SystemExit):
            dying.webhooks.rotate(made["id"], RotateInput().load({}), dying.caller())
    assert fire(watching, made).accepted


def calling_back(watching: Watching, **given: Any) -> dict[str, Any]:
    return make(watching, mode="callback", **given)


def look(watching: Watching) -> None:
    """What a worker does with the rows of jobs."""
    for task in watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=100):
        watching.batcher.look(task)


@pytest.mark.parametrize("handle", ["ada", "nobody"])
def test_callback_tells_what_became_of_it(watching: Watching, handle: str) -> None:
    """Answered before anything is looked up; whatever comes of it is sent, signed, and can be seen."""
    made = calling_back(watching, target_url=TARGET)
    started = fire(watching, made, handle).accepted
    assert started is not None
    assert (started.state, started.secret, watching.profiles.asked) == ("running", None, [])
    look(watching)
    (claimed,) = watching.claim()
    assert json.loads(watching.vault.open(claimed.sealed_secrets)) == [made["secret"]]
    body = json.loads(claimed.body)
    assert (claimed.target_url, body["id"], body["state"]) == (TARGET, started.id, "finished")
    (row,) = body["profiles"]
    assert (row["handle"], row["request_source"]) == (handle, "ZAPIER")
    assert row["error_code"] == (None if handle == "ada" else "profile_not_found")
    assert watching.jobs.find(started.id, watching.caller())["state"] == "finished"


def test_callback_may_go_where_the_request_says(watching: Watching) -> None:
    """Only where its owner lets it; guarded as every target, and signed with a secret of its own."""
    made = calling_back(watching, callers_choose=True)
    with pytest.raises(InvalidInput, match="callback_url: Missing"):
        fire(watching, made)
    with pytest.raises(InvalidInput, match="callback_url: Use a host name"):
        fire(watching, made, callback_url="https://127.0.0.1/x")
    assert spent(watching, made) == 0
    other = "https://other.example.com/x"
    started = fire(watching, made, callback_url=other).accepted
    assert started is not None
    look(watching)
    (claimed,) = watching.claim()
    assert claimed.target_url == other
    assert json.loads(watching.vault.open(claimed.sealed_secrets)) == [started.secret]
    fixed = calling_back(watching, target_url=TARGET)
    fire(watching, fixed, callback_url=other)
    look(watching)
    assert [one.target_url for one in watching.claim()] == [TARGET]


def test_callback_counts_as_paid(watching: Watching) -> None:
    """Nobody knows yet what it costs, and many at once must not pass the day."""
    made = calling_back(watching, target_url=TARGET, daily_credits=4)
    for handle in ("ada", "nobody"):
        fire(watching, made, handle)
    with pytest.raises(BudgetExceeded):
        fire(watching, made, "bo")
    assert spent(watching, made) == 4


def test_webhook_outlives_its_jobs(watching: Watching) -> None:
    """What carries its callbacks is its own, and not the job's to delete."""
    made = calling_back(watching, target_url=TARGET)
    fire(watching, made)
    look(watching)
    watching.deliver()
    assert watching.stores.jobs.forget(watching.clock.now() + timedelta(days=60)) == 1
    assert fire(watching, made, "bo").accepted
