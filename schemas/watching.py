"""What starting and ending a subscription take where they are actions: forms with every field in sight."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validates_schema

from schemas.fields import Identifier, Text, declared_fields, field, help_of
from schemas.hooks import HookInput


class UnwatchProfileInput(Schema):
    """The subscription to end."""

    class Meta:
        unknown = EXCLUDE

    id = field(
        Identifier,
        label="Subscription ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        required=True, allow_none=False,
        help="The ID that watching the profile answered. Ending it twice is no error.",
    )


def watch_profile_input(triggers: Mapping[str, tuple[str, type[Schema]]]) -> type[Schema]:
    """The form that holds the inputs of all `triggers`, which are (label, input) by key.

    What is given must be what the chosen trigger asks for; what others ask for is left aside.
    """

    class Chosen(Schema):
        class Meta:
            unknown = EXCLUDE

        @validates_schema
        def _as_the_trigger_asks(self, data: dict[str, Any], **_: Any) -> None:
            asked = triggers[data["trigger"]][1]
            asked().load(data)

    trigger = field(
        Text,
        label="Trigger", sample="new_video", required=True, allow_none=False,
        choices={key: label for key, (label, _) in triggers.items()},
        help="What to be told of.",
    )
    target_url = declared_fields(HookInput)["target_url"]
    return Chosen.from_dict(
        {"trigger": trigger, "target_url": target_url, **_inputs_of_all(triggers)},
        name="WatchProfileInput",
    )


def _inputs_of_all(
    triggers: Mapping[str, tuple[str, type[Schema]]],
) -> dict[str, fields.Field[Any]]:
    takers: dict[str, list[str]] = {}
    declared: dict[str, fields.Field[Any]] = {}
    for label, asked in triggers.values():
        for key, kind in declared_fields(asked).items():
            takers.setdefault(key, []).append(label)
            declared.setdefault(key, kind)
    return {
        key: kind if len(takers[key]) == len(triggers) else _of_some(kind, takers[key])
        for key, kind in declared.items()
    }


def _of_some(declared: fields.Field[Any], labels: list[str]) -> fields.Field[Any]:
    """`declared` where another trigger may be chosen: never required, and saying which ask for it."""
    optional = copy(declared)
    optional.required, optional.allow_none = False, True
    told = f"{help_of(declared)} Only for {', '.join(labels)}."
    optional.metadata = {**declared.metadata, "description": told}
    return optional
