"""Signatures of callers, made as the senders themselves make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from connector.domain.errors import InvalidInput, InvalidSignature
from connector.domain.signatures import HEADERS, Signature, Signed, key_of

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SECRETS = dict.fromkeys(HEADERS, "It's a Secret to Everybody") | {"standard": "whsec_" + "QUFB" * 8}
BODY = '{"handle": "Blüten 🌸"}'.encode()


def digest(style: str, content: bytes) -> bytes:
    return hmac.new(SECRETS[style].encode(), content, hashlib.sha256).digest()


def standard(body: bytes, at: datetime, prefix: str = "webhook") -> dict[str, str]:
    """By the library of those who wrote the standard."""
    signature = Webhook(SECRETS["standard"]).sign("msg_1", at, body.decode())
    return {
        f"{prefix}-id": "msg_1",
        f"{prefix}-timestamp": str(int(at.timestamp())),
        f"{prefix}-signature": f"v1,AAAA v2,x {signature}",
    }


def github(body: bytes, _at: datetime) -> dict[str, str]:
    signature = f"sha256={digest('github', body).hex()}"
    return {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "guid-1"}


def stripe(body: bytes, at: datetime) -> dict[str, str]:
    stamp = int(at.timestamp())
    signature = digest("stripe", f"{stamp}.".encode() + body).hex()
    return {"Stripe-Signature": f"t={stamp},v1={'0' * 64},v1={signature},v0=x"}


def shopify(body: bytes, _at: datetime) -> dict[str, str]:
    signature = base64.b64encode(digest("shopify", body)).decode()
    return {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Webhook-Id": "shop-1"}


SIGN: dict[str, Callable[..., dict[str, str]]] = {
    "standard": standard,
    "github": github,
    "stripe": stripe,
    "shopify": shopify,
}
IDS = {"standard": "msg_1", "github": "guid-1", "shopify": "shop-1"}
styles = pytest.mark.parametrize("style", SIGN)


def check(style: str, headers: dict[str, str], body: bytes = BODY, **changes: Any) -> str:
    lowered = {name.lower(): value for name, value in headers.items()}
    signature = Signature(style, changes.get("header", HEADERS[style]), SECRETS[style])
    return signature.check(Signed(lambda name: lowered.get(name.lower(), ""), body), NOW)


def test_github_signature_is_the_documented_one() -> None:
    """GitHub's own example, from its documentation."""
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert check("github", {"X-Hub-Signature-256": expected}, b"Hello, World!") == ""


@styles
def test_signed_request_is_taken(style: str) -> None:
    message_id = check(style, SIGN[style](BODY, NOW))
    assert message_id == IDS.get(style, message_id)
    assert message_id


@styles
def test_every_changed_byte_is_refused(style: str) -> None:
    headers = SIGN[style](BODY, NOW)
    for place in (0, len(BODY) // 2, len(BODY) - 1):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(InvalidSignature, match=HEADERS[style]):
            check(style, headers, changed)


@styles
def test_missing_signature_names_its_header(style: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        check(style, {})
    assert (
        caught.value.message
        == f"The header {HEADERS[style]} is missing, which holds the signature."
    )


@pytest.mark.parametrize("style", ["standard", "stripe"])
@pytest.mark.parametrize("seconds", [-301, -300, 0, 299, 300, 301])
def test_old_requests_are_refused(style: str, seconds: int) -> None:
    """What is signed more than 5 minutes ago, or ahead, may have been overheard."""
    headers = SIGN[style](BODY, NOW - timedelta(seconds=seconds))
    if abs(seconds) <= 300:
        assert check(style, headers)
    else:
        with pytest.raises(InvalidSignature, match="within the last 5 minutes"):
            check(style, headers)


@pytest.mark.parametrize("style", ["standard", "stripe"])
def test_time_is_signed(style: str) -> None:
    """Else an old request would be sent with a new time."""
    old = SIGN[style](BODY, NOW - timedelta(hours=1))
    stamp = str(int((NOW - timedelta(hours=1)).timestamp()))
    fresh = {name: value.replace(stamp, str(int(NOW.timestamp()))) for name, value in old.items()}
    with pytest.raises(InvalidSignature, match="is wrong"):
        check(style, fresh)


def test_id_is_signed_by_the_standard() -> None:
    headers = standard(BODY, NOW) | {"webhook-id": "msg_2"}
    with pytest.raises(InvalidSignature, match="is wrong"):
        check("standard", headers)


def test_stripe_tells_messages_apart_by_time_and_body() -> None:
    first = check("stripe", stripe(BODY, NOW))
    assert check("stripe", stripe(BODY, NOW)) == first
    assert check("stripe", stripe(BODY, NOW - timedelta(seconds=1))) != first


def test_signature_may_stand_in_another_header() -> None:
    """The standard's other headers are called after it, as its makers' own are."""
    assert check("standard", standard(BODY, NOW, "svix"), header="svix-signature") == "msg_1"
    headers = {"X-Signature": github(BODY, NOW)["X-Hub-Signature-256"]}
    assert check("github", headers, header="X-Signature") == ""
    with pytest.raises(InvalidSignature, match="X-Signature"):
        check("github", github(BODY, NOW), header="X-Signature")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_QUFB", "whsec_not base64 at all!", "ünicode"])
def test_secret_that_the_standard_can_not_have_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput, match="signature_secret: Use whsec_"):
        key_of("standard", secret)


@given(
    st.sampled_from(list(SIGN)), st.text(max_size=60), st.text(max_size=20), st.binary(max_size=20)
)
def test_whatever_is_sent_it_is_refused(style: str, value: str, stamp: str, body: bytes) -> None:
    """Nobody guesses a signature, and nothing else happens."""
    for text in (value, f"t={stamp},v1={value}", f"v1,{value}", f"sha256={value}"):
        headers = {HEADERS[style]: text or "x", "webhook-timestamp": stamp}
        with pytest.raises(InvalidSignature):
            check(style, headers, body)
