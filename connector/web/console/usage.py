"""The page that says what was spent, by day and by what spent it, and what the cache saved."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

from connector.web.console.desk import Desk, page
from connector.web.routes import UseCases
from schemas.catalog import GET_USAGE
from schemas.fields import choices_of, declared_fields

_DAYS: Final = 30
_LABELS: Final = choices_of(declared_fields(GET_USAGE.input)["what"])


def add_usage_page(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    """Adds the page of usage."""

    def usage() -> Response:
        by_day = use_cases.usage_by_day(desk.caller(), days=_DAYS)
        budgets = {c.platform.key: use_cases.watched.budget(c) for c in desk.callers()}
        return page("usage", usage=by_day, labels=_LABELS, budgets=budgets)

    routes.add_url_rule("/usage", "usage", usage)
