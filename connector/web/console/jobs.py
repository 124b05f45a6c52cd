"""Pages of batches: begun, watched while they go on, cancelled, taken away as a table."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from connector.domain.errors import ConnectorError
from connector.domain.jobs import RUNNING
from connector.web.console.desk import (
    ON_PLATFORM,
    OWN,
    Desk,
    back_to,
    failure,
    over_platforms,
    page,
)
from connector.web.console.forms import form_of, given_in_form
from connector.web.inputs import checked
from connector.web.lists import csv_listed
from connector.web.routes import UseCases
from schemas.catalog import GET_PROFILES
from schemas.jobs import MAX_BATCH, PAGE_ROWS, BatchRow


def add_job_pages(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    """Adds the pages of jobs, of all platforms."""
    # Who looks on needs no callback, whose secret would have to be kept.
    jobs, schema = use_cases.jobs, GET_PROFILES.input(exclude=[GET_PROFILES.callback_input])
    start_job = use_cases.handlers[GET_PROFILES.key]

    def every(status: int = 200, *, given: Any = None, **shown: Any) -> Response:
        found = over_platforms(desk, jobs.listed)
        found.sort(key=lambda job: job["created_at"], reverse=True)
        return page("jobs", status, jobs=found, form=list(form_of(schema, given)), **shown)

    def start() -> Response | AnyResponse:
        given = given_in_form(schema)
        try:
            asked = checked(schema, given) | {GET_PROFILES.callback_input: None}
            job = start_job(asked, desk.caller()).value
        except ConnectorError as error:
            return every(**failure(error), given=given)
        if job["id"] is None:
            return every(given=given, dry_run=job)
        return redirect(url_for("console.job", platform=OWN, job_id=job["id"]), 303)

    def one(platform: str, job_id: str) -> Response:
        caller = desk.caller(platform)
        cursor = min(max(request.args.get("after", 0, type=int), 0), MAX_BATCH)
        job = jobs.find(job_id, caller)
        rows, more = jobs.rows(job_id, caller, cursor=cursor, limit=PAGE_ROWS, file=False)
        goes_on = job["state"] == RUNNING
        return page("job", job=job, platform=platform, rows=rows, more=more, goes_on=goes_on)

    def table(platform: str, job_id: str) -> Response:
        rows, cursor = jobs.rows(job_id, desk.caller(platform), cursor=None, limit=None, file=True)
        response = csv_listed(rows, cursor, BatchRow)
        response.headers["Content-Disposition"] = "attachment; filename=profiles.csv"
        return response

    def cancel(platform: str, job_id: str) -> AnyResponse:
        jobs.cancel(job_id, desk.caller(platform))
        return back_to("job", "cancelled", platform=platform, job_id=job_id)

    item = f"/jobs/{ON_PLATFORM}/<job_id>"
    routes.add_url_rule("/jobs", "jobs", every)
    routes.add_url_rule("/jobs", "start_job", start, methods=["POST"])
    routes.add_url_rule(item, "job", one)
    routes.add_url_rule(f"{item}/profiles.csv", "job_table", table)
    routes.add_url_rule(f"{item}/cancel", "cancel_job", cancel, methods=["POST"])
