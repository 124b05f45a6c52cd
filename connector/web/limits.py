"""The upstream's rate limit, passed on to the caller."""

from __future__ import annotations

from flask import Response

from connector.domain.answers import RateLimit


def pass_on(rate_limit: RateLimit | None, response: Response) -> Response:
    """`response` with `X-RateLimit-*` as the upstream sent them; none where it sent none."""
    if rate_limit and rate_limit.limit is not None:
        response.headers["X-RateLimit-Limit"] = str(rate_limit.limit)
    if rate_limit and rate_limit.remaining is not None:
        response.headers["X-RateLimit-Remaining"] = str(rate_limit.remaining)
    return response
