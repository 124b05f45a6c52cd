"""For operators and load balancers: is the process up, and can it do its work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, jsonify

log = logging.getLogger(__name__)
Checks = Mapping[str, Callable[[], str | None]]
"""By name, a check that answers null when all is well, else a sentence that says what to do."""


def health_routes(checks: Checks, notes: Checks) -> Blueprint:
    """`/healthz` and `/readyz`. Neither asks the paid API.

    A failed check takes this process out of service; a note says what else is amiss, and that it
    serves all the same.
    """
    routes = Blueprint("health", __name__)
    routes.add_url_rule("/healthz", "healthz", lambda: jsonify(status="ok"))
    routes.add_url_rule("/readyz", "readyz", lambda: _readiness(checks, notes))
    return routes


def _readiness(checks: Checks, notes: Checks) -> Response:
    found = {name: _said(check) for name, check in checks.items()}
    failed = _amiss(found)
    if not failed:
        # A note may need what a check found missing.
        found |= {name: _said(note) for name, note in notes.items()}
    status = "degraded" if _amiss(found) else "ok"
    response = jsonify(status="not ready" if failed else status, checks=found)
    response.status_code = 503 if failed else 200
    return response


def _amiss(found: Mapping[str, str]) -> bool:
    return any(said != "ok" for said in found.values())


def _said(check: Callable[[], str | None]) -> str:
    try:
        return check() or "ok"
    except TimeoutError:
        return "There was no answer in time; look whether it is up, and overloaded."
    except Exception:
        log.exception("a check of readiness failed")
        return "It could not be asked; the log says why."
