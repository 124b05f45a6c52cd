"""The client of the upstream API: one endpoint, its documented answers, and all that can go wrong.

Retries once, and only a call that cannot have been charged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import requests

from connector.domain.answers import Answer, RateLimit
from connector.domain.deadlines import Deadline
from connector.domain.errors import (
    ConnectorError,
    InsufficientCredits,
    InvalidApiKey,
    InvalidHandle,
    ProfileNotFound,
    RateLimited,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from connector.domain.ports import Clock
from connector.domain.trace import outgoing
from wire.http import (
    ExchangeError,
    NotSent,
    Reply,
    TimedOut,
    TooLarge,
    exchange,
    retry_after_seconds,
)
from wire.json_text import parse_json

ENDPOINT: Final = "/api/v1/get-tiktok-profile"
DOCUMENTED_HEADERS: Final = ("Content-Type", "X-RateLimit-Limit", "X-RateLimit-Remaining")
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_MESSAGE_CHARACTERS: Final = 300
DEFAULT_RETRY_AFTER_SECONDS: Final = 60
MAX_RETRY_AFTER_SECONDS: Final = 3600
# A retry that is itself cut off by the deadline may be charged for nothing.
MIN_RETRY_SECONDS: Final = 5.0
RECONNECT_SECONDS: Final = 0.2
_NO_API: Final = "There is no profile API at the configured address."

_BY_STATUS: Final[Mapping[int, type[ConnectorError]]] = {
    400: InvalidHandle,
    401: InvalidApiKey,
    403: InsufficientCredits,
    404: ProfileNotFound,
    429: RateLimited,
}


class ProfileClient:
    """Calls the API at `base_url` over `session` (from `wire.http.new_session`)."""

    def __init__(self, base_url: str, *, session: requests.Session, clock: Clock) -> None:
        self._url = base_url.rstrip("/") + ENDPOINT
        self._session = session
        self._clock = clock

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        """The 200 answer to `body`; every other outcome is a `ConnectorError`."""
        reply = self._send_retrying(body, api_key, deadline)
        if reply.status != 200:
            raise self._failure(reply, api_key)
        payload = _json_object(reply)
        if payload is None:
            raise UpstreamInvalid(rate_limit=_rate_limit(reply))
        return Answer(payload, _documented(reply.headers), _rate_limit(reply))

    def check_key(self, *, api_key: str, request_source: str, deadline: Deadline) -> RateLimit:
        """Asks without a handle: the endpoint checks the key first, so 400 means a good one."""
        reply = self._send_retrying({"requestSource": request_source}, api_key, deadline)
        # Any web server answers 400 to something; the API says what it misses.
        if reply.status == 400 and _message(reply, api_key):
            return _rate_limit(reply)
        if reply.status in (200, 400, 404):
            raise UpstreamInvalid(_NO_API)
        raise self._failure(reply, api_key)

    def _send_retrying(self, body: Mapping[str, Any], api_key: str, deadline: Deadline) -> Reply:
        try:
            reply = self._send(body, api_key, deadline)
        except NotSent:
            pause = RECONNECT_SECONDS
        else:
            if reply.status not in (429, 503) or not (asked := self._retry_after(reply)):
                return reply
            pause = asked
            if deadline.remaining() - pause < MIN_RETRY_SECONDS:
                return reply
        self._clock.sleep(min(pause, max(deadline.remaining(), 0)))
        try:
            return self._send(body, api_key, deadline)
        except NotSent as exc:
            raise UpstreamUnavailable("The profile API can't be reached.") from exc

    def _send(self, body: Mapping[str, Any], api_key: str, deadline: Deadline) -> Reply:
        headers = {"Authorization": f"Bearer {api_key}", **outgoing()}
        request = requests.Request("POST", self._url, json=body, headers=headers)
        try:
            return exchange(
                self._session,
                request,
                deadline_seconds=deadline.remaining(),
                max_bytes=MAX_ANSWER_BYTES,
            )
        except NotSent:
            raise
        except TimedOut as exc:
            raise UpstreamTimeout(
                f"The profile API did not answer within {deadline.seconds:g} seconds."
            ) from exc
        except TooLarge as exc:
            raise UpstreamInvalid("The profile API sent an answer of more than 8 MB.") from exc
        except ExchangeError as exc:
            raise UpstreamInvalid(
                "The connection to the profile API broke off before its answer was complete."
            ) from exc

    def _failure(self, reply: Reply, api_key: str) -> ConnectorError:
        message = _message(reply, api_key)
        limited = reply.status == 503 and "rate limit" in (message or "").lower()
        kind = RateLimited if limited else _BY_STATUS.get(reply.status)
        if kind is None and reply.status < 500:
            return UpstreamInvalid(
                f"The profile API answered with an unexpected status, {reply.status}."
            )
        if kind is ProfileNotFound and message is None:
            # The documented 404 names the handle; any other is a wrong address, not a miss.
            return UpstreamInvalid(_NO_API)
        retry_after = None
        if kind is RateLimited:
            retry_after = self._retry_after(reply) or DEFAULT_RETRY_AFTER_SECONDS
        return (kind or UpstreamUnavailable)(
            message, retry_after_seconds=retry_after, rate_limit=_rate_limit(reply)
        )

    def _retry_after(self, reply: Reply) -> int | None:
        seconds = retry_after_seconds(reply.headers, self._clock.now())
        return None if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)


def _json_object(reply: Reply) -> Mapping[str, Any] | None:
    try:
        payload = parse_json(reply.body)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def _message(reply: Reply, api_key: str) -> str | None:
    """The documented `error` string, cut to a sentence's length and without the key."""
    text = (_json_object(reply) or {}).get("error")
    if not isinstance(text, str) or not text.strip():
        return None
    text = " ".join(text.replace(api_key, "[key]").split())
    return text[:MAX_MESSAGE_CHARACTERS]


def _documented(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in DOCUMENTED_HEADERS if name in headers}


def _rate_limit(reply: Reply) -> RateLimit:
    return RateLimit(
        limit=_count(reply.headers.get("X-RateLimit-Limit")),
        remaining=_count(reply.headers.get("X-RateLimit-Remaining")),
    )


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
