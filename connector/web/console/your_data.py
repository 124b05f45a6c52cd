"""The page that says what is kept for the key, and deletes all of it."""

from __future__ import annotations

from flask import Blueprint, Response, g, request
from werkzeug.wrappers import Response as AnyResponse

from connector.web.console.desk import Desk, back_to, page
from connector.web.console.session import farewell
from connector.web.routes import UseCases


def add_data_page(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    """Adds the page, for all platforms together."""

    def kept(*, unconfirmed: bool = False) -> Response:
        found = use_cases.deleting.kept(desk.callers())
        status = 400 if unconfirmed else 200
        return page("your_data", status, kept=found, unconfirmed=unconfirmed)

    def delete() -> Response | AnyResponse:
        if request.form.get("confirm") != "true":
            return kept(unconfirmed=True)
        done = [use_cases.deleting.delete(caller)["deleted"] for caller in desk.callers()]
        use_cases.visits.end(g.console_token)
        notice = "deleted" if all(done) else "being_deleted"
        return farewell(back_to("sign_in", notice), secure=desk.is_secure())

    routes.add_url_rule("/your-data", "your_data", kept)
    routes.add_url_rule("/your-data/delete", "delete_data", delete, methods=["POST"])
