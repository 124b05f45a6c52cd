"""What all pages of the console share: who asks, the frame around a page, and what goes wrong on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from connector.domain.callers import Caller
from connector.domain.deadlines import Deadline
from connector.domain.errors import ConnectorError, InvalidApiKey
from connector.domain.jobs import CALLBACK
from connector.domain.platforms import PLATFORMS, Platform
from connector.domain.ports import Clock
from connector.domain.webhooks import CARRIER
from connector.web.console.session import CSRF_FIELD, form_token
from connector.web.errors import REFUSALS, STATUSES, error_body, fault_body
from schemas.catalog import CATALOG

FILES: Final = Path(__file__).parent / "static"
PLATFORM_NAMES: Final = {platform.key: platform.name for platform in PLATFORMS}
# By what a subscription is kept under: those that carry no trigger's events have names too.
_TRIGGERS: Final = {
    CARRIER: "Row of a webhook",
    CALLBACK: "End of a job",
    **{trigger.key: trigger.label for trigger in CATALOG.triggers},
}
_BY_KEY: Final = {platform.key: platform for platform in PLATFORMS}
# Where nobody says through which platform.
OWN: Final = "api"
# As rules name the platform of what a page shows.
ON_PLATFORM: Final = f"<any({', '.join(_BY_KEY)}):platform>"

PAGES: Final = (
    ("try_it", "Try it"),
    ("watched", "Watched profiles"),
    ("subscriptions", "Subscriptions"),
    ("deliveries", "Deliveries"),
    ("webhooks", "Webhooks"),
    ("jobs", "Jobs"),
    ("usage", "Usage"),
    ("your_data", "Your data"),
)

# What a page says after a form was done: the address carries its key, and never a text.
NOTICES: Final[Mapping[str, str]] = {
    "signed_out": "You are signed out.",
    "deleted": "Everything that was kept for the API key is deleted.",
    "being_deleted": "Everything that is kept for the API key is being deleted; a worker goes on with it.",
    "watched": "The profile is watched; its first look comes within a minute.",
    "still_paused": "It is watched, and still paused: Resume looks at it again.",
    "expired": "You were signed out meanwhile, so nothing was done: please do it again.",
    "some_replayed": "1,000 of them are on their way again; press once more for the others.",
    "none_replayed": "There was none that could be sent again.",
    "paused": "Paused: nobody looks at the profile, and nothing is spent on it.",
    "resumed": "It is watched again, from now on.",
    "stopped": "The console watches it no more.",
    "replayed": "It is on its way again.",
    "all_replayed": "All of them are on their way again.",
    "tested": "A test event is on its way.",
    "unsubscribed": "The subscription is ended.",
    "webhook_ended": "The webhook is ended: its address opens nothing any more.",
    "cancelled": "The job is cancelled; what was looked up stays.",
}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Who asks, and until when. Addresses begin with `base_url` or the host that the request names."""

    clock: Clock
    max_deadline_seconds: float
    base_url: str | None

    def caller(self, platform: str = OWN) -> Caller:
        """Who is signed in, as they come through a platform."""
        return self._caller(_BY_KEY[platform], g.console_key)

    def callers(self) -> list[Caller]:
        """The same for every platform: what was made through each has its own place."""
        return [self.caller(platform.key) for platform in PLATFORMS]

    def guest(self, api_key: str) -> Caller:
        """Who wants to sign in."""
        return self._caller(_BY_KEY[OWN], api_key, signed_in=False)

    def _caller(self, platform: Platform, api_key: str, *, signed_in: bool = True) -> Caller:
        seconds = min(platform.deadline_seconds, self.max_deadline_seconds)
        deadline = Deadline(seconds, self.clock.monotonic)
        return Caller(platform, deadline, api_key, self.root, signed_in=signed_in)

    def is_secure(self) -> bool:
        """Whether browsers come by TLS, as the public address says or else the request."""
        return self.root.startswith("https:")

    @property
    def root(self) -> str:
        """The connector's public address, with a slash at its end."""
        return f"{(self.base_url or request.host_url).rstrip('/')}/"


def over_platforms(
    desk: Desk, listed: Callable[[Caller], Iterable[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """What was made through each platform, with its name."""
    return [
        {**row, "platform": caller.platform.key}
        for caller in desk.callers()
        for row in listed(caller)
    ]


def page(template: str, status: int = 200, **shown: Any) -> Response:
    """A page of the console."""
    notice = NOTICES.get(request.args.get("notice", ""))
    framed = {"notice": notice, "status": status, **shown}
    response = make_response(render_template(f"console/{template}.html", **framed), status)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def failure(error: ConnectorError) -> dict[str, Any]:
    """What a page shows of a form that failed, with the status that platforms get."""
    return {"status": STATUSES[type(error)], "failed": error_body(error)}


def back_to(endpoint: str, notice: str | None = None, **values: Any) -> AnyResponse:
    """After a form was done: the page that shows what became of it, to be read again at will."""
    return redirect(url_for(f"console.{endpoint}", notice=notice, **values), 303)


# Charts place their parts with styles set by script, which this allows; text of strangers sets none.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def show_errors(routes: Blueprint) -> None:
    """Errors as pages, with the advice that platforms get."""
    routes.register_error_handler(ConnectorError, _failed)
    routes.register_error_handler(HTTPException, refused)
    routes.register_error_handler(
        Exception, lambda fault: page("error", 500, body=fault_body(fault))
    )


def _failed(error: ConnectorError) -> Response:
    if isinstance(error, InvalidApiKey):
        g.console_key = None
        return page("bad_key", 401, body=error_body(error))
    response = page("error", STATUSES[type(error)], body=error_body(error))
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def refused(error: HTTPException) -> Response | AnyResponse:
    """What was refused, as a page; also what the router refuses before it knows of the console."""
    status = error.code or 500
    if status < 400:
        return error.get_response()  # a redirect of the router's
    code, _ = REFUSALS.get(status, ("forbidden", ""))
    advice = "Choose a page above, or go back to the one before."
    body = {"error": error.description, "error_code": code, "advice": advice}
    return page("error", status, body=body)


def framing() -> dict[str, Any]:
    """What the frame of every page needs."""
    return {
        "pages": PAGES,
        "platform_names": PLATFORM_NAMES,
        "triggers": _TRIGGERS,
        "csrf_field": CSRF_FIELD,
        "form_token": form_token,
        "signed_in": g.get("console_key") is not None,
    }
