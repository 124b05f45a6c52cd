"""Batches as Zapier goes through them: its real engine, in front of a real connector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.running import Server
from tests.zapier.checks import lint_live
from tests.zapier.engine import PACKAGE, Engine, ZapierError, running_engine

DEFINITION: dict[str, Any] = json.loads((PACKAGE / "definition.json").read_text("utf-8"))
BEGIN = "creates.get_profiles.operation"
CALLBACK = "https://hooks.zapier.com/hooks/callback/1/"
HANDLES = ["stoolpresidente", "test_private,test_not_found", "no handle!"]


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Engine]:
    with running_engine(server.url) as running:
        yield running


def begin(
    engine: Engine, key: str, *, sample: bool = False, **inputs: Any
) -> tuple[dict[str, Any], str]:
    """The job, and how Zapier goes on: at once, or when it is called back."""
    bundle = {
        "authData": {"api_key": key},
        "inputData": inputs,
        "meta": {"isLoadingSample": sample},
    }
    event = {"command": "execute", "method": f"{BEGIN}.perform", "bundle": bundle}
    outcome = engine.outcome(event | {"callback_url": CALLBACK})
    return outcome["results"], outcome["status"]


def called_back(server: Server, key: str) -> list[str]:
    """Of what is on its way, the jobs."""
    rows = requests.get(
        f"{server.url}/zapier/deliveries", headers={"X-API-Key": key}, timeout=60
    ).json()
    return [row["event_id"] for row in rows if row["trigger"] == "get_profiles"]


def test_zap_waits_until_it_is_called_back(engine: Engine, server: Server) -> None:
    """Also where all was done at once; it goes on with what was delivered."""
    key, _ = server.new_key()
    job, status = begin(engine, key, handles=HANDLES, max_age_seconds="60", dry_run="false")
    assert status == "CALLBACK"
    assert called_back(server, key) == [f"job:{job['id']}"]
    assert job["secret"] is None
    event = {
        "command": "execute",
        "method": f"{BEGIN}.performResume",
        "bundle": {"cleanedRequest": job, "outputData": job},
    }
    resumed = engine.send(event)
    assert resumed == job
    assert lint_live("creates.get_profiles", DEFINITION["creates"]["get_profiles"], [resumed]) == []
    assert [row["lookup_status"] for row in resumed["profiles"]] == [
        *("found", "private", "not_found", "failed")
    ]


@pytest.mark.parametrize(
    "given",
    [{"sample": True}, {"dry_run": True}, {"dry_run": "yes"}],
    ids=["in the editor", "a dry run", "a mapped dry run"],
)
def test_nobody_waits_where_nobody_is_called_back(
    engine: Engine, server: Server, given: dict[str, Any]
) -> None:
    key, _ = server.new_key()
    job, status = begin(engine, key, handles=["stoolpresidente"], **given)
    assert status == "SUCCESS"
    assert called_back(server, key) == []
    assert lint_live("creates.get_profiles", DEFINITION["creates"]["get_profiles"], [job]) == []


def test_address_that_was_given_is_called_in_its_place(engine: Engine, server: Server) -> None:
    key, _ = server.new_key()
    target = "https://example.com/mine"
    _, status = begin(engine, key, handles=["stoolpresidente"], callback_url=target)
    assert status == "SUCCESS"
    assert len(called_back(server, key)) == 1


def test_job_and_its_rows_can_be_asked_for(engine: Engine, server: Server) -> None:
    key, key_id = server.new_key()
    job, _ = begin(engine, key, handles=HANDLES, sample=True)
    paid = server.credits_of(key_id)
    again = engine.run("creates.get_job.operation.perform", api_key=key, id=job["id"])
    assert again == job
    rows = engine.run("searches.find_job_profiles.operation.perform", api_key=key, id=job["id"])
    assert rows == job["profiles"]
    step = DEFINITION["searches"]["find_job_profiles"]
    assert lint_live("searches.find_job_profiles", step, rows) == []
    assert lint_live("creates.get_job", DEFINITION["creates"]["get_job"], [again]) == []
    assert server.credits_of(key_id) == paid


def test_refused_batch_is_an_error_in_words(engine: Engine, server: Server) -> None:
    with pytest.raises(ZapierError) as error:
        begin(engine, server.new_key()[0], handles=[" "])
    assert error.value.message.startswith("handles: ")
    with pytest.raises(ZapierError) as error:
        begin(engine, "sk_unknown", handles=HANDLES)
    assert error.value.name == "ExpiredAuthError"
