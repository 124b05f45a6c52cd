"""Signing secrets that are replaced: receivers have a day to learn the new one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import Engine

from connector.adapters.crypto import FernetVault, new_encryption_key
from connector.adapters.sender import WebhookSender
from connector.domain.errors import InvalidApiKey, NotFound
from connector.domain.subscriptions import Terms
from schemas.fields import declared_fields
from schemas.hooks import Hook
from tests.integration.test_delivering import A, post_video, subscribe
from tests.running import FakeUpstream, reply
from tests.verifying import verifies
from tests.watched import OpenVault, Watching, profile
from wire.http import new_session


class Receiving(Watching):
    """Watching whose events go over a real socket to `receiver`."""

    receiver: FakeUpstream

    def subscribed(self) -> dict[str, Any]:
        """A subscription with a few events on their way."""
        made = subscribe(self, self.receiver.url)
        post_video(self, videos=6)
        return made

    def takes(self, *secrets: str) -> list[bool]:
        """By secret, whether a receiver that knows only that one takes what is delivered now."""
        (claimed,) = self.claim(limit=1)
        self.courier.deliver(claimed)
        sent = self.receiver.asked_for("ada")[-1]
        now = self.clock.now()
        return [verifies(secret, sent.raw, sent.headers, now) for secret in secrets]


@pytest.fixture
def receiving(engine: Engine, upstream: FakeUpstream) -> Receiving:
    receiving = Receiving(engine)
    receiving.receiver = upstream
    upstream.answers("ada", reply(200, {}))
    sender = WebhookSender(new_session(pool_size=2))
    receiving.courier = replace(receiving.courier, sender=sender, allow_local=True)
    receiving.hooks = replace(receiving.hooks, allow_local=True)
    return receiving


@pytest.mark.parametrize(
    ("later", "old_too"),
    [
        (timedelta(), True),
        (timedelta(hours=23, minutes=59), True),
        (timedelta(hours=24, minutes=1), False),
        (timedelta(days=400), False),
    ],
    ids=["at once", "23:59", "24:01", "a year"],
)
def test_old_secret_signs_for_a_day_beside_the_new_one(
    receiving: Receiving, later: timedelta, old_too: bool
) -> None:
    """By the official verifier, over a real socket; before a rotation there is one signature."""
    made = receiving.subscribed()
    assert receiving.takes(made["secret"]) == [True]
    assert " " not in receiving.receiver.asked_for("ada")[-1].headers["webhook-signature"]
    rotated = receiving.hooks.rotate(made["id"], receiving.caller())
    assert list(rotated) == list(declared_fields(Hook))
    assert {**rotated, "secret": made["secret"]} == made
    receiving.clock.time += later
    assert receiving.takes(rotated["secret"], made["secret"]) == [True, old_too]
    assert [row["secret"] for row in receiving.hooks.listed(receiving.caller())] == [None]


def test_of_three_secrets_the_oldest_signs_no_more(receiving: Receiving) -> None:
    """Whoever rotates twice on a day means to be rid of the first."""
    made = receiving.subscribed()
    second = receiving.hooks.rotate(made["id"], receiving.caller())
    receiving.clock.move(hours=1)
    third = receiving.hooks.rotate(made["id"], receiving.caller())
    receiving.clock.move(hours=23, minutes=59)
    secrets = (third["secret"], second["secret"], made["secret"])
    assert receiving.takes(*secrets) == [True, True, False]
    receiving.clock.move(minutes=2)
    assert receiving.takes(*secrets) == [True, False, False]


def test_old_secret_stays_old_after_another_rotation(receiving: Receiving) -> None:
    """Days later it does not come back beside the newest."""
    made = receiving.subscribed()
    second = receiving.hooks.rotate(made["id"], receiving.caller())
    receiving.clock.move(days=3)
    third = receiving.hooks.rotate(made["id"], receiving.caller())
    secrets = (third["secret"], second["secret"], made["secret"])
    assert receiving.takes(*secrets) == [True, True, False]


class MeetingVault(OpenVault):
    """Waits a little for another to seal at the same time."""

    def __init__(self) -> None:
        self._both = Barrier(2)

    def seal(self, secret: str) -> str:
        with suppress(BrokenBarrierError):
            self._both.wait(0.5)
        return super().seal(secret)


def test_rotations_at_once_follow_each_other(receiving: Receiving) -> None:
    """Each finds what the other left, so that both answers hold a secret that signs."""
    made = receiving.subscribed()
    subscribing = replace(receiving.subscribing, vault=MeetingVault())
    receiving.hooks = replace(receiving.hooks, subscribing=subscribing)
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda _: receiving.hooks.rotate(made["id"], receiving.caller()), range(2))
        )
    secrets = [answer["secret"] for answer in answers]
    assert receiving.takes(*secrets, made["secret"]) == [True, True, False]


def test_secret_that_can_not_be_read_any_more_is_replaced(receiving: Receiving) -> None:
    """As after the loss of the encryption key: the new secret is all that is needed."""
    lost, kept = (FernetVault([new_encryption_key()]) for _ in range(2))
    receiving.subscribing = replace(receiving.subscribing, vault=lost)
    receiving.hooks = replace(receiving.hooks, subscribing=receiving.subscribing)
    made = subscribe(receiving, A)
    receiving.subscribing = replace(receiving.subscribing, vault=kept)
    receiving.hooks = replace(receiving.hooks, subscribing=receiving.subscribing)
    assert receiving.hooks.rotate(made["id"], receiving.caller())["secret"]


def test_only_the_subscriptions_owner_rotates(receiving: Receiving) -> None:
    """Nobody's and another's are the same; a key that does not work is told so."""
    made = receiving.subscribed()
    receiving.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    for subscription_id, api_key in (("x", "sk_a"), ("a\0b", "sk_a"), (made["id"], "sk_b")):
        with pytest.raises(NotFound):
            receiving.hooks.rotate(subscription_id, receiving.caller(api_key))
    with pytest.raises(InvalidApiKey):
        receiving.hooks.rotate(made["id"], receiving.caller("sk_bad"))
    assert receiving.takes(made["secret"]) == [True]


def test_polled_subscription_has_no_secret_to_rotate(receiving: Receiving) -> None:
    receiving.profiles.answers["ada"] = profile()
    receiving.poll("new_video", "ada")
    terms = Terms("new_video", {"handles": ["ada"]})
    polled = receiving.stores.subscriptions.polled(receiving.caller().connection, terms)
    assert polled is not None
    with pytest.raises(NotFound):
        receiving.hooks.rotate(polled.id, receiving.caller())
