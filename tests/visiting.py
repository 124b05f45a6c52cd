"""A visit to the console without a browser: signed in, with what its forms carry."""

from __future__ import annotations

import re
from typing import Any

import requests

_TOKEN = re.compile(r'name="form_token" value="(\w+)"')


class Visit(requests.Session):
    """Somebody signed in to the console at `url`."""

    def __init__(self, url: str, api_key: str) -> None:
        super().__init__()
        self.url = f"{url}/console"
        self.token = ""
        assert self.fill("/sign-in", api_key=api_key).ok
        self.token = self.token_on("/jobs")

    def token_on(self, path: str) -> str:
        """What the forms of a page carry."""
        found = _TOKEN.search(self.page(path))
        assert found
        return found[1]

    def page(self, path: str) -> str:
        """A page, or a part of one, as it is sent."""
        answer = self.get(f"{self.url}{path}", timeout=60)
        assert answer.ok, answer.text
        return answer.text

    def fill(self, path: str, **given: Any) -> requests.Response:
        """Sends a form of the console."""
        token = self.token or self.token_on(path)
        return self.post(f"{self.url}{path}", data={"form_token": token, **given}, timeout=60)
