"""For operators and load balancers: is the process up, and can it do its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, jsonify

Checks = Mapping[str, Callable[[], str | None]]
"""By name, a check that answers null when all is well, else a sentence that says what to do."""


def health_routes(checks: Checks) -> Blueprint:
    """`/healthz` and `/readyz`. Neither asks the paid API."""
    routes = Blueprint("health", __name__)
    routes.add_url_rule("/healthz", "healthz", lambda: jsonify(status="ok"))
    routes.add_url_rule("/readyz", "readyz", lambda: _readiness(checks))
    return routes


def _readiness(checks: Checks) -> Response:
    problems = {name: problem for name, check in checks.items() if (problem := check())}
    response = jsonify(
        status="not ready" if problems else "ok",
        checks={name: problems.get(name, "ok") for name in checks},
    )
    response.status_code = 503 if problems else 200
    return response
