"""Idempotency-Key on every POST of a platform: sent again, it gets the first answer again."""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

from flask import Blueprint, Response, g, request

from connector.domain.callers import connection_of
from connector.domain.idempotency import Attempt, Claim, Replayed, begins, effect
from connector.web.inputs import api_key_of

log = logging.getLogger(__name__)
HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"


class Idempotency(Protocol):
    """What is remembered by key."""

    def begin(self, attempt: Attempt) -> Claim | Replayed:
        """A claim, or the answer of before."""

    def remember(self, claim: Claim, status: int, body: str) -> None:
        """Keeps an answer."""

    def forget(self, claim: Claim) -> None:
        """Lets the same key try again."""


def register_idempotency(routes: Blueprint, idempotency: Idempotency, platform_key: str) -> None:
    """Makes every POST of `routes` heed the header."""

    def begin() -> Response | None:
        key = request.headers.get(HEADER, "").strip()
        if request.method != "POST" or not key:
            return None
        asked = f"{request.full_path}\n{request.mimetype}\n".encode()
        # Read here and kept: a form is parsed from it afterwards.
        api_key, asked = api_key_of(request), asked + request.get_data()
        whose = connection_of(platform_key, api_key)
        attempt = Attempt.of(f"{platform_key}:{api_key}", key, asked, connection_id=whose)
        return begin_once(idempotency, attempt)

    routes.before_request(begin)
    remember_answers(routes, idempotency)


def begin_once(idempotency: Idempotency, attempt: Attempt) -> Response | None:
    """The answer of before, or null where this request is to be done, and its answer remembered."""
    begun = idempotency.begin(attempt)
    if isinstance(begun, Claim):
        g.idempotent = begun
        begins(begun)
        return None
    response = Response(begun.body, begun.status, mimetype="application/json")
    response.headers[REPLAYED] = "true"
    return response


def remember_answers(routes: Blueprint, idempotency: Idempotency) -> None:
    """Keeps what is answered to requests that `begin_once` let through."""

    def end(response: Response) -> Response:
        claim: Claim | None = g.pop("idempotent", None)
        if claim is None:
            return response
        try:
            if _is_done(response):
                idempotency.remember(claim, response.status_code, response.get_data(as_text=True))
            else:
                idempotency.forget(claim)
        except Exception:
            # It may have been paid for. Until its claim ends by itself, nobody does it again.
            log.exception("the answer to an Idempotency-Key could not be kept")
        finally:
            begins()
        return response

    routes.after_request(end)


def _is_done(response: Response) -> bool:
    """Whether sending it again could do, or cost, the same twice."""
    status = response.status_code
    # A fault and an outage are told alike, before anything is done and after it was paid or made.
    if status in (500, 503):
        return effect().begun
    said: Any = response.get_json(silent=True) if status > 500 else None
    maybe_charged = isinstance(said, dict) and said.get("retryable") is False
    return status < 300 or maybe_charged
