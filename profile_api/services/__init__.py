"""Where profiles come from: a service answers with a status and a body, and `profile_in` judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from profile_api import failures
from profile_api.failures import Failure
from wire.json_text import parse_json

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class ServiceAnswer:
    """What the service said, unjudged: an HTTP status and a JSON body."""

    status: int
    body: bytes


class ProfileService(Protocol):
    """Any source of profiles in the `user` / `stats` / `itemList` shape."""

    accepts_test_key: bool
    """Whether the public test key may be used: only where nothing real is behind it."""

    def fetch(self, handle: str) -> ServiceAnswer:
        """The answer for `handle`. Raises `Failure` when there is none to judge."""


def profile_in(answer: ServiceAnswer, handle: str) -> Mapping[str, Any]:
    """The profile in `answer`, as it came. Raises the documented `Failure` for anything else."""
    if answer.status != 200:
        raise _failure(answer.status, handle)
    try:
        payload = parse_json(answer.body)
    except ValueError as exc:
        raise failures.invalid_format() from exc
    if not isinstance(payload, dict):
        raise failures.invalid_format()
    user = payload.get("user")
    if not user and payload.get("account_deactivated") is True:
        raise failures.profile_not_found(handle)
    if not user and payload.get("error"):
        raise failures.issue_reported()
    if not isinstance(user, dict) or not any(map(_is_name, map(user.get, ("id", "uniqueId")))):
        raise failures.invalid_format()
    return payload


def _is_name(value: object) -> bool:
    """Whether a user can be told by it: text or a number, and not nothing."""
    return isinstance(value, (str, int)) and not isinstance(value, bool) and bool(value)


def _failure(status: int, handle: str) -> Failure:
    if status == 404:
        return failures.profile_not_found(handle)
    if status in (400, 422):
        return failures.handle_not_processed()
    if status in (401, 403):
        return failures.service_authentication_failed()
    if status == 429:
        return failures.service_rate_limited()
    if status in (502, 503, 504):
        return failures.service_unavailable()
    if 400 <= status < 500:
        return failures.issue_reported()
    if status >= 500:
        return failures.service_error()
    return failures.invalid_format()
