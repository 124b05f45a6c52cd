"""The page that looks a profile up and shows what each platform would get of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, send_from_directory

from connector.domain.callers import Caller
from connector.domain.errors import ConnectorError
from connector.web.console.desk import FILES, ON_PLATFORM, OWN, PLATFORM_NAMES, Desk, failure, page
from connector.web.console.look import cells, curl_line
from connector.web.inputs import checked
from connector.web.routes import UseCases
from schemas.catalog import GET_PROFILE
from schemas.inputs import MAX_AGE_SECONDS


def add_try_page(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    """Adds the console's first page."""
    schema = GET_PROFILE.input()
    look_up = use_cases.handlers[GET_PROFILE.key]

    def empty() -> Response:
        return page("try_it", asked={"platform": OWN})

    def picture(platform: str, handle: str) -> Response:
        found = use_cases.picture_of(handle, desk.caller(platform))
        if found:
            response = Response(found.content, mimetype=found.kind)
        else:
            # No error, which a browser would complain of: there is a letter behind it.
            response = send_from_directory(FILES, "nobody.svg", mimetype="image/svg+xml")
        response.headers["Cache-Control"] = "private, max-age=3600" if found else "no-store"
        response.headers["Vary"] = "Cookie"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response

    def run() -> Response:
        asked = {name: request.form.get(name, "") for name in ("handle", "platform", "find")}
        if asked["platform"] not in PLATFORM_NAMES:
            asked["platform"] = OWN
        caller = desk.caller(asked["platform"])
        given = {name: request.form.get(name) for name in schema.fields}
        try:
            row = look_up(checked(schema, given), caller).value
        except ConnectorError as error:
            return page("try_it", asked=asked, **failure(error))
        return page("try_it", asked=asked, **_shown(row, asked, caller))

    routes.add_url_rule("/", "try_it", empty)
    routes.add_url_rule(f"/pictures/{ON_PLATFORM}/<handle>", "picture", picture)
    routes.add_url_rule("/", "run_try", run, methods=["POST"])


def _shown(row: dict[str, Any], asked: dict[str, str], caller: Caller) -> dict[str, Any]:
    address = f"{caller.root}{caller.platform.key}/actions/{GET_PROFILE.key}"
    found = list(cells(row, GET_PROFILE.output))
    words = asked["find"].casefold()
    return {
        "row": row,
        "cells": [c for c in found if words in f"{c.label} {c.key} {c.value}".casefold()],
        "count": len(found),
        # To find a field is no reason to pay again.
        "longest": MAX_AGE_SECONDS,
        "curl": curl_line(address, {"handle": asked["handle"]}),
    }
