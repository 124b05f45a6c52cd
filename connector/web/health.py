"""For operators and load balancers: is the process up, and can it do its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, jsonify

Checks = Mapping[str, Callable[[], str | None]]
"""By name, a check that answers null when all is well, else a sentence that says what to do."""


def health_routes(checks: Checks, notes: Checks) -> Blueprint:
    """`/healthz` and `/readyz`. Neither asks the paid API.

    A failed check takes this process out of service; a note says what else is amiss.
    """
    routes = Blueprint("health", __name__)
    routes.add_url_rule("/healthz", "healthz", lambda: jsonify(status="ok"))
    routes.add_url_rule("/readyz", "readyz", lambda: _readiness(checks, notes))
    return routes


def _readiness(checks: Checks, notes: Checks) -> Response:
    found = {name: check() or "ok" for name, check in checks.items()}
    failed = any(problem != "ok" for problem in found.values())
    if not failed:
        # A note may need what a check found missing.
        found |= {name: note() or "ok" for name, note in notes.items()}
    response = jsonify(status="not ready" if failed else "ok", checks=found)
    response.status_code = 503 if failed else 200
    return response
