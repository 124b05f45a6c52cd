"""What people map before anything has happened: a sample of what will come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.bootstrap import published_document
from schemas.catalog import CATALOG, Trigger
from schemas.fields import declared_fields
from tests.make_app.app import load

PLATFORMS = Path(__file__).parents[2] / "platforms"
KINDS = {"profile_unavailable": "profile_private"}
TRIGGERS = [pytest.param(trigger, id=trigger.key) for trigger in CATALOG.triggers]


def samples(trigger: Trigger) -> list[dict[str, Any]]:
    """The sample of a trigger in Zapier, in Make, and over HTTP."""
    zapier = json.loads((PLATFORMS / "zapier" / "definition.json").read_text("utf-8"))
    modules = load(PLATFORMS / "make").components("module")
    (module,) = [name for name, about in modules.items() if about["label"] == trigger.watch_label]
    answer = published_document(CATALOG, with_endpoint=False)["paths"][
        f"/api/triggers/{trigger.key}"
    ]["get"]["responses"]["200"]
    return [
        zapier["triggers"][trigger.key]["operation"]["sample"],
        load(PLATFORMS / "make").code("module", module, "samples"),
        *answer["content"]["application/json"]["example"],
    ]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_sample_of_a_trigger_is_of_its_own_kind(trigger: Trigger) -> None:
    """Everywhere the same but for who asked; another kind's would leave the wanted fields empty."""
    for sample in samples(trigger):
        assert list(sample) == list(declared_fields(trigger.output))
        assert sample["event_type"] == KINDS.get(trigger.key, trigger.key)
        assert sample["id"] == sample["event_id"]
        assert (sample["milestone"] is None) == (trigger.key != "follower_milestone")
        assert bool(sample["changes"]) == (trigger.key == "profile_changed")
    assert len({trigger.sample["id"] for trigger in CATALOG.triggers}) == len(CATALOG.triggers)
