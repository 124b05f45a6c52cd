"""Pages of watched profiles: what is watched and what it costs, and each one over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from connector.domain.callers import Caller
from connector.domain.errors import ConnectorError
from connector.web.console.desk import (
    ON_PLATFORM,
    OWN,
    Desk,
    back_to,
    failure,
    over_platforms,
    page,
)
from connector.web.routes import UseCases

INTERVALS: Final = {900: "15 minutes", 3600: "hour", 21600: "6 hours", 86400: "day"}
USUAL: Final = 3600
SPANS: Final = {1: "A day", 7: "A week", 30: "A month", 365: "A year"}
_WEEK: Final = 7


def add_watched_pages(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    """Adds the pages of watched profiles, of all platforms."""
    watched = use_cases.watched

    def every(status: int = 200, **shown: Any) -> Response:
        return page(
            "watched",
            status,
            profiles=over_platforms(desk, watched.listed),
            budgets=[watched.budget(caller) for caller in desk.callers()],
            intervals=INTERVALS,
            usual=USUAL,
            **shown,
        )

    def watch() -> Response | AnyResponse:
        handle = request.form.get("handle", "")
        interval = request.form.get("interval", type=int)
        try:
            made = watched.watch(
                handle,
                desk.caller(),
                poll_interval_seconds=interval if interval in INTERVALS else USUAL,
            )
        except ConnectorError as error:
            return every(**failure(error), handle=handle)
        notice = "still_paused" if made["paused"] else "watched"
        return back_to("profile", notice, platform=OWN, handle=made["handle"])

    def one(platform: str, handle: str) -> Response:
        caller = desk.caller(platform)
        days = request.args.get("days", _WEEK, type=int)
        days = days if days in SPANS else _WEEK
        return page(
            "profile",
            profile=watched.one(handle, caller),
            series=watched.series(handle, caller, days=days),
            platform=platform,
            days=days,
            spans=SPANS,
        )

    def doing(what: Callable[[str, Caller], object], notice: str) -> Callable[..., AnyResponse]:
        def run(platform: str, handle: str) -> AnyResponse:
            what(handle, desk.caller(platform))
            if notice == "stopped":
                return back_to("watched", notice)
            return back_to("profile", notice, platform=platform, handle=handle)

        return run

    item = f"/watched/{ON_PLATFORM}/<handle>"
    routes.add_url_rule("/watched", "watched", every)
    routes.add_url_rule("/watched", "watch", watch, methods=["POST"])
    routes.add_url_rule(item, "profile", one)
    for name, what, notice in (
        ("pause", lambda handle, caller: watched.pause(handle, caller), "paused"),
        ("resume", lambda handle, caller: watched.resume(handle, caller), "resumed"),
        ("stop", lambda handle, caller: watched.stop(handle, caller), "stopped"),
    ):
        routes.add_url_rule(f"{item}/{name}", name, doing(what, notice), methods=["POST"])
