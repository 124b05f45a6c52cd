"""Forms from declarations: a field's label, help and choices are said in its schema alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from marshmallow import Schema, fields, missing

from schemas.fields import Flag, Secret, WholeNumber, Words, choices_of, help_of, label_of


@dataclass(frozen=True)
class FormField:
    """One input of a form. `kind` is text, number, check, choice, several, lines or secret."""

    name: str
    label: str
    help: str
    kind: str
    choices: Mapping[str, str]
    required: bool
    value: Any

    @property
    def chosen(self) -> list[str]:
        """What of the choices is chosen."""
        return self.value if isinstance(self.value, list) else [self.value]


def form_of(schema: Schema, given: Mapping[str, Any] | None = None) -> Iterator[FormField]:
    """The inputs of a form, filled in with what was `given`, else with what counts where nothing is."""
    for name, declared in schema.fields.items():
        default = declared.load_default
        usual = "" if default in (None, missing) or callable(default) else default
        yield FormField(
            name,
            label_of(declared),
            help_of(declared),
            _kind(declared),
            choices_of(declared),
            declared.required,
            usual if given is None else given.get(name, ""),
        )


def given_in_form(schema: Schema) -> dict[str, Any]:
    """What was sent for the schema's fields: a list where several may be chosen."""
    return {
        name: request.form.getlist(name)
        if _kind(declared) == "several"
        else request.form.get(name, "")
        for name, declared in schema.fields.items()
    }


def _kind(declared: fields.Field[Any]) -> str:
    if choices_of(declared):
        return "several" if isinstance(declared, Words) else "choice"
    kinds = {Flag: "check", Secret: "secret", WholeNumber: "number", Words: "lines"}
    return kinds.get(type(declared), "text")
