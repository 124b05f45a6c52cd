"""Whether a request was signed by who knows the secret, in the ways that webhooks are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.domain.errors import InvalidInput, InvalidSignature
from schemas.webhooks import GITHUB, SHOPIFY, STANDARD, STRIPE

TOLERANCE_SECONDS: Final = 300
HEADERS: Final[Mapping[str, str]] = {
    STANDARD: "webhook-signature",
    GITHUB: "X-Hub-Signature-256",
    STRIPE: "Stripe-Signature",
    SHOPIFY: "X-Shopify-Hmac-Sha256",
}
_UNIX: Final = re.compile(r"\d{1,12}", re.ASCII)
_PREFIX: Final = "whsec_"


@dataclass(frozen=True)
class Signed:
    """What came: `header` answers a header's text by its name, empty where it wasn't sent."""

    header: Callable[[str], str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Signature:
    """How the senders of one webhook sign. The secret is kept out of `repr`, and so out of logs."""

    style: str
    header: str
    secret: str = field(repr=False)

    def check(self, signed: Signed, now: datetime) -> str:
        """What tells the message from others, empty where nothing does. Raises `InvalidSignature`."""
        if not signed.header(self.header):
            raise InvalidSignature(
                f"The header {self.header} is missing, which holds the signature."
            )
        return _CHECKS[self.style](self, signed, now)

    def matches(
        self, content: bytes, given: Iterable[str], encoded: Callable[[bytes], str]
    ) -> None:
        """Raises `InvalidSignature` unless one of the texts `given` is the signature of `content`."""
        digest = hmac.new(key_of(self.style, self.secret), content, hashlib.sha256).digest()
        wanted = encoded(digest).encode()
        # Each is compared, so that the time tells nothing of which would have been right.
        if sum([hmac.compare_digest(wanted, one.encode()) for one in given]) == 0:
            raise InvalidSignature(f"The signature in the header {self.header} is wrong.")


def key_of(style: str, secret: str) -> bytes:
    """What the HMAC is made with. Raises `InvalidInput` for a secret that the style can't have."""
    if style != STANDARD:
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise InvalidInput("signature_secret: Use whsec_ and at least 16 bytes in Base64.")
    return key


def _standard(signature: Signature, signed: Signed, now: datetime) -> str:
    """Signed are the id and the time as well; their headers are called as the signature's is."""
    family = re.sub("(?i)signature$", "", signature.header)
    message_id, at = signed.header(f"{family}id"), signed.header(f"{family}timestamp")
    given = [one.removeprefix("v1,") for one in signed.header(signature.header).split()]
    signature.matches(f"{message_id}.{at}.".encode() + signed.body, given, _base64)
    _check_time(at, now)
    return message_id


def _github(signature: Signature, signed: Signed, _now: datetime) -> str:
    given = signed.header(signature.header).removeprefix("sha256=")
    signature.matches(signed.body, [given], bytes.hex)
    return signed.header("X-GitHub-Delivery")


def _stripe(signature: Signature, signed: Signed, now: datetime) -> str:
    text = signed.header(signature.header)
    pairs = [part.strip().partition("=") for part in text.split(",")]
    at = next((value for name, _, value in pairs if name == "t"), "")
    given = [value for name, _, value in pairs if name == "v1"]
    signature.matches(f"{at}.".encode() + signed.body, given, bytes.hex)
    _check_time(at, now)
    # A message that is sent anew is signed anew: the same signature is the same message.
    return f"{at} {hashlib.sha256(signed.body).hexdigest()}"


def _shopify(signature: Signature, signed: Signed, _now: datetime) -> str:
    signature.matches(signed.body, [signed.header(signature.header)], _base64)
    return signed.header("X-Shopify-Webhook-Id")


_CHECKS: Final[Mapping[str, Callable[[Signature, Signed, datetime], str]]] = {
    STANDARD: _standard,
    GITHUB: _github,
    STRIPE: _stripe,
    SHOPIFY: _shopify,
}


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _check_time(text: str, now: datetime) -> None:
    if not _UNIX.fullmatch(text) or abs(now.timestamp() - int(text)) > TOLERANCE_SECONDS:
        raise InvalidSignature("The request was not signed within the last 5 minutes.")
