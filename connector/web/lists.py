"""Lists as platforms want them."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify


def listed(rows: list[Any], cursor: int | None, *, paged: bool) -> Response:
    """`rows` as a bare array or, `paged`, with the cursor to the next page."""
    response = jsonify({"items": rows, "next_cursor": cursor} if paged else rows)
    if cursor is not None:
        # A bare array has no other place for it.
        response.headers["X-Next-Cursor"] = str(cursor)
    return response
