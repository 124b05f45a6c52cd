"""`POST /api/v1/get-tiktok-profile`: the documented checks, in their order, then the profile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException

from profile_api import failures
from profile_api.failures import Failure
from profile_api.keys import TEST_KEY
from profile_api.services import MAX_ANSWER_BYTES, ProfileService, profile_in
from profile_api.store import CREDITS_PER_REQUEST, Key, Store, seconds_to_next_window
from wire.json_answers import JSONAnswers
from wire.json_text import parse_json

PATH: Final = "/api/v1/get-tiktok-profile"
REQUEST_SOURCES: Final = ("API", "MAKE_DOT_COM", "ZAPIER")
TEST_KEY_CREDITS: Final = 1_000_000
TEST_KEY_RATE_LIMIT: Final = 3_000
MAX_BODY_BYTES: Final = 64 * 1024

log = logging.getLogger(__name__)


def create_app(*, store: Store, service: ProfileService, now: Callable[[], datetime]) -> Flask:
    """The endpoint as an application of its own."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = JSONAnswers(app)
    app.url_map.strict_slashes = False
    endpoint = _Endpoint(store, service, now)
    app.add_url_rule(PATH, "get_tiktok_profile", endpoint.answer, methods=["POST"])
    app.after_request(_add_limit_headers)
    app.register_error_handler(Failure, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(Exception, _refuse_unexpected)
    return app


@dataclass(frozen=True)
class _Endpoint:
    store: Store
    service: ProfileService
    now: Callable[[], datetime]

    def answer(self) -> Response:
        """Key, body, handle, rate limit, credits, service: each refused before the next is asked."""
        key = self._authenticate()
        body = _body()
        source = _request_source(body)
        handle = _handle(body)
        self._count(key)
        try:
            if key.credits < CREDITS_PER_REQUEST:
                raise failures.insufficient_credits()
            response = _answer(profile_in(self.service.fetch(handle), handle))
            if not self.store.charge(key.id, request_source=source, handle=handle, now=self.now()):
                # It may have been switched off meanwhile, which is no lack of credits.
                self._authenticate()
                raise failures.insufficient_credits()
        except Exception as exc:
            status = exc.status if isinstance(exc, Failure) else 500
            self.store.log_failure(
                key.id, request_source=source, handle=handle, status=status, now=self.now()
            )
            raise
        return response

    def _authenticate(self) -> Key:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise failures.invalid_key()
        if text == TEST_KEY and not self.service.accepts_test_key:
            raise failures.invalid_key()
        key = self.store.find_key(text, now=self.now())
        if key is None and text == TEST_KEY:
            self.store.create_key(
                TEST_KEY,
                name="test key",
                credits=TEST_KEY_CREDITS,
                rate_limit=TEST_KEY_RATE_LIMIT,
                now=self.now(),
            )
            key = self.store.find_key(text, now=self.now())
        if key is None:
            raise failures.invalid_key()
        g.rate_limit, g.remaining = key.rate_limit, key.remaining
        return key

    def _count(self, key: Key) -> None:
        now = self.now()
        remaining = self.store.count_request(key.id, now=now)
        g.remaining = remaining or 0
        if remaining is None:
            raise failures.key_rate_limited(seconds_to_next_window(now))


def _answer(profile: Mapping[str, Any]) -> Response:
    """The answer, made before it is charged. Raises the documented `Failure` where it grew too large."""
    response = jsonify(profile)
    if len(response.get_data()) > MAX_ANSWER_BYTES:
        raise failures.invalid_format()
    return response


def _body() -> Mapping[str, Any]:
    try:
        body = parse_json(request.get_data())
    except (ValueError, BadRequest) as exc:
        raise failures.invalid_json() from exc
    # Valid JSON without a handle in it: the next check says what is missing.
    return body if isinstance(body, dict) else {}


def _request_source(body: Mapping[str, Any]) -> str:
    source = body.get("requestSource")
    if source in (None, ""):
        return "API"
    if source not in REQUEST_SOURCES:
        raise failures.invalid_request_source(REQUEST_SOURCES)
    return str(source)


def _handle(body: Mapping[str, Any]) -> str:
    handle = body.get("handle")
    if not isinstance(handle, str) or not handle.strip():
        raise failures.handle_required()
    return handle.strip()


def _add_limit_headers(response: Response) -> Response:
    if "rate_limit" in g:
        response.headers["X-RateLimit-Limit"] = str(g.rate_limit)
        response.headers["X-RateLimit-Remaining"] = str(g.remaining)
    return response


def _refuse(failure: Failure) -> Response:
    response = jsonify(error=failure.message)
    response.status_code = failure.status
    if failure.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(failure.retry_after_seconds)
    return response


def _refuse_http(error: HTTPException) -> Response:
    response = jsonify(error=f"{error.name}.")
    response.status_code = error.code or 500
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _refuse_unexpected(error: Exception) -> Response:
    log.exception("unexpected error: %s", type(error).__name__)
    return _refuse(failures.unexpected(type(error).__name__))
