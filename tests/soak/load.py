"""The load: visitors, each with an API key on a platform, who walk every route of the product."""

from __future__ import annotations

import random
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from tests.soak.receivers import TOLD, Receivers
from tests.soak.routes import BY_OTHERS, ENDS, MAKERS, OPEN, TAKES
from tests.soak.tally import FIRE, Tally, Unanswered

_FORM_TOKEN: Final = re.compile(r'name="form_token" value="(\w+)"')
_SECONDS: Final = 90
# What a webhook may spend that is fired until it has spent it.
BUDGET_CREDITS: Final = 4
_FILES: Final = {"docs": "page.css", "console": "console.css"}
_BREAD: Final = ("get", "fire", "spend", "repeat", "batch")


@dataclass(eq=False)
class Visitor:
    """One visitor, who sends `rate` requests a second until it is `over`."""

    number: int
    api_key: str
    platform: str
    url: str
    world_url: str
    receivers: Receivers
    tally: Tally
    rate: float
    over: threading.Event
    chance: random.Random
    routes: frozenset[str] = frozenset()
    webhooks: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    anchor: str = ""
    ids: dict[str, deque[str]] = field(default_factory=dict)
    _session: requests.Session = field(default_factory=requests.Session)
    _form_token: str = ""
    _made: int = 0
    _next_at: float = 0.0
    _passing: str = ""

    @property
    def watched(self) -> str:
        """The profile that this visitor watches."""
        return f"v{self.number}"

    def new_handle(self, kind: str) -> str:
        """A handle that nobody has asked for yet; how it begins says what for."""
        self._made += 1
        return f"{kind}{self.number}x{self._made}"

    def target(self) -> str:
        """An address of an honest receiver that nobody knows yet."""
        self._passing = f"{TOLD}cb_soak_{secrets.token_hex(8)}"
        return f"{self.world_url}{self._passing}"

    def some(self, name: str) -> str:
        """One of what this visitor has made, made now where there is none."""
        pool = self.ids.setdefault(name, deque(maxlen=20))
        if not pool and name in MAKERS:
            self.visit(MAKERS[name])
        return pool[-1] if pool else ""

    def settle_in(self) -> None:
        """Makes what lasts: a subscription, a polled one, and a webhook of each kind."""
        made = self.visit("POST /{platform}/hooks")
        _is_made(made)
        self.anchor = self.ids["subscription_id"].pop()
        self.visit("GET /{platform}/triggers/new_video")
        for kind in ("answer", "forward", "callback", "spent"):
            asked: dict[str, Any] = {"mode": kind, "requests_per_minute": 6000, "name": kind}
            if kind == "spent":
                asked |= {"mode": "answer", "daily_credits": BUDGET_CREDITS}
            else:
                asked |= {"daily_credits": 1_000_000}
            if asked["mode"] != "answer":
                asked["target_url"] = self.target()
            answer = self.visit("POST /{platform}/webhooks", asked)
            self.webhooks[kind] = _is_made(answer)["url"].rpartition("/")[2]
            self.targets[kind] = self._passing
            self.ids["webhook_id"].pop()
        self.tally.budgets[f"w{self.number}x"] = BUDGET_CREDITS

    def run(self) -> None:
        """Pass after pass over every route, each in an order of its own, and bread in between."""
        while not self.over.is_set():
            walk = sorted(self.routes - {"GET /console/sign-in", "POST /console/sign-in"})
            walk.remove("POST /console/sign-out")
            self.chance.shuffle(walk)
            self.sign_in()
            for number, route in enumerate([*walk, "POST /console/sign-out"]):
                if self.over.is_set():
                    return
                self.visit(route)
                if number % 3 == 0:
                    self._earn(self.chance.choice(_BREAD))

    def sign_in(self) -> None:
        """A new visit of the console, whatever became of the one before."""
        self._session.close()
        self._session, self._form_token = requests.Session(), ""
        page = self.send("GET /console/sign-in", "/console/sign-in")
        self._take_token(page)
        if not self._form_token:
            return
        given = {"api_key": self.api_key, "form_token": self._form_token}
        begun = self.send("POST /console/sign-in", "/console/sign-in", data=given)
        self._form_token = ""
        if begun is not None and begun.status_code == 303:
            self._take_token(self.send("GET /console/jobs", "/console/jobs"))

    def _take_token(self, page: requests.Response | None) -> None:
        found = _FORM_TOKEN.search(page.text) if page is not None else None
        self._form_token = found[1] if found else ""

    def visit(self, route: str, given: Mapping[str, Any] | None = None) -> requests.Response | None:
        """One request of a route; null where there was no answer, or nothing to ask for."""
        method, _, rule = route.partition(" ")
        if rule.endswith(FIRE):
            return self._fire(method)
        path = self._filled(route, rule)
        if path is None or (rule.startswith("/console") and not self._form_token):
            return None
        asked = dict(TAKES[route](self) if given is None and route in TAKES else given or {})
        if "id" in asked and not asked["id"]:
            return None
        if route in ENDS:
            self._forget(path, asked)
        response = self.send(route, path, **self._sent(method, rule, asked))
        if response is not None and response.status_code < 300:
            self._learn(route, response)
        return response

    def _sent(self, method: str, rule: str, asked: dict[str, Any]) -> dict[str, Any]:
        if rule.startswith("/console"):
            return {"data": asked | {"form_token": self._form_token}} if method == "POST" else {}
        key = BY_OTHERS.get(f"{method} {rule}", self.api_key)
        authorised = {"headers": {"Authorization": f"Bearer {key}"}}
        return authorised | ({"params": asked} if method == "GET" else {"json": asked or None})

    def _filled(self, route: str, rule: str) -> str | None:
        known = {"handle": self.watched, "name": _FILES.get(rule.split("/")[1], "")}
        filled = rule.replace("{platform}", self.platform)
        for name in OPEN.findall(rule):
            value = known.get(name) or (
                "nowhere" if name == "_nowhere" else self._named(route, name)
            )
            if not value:
                return None
            filled = OPEN.sub(value, filled, count=1)
        return filled

    def _named(self, route: str, name: str) -> str:
        # What is sent on trial has to last, and so does what hears of it.
        if name == "subscription_id" and route.endswith("/test"):
            return self.anchor
        return self.some(name)

    def _forget(self, path: str, asked: Mapping[str, Any]) -> None:
        for pool in self.ids.values():
            for gone in [one for one in pool if one in path.split("/") or one == asked.get("id")]:
                pool.remove(gone)

    def send(self, route: str, path: str, **sent: Any) -> requests.Response | None:
        """Sends it when its time has come; null where there was no answer."""
        now = time.monotonic()
        self._next_at = max(self._next_at + 1 / self.rate, now)
        self.over.wait(max(self._next_at - now, 0))
        began = time.monotonic()
        method = route.partition(" ")[0]
        try:
            response = self._session.request(
                method, f"{self.url}{path}", timeout=_SECONDS, allow_redirects=False, **sent
            )
        except requests.RequestException as exc:
            self.tally.lost(Unanswered(route, repr(exc), began, time.monotonic()))
            return None
        self.tally.count(route, response)
        return response

    def _learn(self, route: str, response: requests.Response) -> None:
        """What was made, and what it is signed with."""
        if response.headers.get("Content-Type") != "application/json":
            return
        body = response.json()
        if not isinstance(body, dict):
            return
        self.tally.learn(body)
        if route.endswith("/rotate"):
            return
        if route in (MAKERS["subscription_id"], "POST /{platform}/actions/watch_profile"):
            self._made_one("subscription_id", body, response.status_code)
        elif route in (MAKERS["webhook_id"], "POST /{platform}/actions/create_webhook"):
            self._made_one("webhook_id", body, response.status_code)
        elif route == MAKERS["delivery_id"]:
            self._made_one("delivery_id", body, response.status_code)
        elif route == MAKERS["job_id"]:
            self._made_one("job_id", body, response.status_code)
            self.tally.jobs.add(body["id"])
            self.tally.accepted.add((self._passing, body["id"]))

    def _made_one(self, name: str, body: Mapping[str, Any], _status: int) -> None:
        self.ids.setdefault(name, deque(maxlen=20)).append(str(body["id"]))
        if body.get("secret"):
            self.receivers.sign_with(self._passing, body["secret"])

    def _earn(self, what: str) -> None:
        """What most callers do most of the time."""
        if what == "get":
            self.visit("POST /{platform}/actions/get_profile")
        elif what == "fire":
            self._fire("POST")
        elif what == "spend":
            self._fire("POST", "spent")
        elif what == "batch":
            self.visit("POST /{platform}/actions/get_profiles")
        else:
            self._repeat()

    def _fire(self, method: str, kind: str = "") -> requests.Response | None:
        kind = kind or self.chance.choice(sorted(self.webhooks))
        handle = self.new_handle("w" if kind == "spent" else "l")
        how = {"params" if method == "GET" else "json": {"handle": handle}}
        response = self.send(f"{method} {FIRE}", f"/webhooks/{self.webhooks[kind]}", **how)
        if response is not None and response.status_code == 202:
            accepted = response.json()["id"]
            self.tally.accepted.add((self.targets[kind], accepted))
            if kind == "callback":
                self.tally.jobs.add(accepted)
        return response

    def _repeat(self) -> None:
        """The same request with one Idempotency-Key, three times."""
        route, asked = "POST /{platform}/actions/get_profile", {"handle": self.new_handle("i")}
        path = f"/{self.platform}/actions/get_profile"
        sent = self._sent("POST", path, {**asked, "max_age_seconds": 0})
        sent["headers"]["Idempotency-Key"] = secrets.token_hex(8)
        first: requests.Response | None = None
        for _ in range(3):
            response = self.send(route, path, **sent)
            if response is None or response.status_code in (409, 429) or _is_free(response):
                continue
            if first is not None:
                same = (response.status_code, response.text) == (first.status_code, first.text)
                self.tally.repeated(well=same and "Idempotent-Replayed" in response.headers)
            first = first or response


def _is_made(answer: requests.Response | None) -> dict[str, Any]:
    assert answer is not None, "nobody answered"
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def _is_free(response: requests.Response) -> bool:
    """Whether it failed without cost, so that the same key tries again."""
    return response.status_code > 500 and bool(response.json().get("retryable"))
