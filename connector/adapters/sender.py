"""Sending events to receivers: signed by Standard Webhooks, to public addresses only, in bounded time.

A guard that judges at the dial is a few lines of `wire.http`, which already bounds the whole
answer; a ready one (requests-hardened) judges the first address only and bounds each read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import requests
from standardwebhooks import Webhook

from connector.domain.deliveries import Outcome, beginning_of
from connector.domain.trace import outgoing
from wire.http import ExchangeError, Forbidden, NotSent, TimedOut, exchange, retry_after_seconds

DEADLINE_SECONDS: Final = 15.0
MAX_ANSWER_BYTES: Final = 64 * 1024


class WebhookSender:
    """Posts over `session`, which guards what may be dialled. Follows nothing, repeats nothing."""

    def __init__(
        self, session: requests.Session, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._session = session
        self._deadline_seconds = deadline_seconds

    def send(
        self,
        *,
        target_url: str,
        body: bytes,
        webhook_id: str,
        secrets: Sequence[str],
        now: datetime,
    ) -> Outcome:
        """What the receiver answered to `body`, signed with each of `secrets`; never raises for it."""
        signatures = [Webhook(secret).sign(webhook_id, now, body.decode()) for secret in secrets]
        request = requests.Request(
            "POST",
            target_url,
            data=body,
            headers={
                "Content-Type": "application/json",
                # Its beginning is shown to people.
                "Accept-Encoding": "identity",
                "User-Agent": "profile-data-connector",
                "webhook-id": webhook_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": " ".join(signatures),
                **outgoing(),
            },
        )
        try:
            reply = exchange(
                self._session,
                request,
                deadline_seconds=self._deadline_seconds,
                max_bytes=MAX_ANSWER_BYTES,
                cut=True,
            )
        except ExchangeError as exc:
            return Outcome(None, error=_sentence(exc))
        error = None if 200 <= reply.status < 300 else f"The receiver answered {reply.status}."
        wait = retry_after_seconds(reply.headers, now)
        return Outcome(reply.status, error, wait, beginning_of(reply.body))


def _sentence(exc: ExchangeError) -> str:
    if isinstance(exc, Forbidden):
        return "The receiver's name leads to an address that is not public."
    if isinstance(exc, NotSent):
        return "The receiver can't be reached."
    if isinstance(exc, TimedOut):
        return "The receiver did not answer in time."
    return "The receiver's answer broke off."
