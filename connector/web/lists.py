"""Lists as platforms want them, and as spreadsheets do."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Final

from flask import Request, Response, jsonify
from marshmallow import Schema

from schemas.fields import declared_fields
from schemas.inputs import CSV

# With these a spreadsheet takes a text for a formula, and runs it.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


def wanted_format(asked: Request, given: str | None) -> str:
    """The format that was `given`, else what the header accepts."""
    if given:
        return given
    best = asked.accept_mimetypes.best_match(["application/json", "text/csv"])
    return CSV if best == "text/csv" else ""


def listed(rows: list[Any], cursor: int | None, *, paged: bool) -> Response:
    """`rows` as a bare array or, `paged`, with the cursor to the next page."""
    response = jsonify({"items": rows, "next_cursor": cursor} if paged else rows)
    return _with_cursor(response, cursor)


def csv_listed(rows: list[dict[str, Any]], cursor: int | None, schema: type[Schema]) -> Response:
    """`rows` as CSV by RFC 4180, under a line of their keys; a null is an empty cell.

    A text that a spreadsheet would run gets a ' in front.
    """
    table = io.StringIO()
    writer = csv.writer(table)
    keys = list(declared_fields(schema))
    writer.writerow(keys)
    writer.writerows([_cell(row[key]) for key in keys] for row in rows)
    return _with_cursor(Response(table.getvalue(), mimetype="text/csv"), cursor)


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        # Line items have no place of their own in a table.
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _with_cursor(response: Response, cursor: int | None) -> Response:
    if cursor is not None:
        # A bare array, or a table, has no other place for it.
        response.headers["X-Next-Cursor"] = str(cursor)
    return response
