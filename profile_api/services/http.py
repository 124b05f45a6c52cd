"""A profile service over HTTP: any address that answers `POST {"handle": ...}` with a profile."""

from __future__ import annotations

from typing import Final

import requests

from profile_api import failures
from profile_api.services import MAX_ANSWER_BYTES, ServiceAnswer
from wire.http import ExchangeError, TooLarge, exchange

# Below every platform's deadline, so that its caller still hears why there is no profile.
DEADLINE_SECONDS: Final = 20.0


class HTTPService:
    """Posts to `url` with `key` as the Bearer token. Without a `url` it is not configured."""

    accepts_test_key = False

    def __init__(self, url: str | None, key: str | None, *, session: requests.Session) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session = session

    def fetch(self, handle: str) -> ServiceAnswer:
        """One call, never repeated: the service may charge for it."""
        if not self._url:
            raise failures.service_not_configured()
        request = requests.Request(
            "POST", self._url, json={"handle": handle}, headers=self._headers
        )
        try:
            reply = exchange(
                self._session,
                request,
                deadline_seconds=DEADLINE_SECONDS,
                max_bytes=MAX_ANSWER_BYTES,
            )
        except TooLarge as exc:
            raise failures.invalid_format() from exc
        except ExchangeError as exc:
            raise failures.service_unavailable() from exc
        return ServiceAnswer(reply.status, reply.body)
