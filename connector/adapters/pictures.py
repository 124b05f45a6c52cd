"""Fetching pictures from the addresses that profiles name: public ones only, small, in bounded time."""

from __future__ import annotations

from typing import Final

import requests

from connector.domain.pictures import Picture, picture_in
from wire.http import ExchangeError, exchange

DEADLINE_SECONDS: Final = 5.0
MAX_BYTES: Final = 512 * 1024


class WebPictures:
    """Fetches over `session`, which guards what may be dialled. Follows nothing."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session

    def fetch(self, url: str) -> Picture | None:
        """The picture at `url`; null where there is none to be had."""
        request = requests.Request("GET", url, headers={"Accept": "image/*"})
        try:
            reply = exchange(
                self._session, request, deadline_seconds=DEADLINE_SECONDS, max_bytes=MAX_BYTES
            )
        except ExchangeError:
            return None
        return picture_in(reply.body) if reply.status == 200 else None
