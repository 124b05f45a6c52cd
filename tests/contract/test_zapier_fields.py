"""Each kind of field has its own place in Zapier's definition, with nothing to be said twice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connector import __version__
from connector.exports.zapier import render_zapier
from schemas import fields
from schemas.catalog import CATALOG, Batch, Catalog
from schemas.fields import declared_fields
from schemas.hooks import HookInput
from schemas.video import Video
from tests.contract.test_openapi_fields import with_field

LABEL = {"key": "one_more", "label": "One More"}


def definition(catalog: Catalog) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        render_zapier(catalog, version=__version__)["definition.json"]
    )
    return found


def in_form(kind: type, **options: Any) -> dict[str, Any]:
    """What one more declared input becomes."""
    operation = definition(with_field(kind, **options))["creates"]["get_profile"]["operation"]
    shown: dict[str, Any] = operation["inputFields"][-1]
    return shown


def in_output(kind: type, **options: Any) -> list[dict[str, Any]]:
    """What one more key of a row becomes."""
    longer = with_field(kind, **options).actions[0]
    action = replace(longer, input=CATALOG.actions[0].input)
    operation = definition(replace(CATALOG, actions=(action,)))["creates"]["get_profile"][
        "operation"
    ]
    return [found for found in operation["outputFields"] if found["key"].startswith("one_more")]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (fields.Text, "string"),
        (fields.Identifier, "string"),
        (fields.Url, "string"),
        (fields.Secret, "password"),
        (fields.WholeNumber, "integer"),
        (fields.Number, "number"),
        (fields.Flag, "boolean"),
        (fields.Timestamp, "datetime"),
    ],
)
def test_kind_of_a_field_is_its_type(kind: type, expected: str) -> None:
    read = in_form(kind)
    assert (read["type"], read["required"], read["helpText"]) == (
        expected,
        False,
        "Added by a test.",
    )
    assert in_output(kind) == [{**LABEL, "type": expected}]


def test_what_must_be_given_what_can_be_chosen_and_what_is_preset_are_said() -> None:
    read = in_form(fields.Text, choices={"a": "First", "b": "Second"}, load_default="b")
    assert (read["choices"], read["default"]) == ({"a": "First", "b": "Second"}, "b")
    read = in_form(fields.Text, required=True)
    assert read["required"] is True


def test_lists_are_lists_and_line_items_are_named_after_theirs() -> None:
    read = in_form(fields.Words, of=fields.Text)
    assert (read["type"], read["list"]) == ("string", True)
    assert in_output(fields.Items, of=fields.Text) == [{**LABEL, "type": "string", "list": True}]
    written = in_output(fields.Items, of=Video)
    assert [found["key"] for found in written] == [
        f"one_more[]{key}" for key in declared_fields(Video)
    ]
    assert all(found["label"].startswith("One More: ") for found in written)


FLAGS = {"isLoadingSample": "meta", "isPopulatingDedupe": "meta"}


@pytest.mark.parametrize("item", [*CATALOG, *CATALOG.triggers], ids=lambda item: item.key)
def test_perform_sends_every_input_and_nothing_else(item: Any) -> None:
    """An input that isn't sent would be shown, filled in and lost."""
    steps = {kind: definition(CATALOG)[kind] for kind in ("triggers", "creates", "searches")}
    (operation,) = [found[item.key]["operation"] for found in steps.values() if item.key in found]
    perform = operation["perform"]
    assert [shown["key"] for shown in operation["inputFields"]] == [*declared_fields(item.input)]
    if isinstance(item, Batch):
        assert f"of {json.dumps([*declared_fields(item.input)])})" in perform["source"]
        return
    sent = perform.get("params") or perform["body"]
    wanted = dict.fromkeys(declared_fields(item.input), "inputData")
    wanted |= FLAGS if item in CATALOG.triggers else {}
    assert sent == {key: f"{{{{bundle.{place}.{key}}}}}" for key, place in wanted.items()}


@pytest.mark.parametrize("trigger", CATALOG.triggers, ids=lambda trigger: trigger.key)
def test_instant_trigger_asks_and_shows_what_the_polled_one_does(trigger: Any) -> None:
    """And sends all of it when it is switched on, with no input named as what stands beside it."""
    steps = definition(CATALOG)["triggers"]
    polled, hook = steps[trigger.key], steps[f"{trigger.key}_instant"]
    for part in ("inputFields", "outputFields", "sample"):
        assert hook["operation"][part] == polled["operation"][part]
    assert hook["display"]["label"] == f"{polled['display']['label']} (Instant)"
    inputs = declared_fields(trigger.input)
    assert hook["operation"]["performSubscribe"]["body"] == {
        "trigger": trigger.key,
        "target_url": "{{bundle.targetUrl}}",
        **{key: f"{{{{bundle.inputData.{key}}}}}" for key in inputs},
    }
    assert not set(inputs) & set(declared_fields(HookInput))
    listing = polled["operation"]["perform"]
    params = {**listing["params"], "isLoadingSample": "true"}
    assert hook["operation"]["performList"] == {**listing, "params": params}
