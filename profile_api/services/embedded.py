"""The profile service that needs no network: samples, reserved handles, generated profiles."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from profile_api import failures
from profile_api.services import MAX_ANSWER_BYTES, ServiceAnswer
from profile_api.services.generated import generated_payload
from profile_api.services.samples import SAMPLE_HANDLES, sample_payload
from wire.http import TooLarge, read_bounded

# Longer than the longest deadline of a platform, so that each of them gives up first.
SLOW_SECONDS: Final = 70.0
OVERSIZED_BYTES: Final = 60 * 1024 * 1024
_HANDLE: Final = re.compile(r"(?!.*\.$)[a-z0-9_.]{2,24}")
_MEGABYTE: Final = b" " * (1024 * 1024)


@dataclass(frozen=True)
class Reserved:
    """A handle that fails on purpose; `what` says how, for the documentation."""

    what: str
    answer: Callable[[], ServiceAnswer]


def _status(status: int) -> Callable[[], ServiceAnswer]:
    return lambda: ServiceAnswer(status, b'{"error": "on purpose"}')


def _body(body: bytes) -> Callable[[], ServiceAnswer]:
    return lambda: ServiceAnswer(200, body)


def _oversized() -> ServiceAnswer:
    chunks: Iterator[bytes] = (_MEGABYTE for _ in range(OVERSIZED_BYTES // len(_MEGABYTE)))
    try:
        return ServiceAnswer(200, read_bounded(chunks, MAX_ANSWER_BYTES))
    except TooLarge as exc:
        raise failures.invalid_format() from exc


def _not_configured() -> NoReturn:
    raise failures.service_not_configured()


def _crash() -> NoReturn:
    raise RuntimeError("the reserved handle test_crash was looked up")


RESERVED: Final[Mapping[str, Reserved]] = {
    "test_not_found": Reserved("there is no such profile", _status(404)),
    "test_deactivated": Reserved(
        "the account was deactivated", _body(b'{"account_deactivated": true}')
    ),
    "test_unprocessable": Reserved("the service can't process the handle", _status(422)),
    "test_issue": Reserved("the service reports an issue", _body(b'{"error": "on purpose"}')),
    "test_rate_limited": Reserved("the service's rate limit is exceeded", _status(429)),
    "test_down": Reserved("the service is down", _status(503)),
    "test_error": Reserved("the service fails", _status(500)),
    "test_malformed": Reserved("the service answers HTML", _body(b"<html>oops</html>")),
    "test_oversized": Reserved("the service answers 60 MB", _oversized),
    "test_unauthorized": Reserved("the service refuses the endpoint's own key", _status(401)),
    "test_unconfigured": Reserved("no service is configured", _not_configured),
    "test_crash": Reserved("the endpoint itself fails", _crash),
}
SLOW_HANDLE: Final = "test_slow"


class EmbeddedService:
    """Answers from this process. `now` makes generated profiles grow; `sleep` makes one slow."""

    accepts_test_key = True

    def __init__(
        self, *, now: Callable[[], datetime], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._now = now
        self._sleep = sleep

    def fetch(self, handle: str) -> ServiceAnswer:
        """The answer for `handle`, case and a leading @ aside."""
        name = handle.removeprefix("@").lower()
        if name in RESERVED:
            return RESERVED[name].answer()
        if name == SLOW_HANDLE:
            self._sleep(SLOW_SECONDS)
        if name not in SAMPLE_HANDLES and not _HANDLE.fullmatch(name):
            raise failures.handle_not_processed()
        payload = sample_payload(name) or generated_payload(name, self._now())
        return ServiceAnswer(200, json.dumps(payload).encode())
