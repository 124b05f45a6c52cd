"""The form of Watch a profile: the inputs of every trigger, checked as the chosen one would."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.catalog import CATALOG, Trigger
from schemas.fields import choices_of, declared_fields, help_of, label_of

(ACTION,) = (action for action in CATALOG.actions if action.key == "watch_profile")
FORM = declared_fields(ACTION.input)
triggers = pytest.mark.parametrize("trigger", CATALOG.triggers, ids=lambda trigger: trigger.key)
EVERYWHERE = set.intersection(*(set(declared_fields(t.input)) for t in CATALOG.triggers))
GIVEN = {"target_url": "https://a.example.com/1", "handles": "ada,bo"}


@triggers
def test_form_holds_the_trigger_s_inputs(trigger: Trigger) -> None:
    """As they are declared there: two triggers can't mean different things by one field."""
    assert choices_of(FORM["trigger"])[trigger.key] == trigger.label
    for key, declared in declared_fields(trigger.input).items():
        shown = FORM[key]
        assert (type(shown), label_of(shown)) == (type(declared), label_of(declared))
        assert choices_of(shown) == choices_of(declared)
        if key not in EVERYWHERE:
            assert not shown.required
            assert help_of(shown) == f"{help_of(declared)} Only for {trigger.label}."
            assert "Only for" not in help_of(declared)


@triggers
def test_form_asks_for_what_the_trigger_asks_for(trigger: Trigger) -> None:
    """What others ask for is no obstacle, and is not read."""
    given = {"trigger": trigger.key, "thresholds": "10,20", **GIVEN}
    loaded = ACTION.input().load(given)
    asked = trigger.input().load(loaded)
    assert set(asked) == set(declared_fields(trigger.input))
    assert asked["handles"] == ["ada", "bo"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({**GIVEN, "trigger": "follower_milestone"}, "thresholds"),
        ({**GIVEN, "trigger": "new_video", "handles": []}, "handles"),
        ({**GIVEN, "trigger": "stats_snapshot", "frequency": "never"}, "frequency"),
        ({**GIVEN, "trigger": "anything"}, "trigger"),
        (GIVEN, "trigger"),
        ({"trigger": "new_video", "handles": "ada"}, "target_url"),
        ({"trigger": "new_video", "target_url": "https://a.example.com/1"}, "handles"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ACTION.input().load(given)
    assert list(caught.value.normalized_messages()) == [field]
