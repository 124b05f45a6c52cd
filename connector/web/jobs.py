"""Routes of batches: how a job stands, its rows as JSON or CSV, and its early end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from flask import Blueprint, Response, jsonify, request

from connector.domain.callers import Caller
from connector.web.inputs import load_input
from connector.web.lists import csv_listed, listed, wanted_format
from schemas.inputs import CSV
from schemas.jobs import BatchRow, JobRowsInput


class Jobs(Protocol):
    """Batches, as one caller sees them."""

    def find(self, job_id: str, caller: Caller) -> dict[str, Any]:
        """How a job stands."""

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's newest jobs."""

    def rows(
        self, job_id: str, caller: Caller, *, cursor: int | None, limit: int | None, file: bool
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Rows of a job, and the cursor to more."""

    def cancel(self, job_id: str, caller: Caller) -> dict[str, Any]:
        """Ends a job early."""


def add_job_routes(
    routes: Blueprint, jobs: Jobs, caller: Callable[[], Caller], *, paged: bool
) -> None:
    """Adds `/jobs` to the routes of a platform."""
    schema = JobRowsInput()

    def every() -> Response:
        return listed(jobs.listed(caller()), None, paged=paged)

    def one(job_id: str) -> Response:
        return jsonify(jobs.find(job_id, caller()))

    def cancel(job_id: str) -> Response:
        return jsonify(jobs.cancel(job_id, caller()))

    def rows(job_id: str) -> Response:
        who = caller()
        asked = load_input(request, schema)
        as_file = wanted_format(request, asked.pop("format")) == CSV
        found, cursor = jobs.rows(job_id, who, **asked, file=as_file)
        if as_file:
            return csv_listed(found, cursor, BatchRow)
        return listed(found, cursor, paged=paged)

    routes.add_url_rule("/jobs", "jobs", every)
    routes.add_url_rule("/jobs/<job_id>", "job", one)
    routes.add_url_rule("/jobs/<job_id>", "cancel_job", cancel, methods=["DELETE"])
    routes.add_url_rule("/jobs/<job_id>/rows", "job_rows", rows)
