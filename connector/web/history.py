"""The route of a profile's history, as JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from flask import Blueprint, Response, request

from connector.domain.callers import Caller
from connector.web.inputs import load_input
from connector.web.lists import csv_listed, listed, wanted_format
from schemas.history import HistoryRow
from schemas.inputs import CSV, HistoryInput


class History(Protocol):
    """What was seen of profiles, as one caller may know it."""

    def of(
        self,
        handle: str,
        caller: Caller,
        *,
        since: datetime | None,
        until: datetime | None,
        limit: int,
        cursor: int | None,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """The newest looks, and the cursor to older ones."""


def add_history_route(
    routes: Blueprint, history: History, caller: Callable[[], Caller], *, paged: bool
) -> None:
    """Adds `/profiles/{handle}/history` to the routes of a platform."""
    schema = HistoryInput()

    def looks(handle: str) -> Response:
        who = caller()
        asked = load_input(request, schema)
        wanted = wanted_format(request, asked.pop("format"))
        rows, cursor = history.of(handle, who, **asked)
        if wanted == CSV:
            return csv_listed(rows, cursor, HistoryRow)
        return listed(rows, cursor, paged=paged)

    routes.add_url_rule("/profiles/<handle>/history", "history", looks)
