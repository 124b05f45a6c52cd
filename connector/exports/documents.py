"""Tables in the documents, kept between markers, from whatever declares their content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from marshmallow import Schema

from connector.domain.platforms import Platform
from schemas import fields
from schemas.catalog import Action, Catalog
from schemas.fields import declared_fields, help_of, label_of, line_items

KINDS: Mapping[type, str] = {
    fields.Text: "text",
    fields.Identifier: "text",
    fields.Secret: "secret text",
    fields.Url: "address",
    fields.WholeNumber: "integer",
    fields.Number: "number",
    fields.Flag: "boolean",
    fields.Timestamp: "ISO 8601",
    fields.Items: "list",
    fields.Words: "list, or text with commas",
}


def render_document(text: str, tables: Mapping[str, str]) -> str:
    """`text` with the content between `<!-- name -->` and `<!-- /name -->` replaced by `tables[name]`.

    Raises KeyError for a marker without a table.
    """

    def renew(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n{tables[match[1]]}\n<!-- /{match[1]} -->"

    return re.sub(r"<!-- ([a-z-]+) -->\n.*?<!-- /\1 -->", renew, text, flags=re.S)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def platforms_table(platforms: Iterable[Platform]) -> str:
    """The ways in, and what differs between them."""
    return table(
        ("`{platform}`", "for", "look-ups recorded as", "answers within", "lists"),
        (
            (
                f"`{p.key}`",
                p.name,
                f"`{p.request_source}`",
                f"{p.deadline_seconds:g} s",
                "`{items, next_cursor}`" if p.paged else "bare",
            )
            for p in platforms
        ),
    )


def fields_table(schema: type[Schema]) -> str:
    """Every key of `schema`, in order."""
    return table(
        ("key", "label", "kind", "what it says"),
        (
            (f"`{key}`", label_of(f), KINDS[type(f)], help_of(f))
            for key, f in declared_fields(schema).items()
        ),
    )


def inputs_table(
    catalog: Catalog, *, name: Callable[[Action], str], case: Callable[[str], str] = str
) -> str:
    """Every input of actions, searches and triggers, with what takes it by `name`."""
    takers: dict[tuple[str, str, str, str], list[str]] = {}
    for step in (*catalog, *catalog.triggers):
        for key, f in declared_fields(step.input).items():
            kind = KINDS[type(f)] + (", required" if f.required else "")
            cells = (f"`{key}`", case(label_of(f)), kind, help_of(f))
            takers.setdefault(cells, []).append(name(step))
    return table(
        ("input", "label", "kind", "what it is", "for"),
        ((*cells, ", ".join(names)) for cells, names in takers.items()),
    )


def steps_table(catalog: Catalog, *, name: Callable[[Action], str]) -> str:
    """Triggers, actions and searches by the names that a platform shows."""
    steps = (*catalog.polled_and_instant, *catalog)
    return table(("step", "what it does"), ((name(step), step.description) for step in steps))


def mapping_table(schema: type[Schema], *, case: Callable[[str], str]) -> str:
    """The fields of `schema` by the labels that a platform shows, line items after their list."""
    return table(("field", "key", "what it says"), _mapped(schema, case))


def _mapped(schema: type[Schema], case: Callable[[str], str]) -> Iterator[tuple[str, str, str]]:
    for key, f in declared_fields(schema).items():
        label = case(label_of(f))
        yield label, f"`{key}`", help_of(f)
        if items := line_items(f):
            for child, child_key, text in _mapped(items, case):
                yield f"{label}: {child}", f"`{key}[]{child_key[1:]}", text


def keys_list(schema: type[Schema]) -> str:
    """The keys of `schema`, as a sentence's list."""
    return ", ".join(f"`{key}`" for key in declared_fields(schema))


def catalog_table(catalog: Catalog) -> str:
    """Actions, searches and triggers with their routes."""
    actions = ((f"`POST /{{platform}}/actions/{a.key}`", a.description) for a in catalog.actions)
    searches = (
        (f"`GET` or `POST /{{platform}}/searches/{s.key}`", s.description) for s in catalog.searches
    )
    triggers = ((f"`GET /{{platform}}/triggers/{t.key}`", t.description) for t in catalog.triggers)
    return table(("route", "what it does"), [*actions, *searches, *triggers])
