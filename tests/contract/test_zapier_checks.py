"""Zapier's own checks: our definition passes, and each check fails on a definition that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from connector.exports.zapier import zapier_definition
from connector.exports.zapier_promises import broken_promises
from schemas.catalog import CATALOG
from schemas.titles import title_case
from tests.zapier.checks import lint, lint_hook_payload, lint_live

BASE_URL = "https://connector.example.com"

# A definition with each kind of step, that passes; the cases below break it one rule at a time.
STEP: dict[str, Any] = {
    "key": "thing",
    "noun": "Thing",
    "display": {"label": "New Thing in a List", "description": "Triggers when a thing is new."},
    "operation": {
        "perform": {"url": "{{process.env.BASE_URL}}/things"},
        "inputFields": [{"key": "list", "label": "List", "helpText": "Which of your lists."}],
        "outputFields": [
            {"key": "id", "type": "string", "required": True},
            {"key": "made_at", "type": "datetime"},
            {"key": "tags", "type": "string", "list": True},
            {"key": "parts[]size", "type": "integer"},
        ],
        "sample": {
            "id": "1",
            "made_at": "2026-01-01T00:00:00+00:00",
            "tags": ["a"],
            "parts": [{"size": 5}],
        },
    },
}
HOOK: dict[str, Any] = deepcopy(STEP)
HOOK["operation"] |= {
    "type": "hook",
    "performList": {"url": "{{process.env.BASE_URL}}/things"},
    "performSubscribe": {"url": "{{process.env.BASE_URL}}/hooks"},
    "performUnsubscribe": {"url": "{{process.env.BASE_URL}}/hooks/1"},
}
GOOD: dict[str, Any] = {
    "authentication": {
        "type": "custom",
        "connectionLabel": "{{name}}",
        "fields": [
            {"key": "key", "type": "password", "helpText": "See [the page](https://example.com/a)."}
        ],
        "test": {"url": "{{process.env.BASE_URL}}/me"},
    },
    "triggers": {"thing": STEP, "instant": HOOK},
    "searches": {"find": STEP},
    "creates": {"make": STEP},
}


def edited(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets the value at a dotted path; `...` removes it."""

    def edit(definition: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        node: Any = definition
        for part in parents:
            node = node[int(part)] if part.isdigit() else node[part]
        if value is ...:
            del node[last]
        else:
            node[last] = value

    return edit


FIELD = "creates.make.operation.inputFields.0"
BROKEN = [
    ("D001", edited(f"{FIELD}.key", "api_key")),
    ("D001", edited(f"{FIELD}.type", "password")),
    ("D002", edited("authentication.fields.0.helpText", "It is in your settings.")),
    ("D003", edited("authentication.connectionLabel", ...)),
    ("D003", edited("authentication.connectionLabel", "My account")),
    ("D003", edited("authentication.connectionLabel", "{{bundle.authData.key}}")),
    ("D006", edited("triggers.instant.operation.performList", ...)),
    ("D007", edited("creates.make.operation.perform.url", "http://example.com")),
    ("D007", edited("authentication.test.url", "{{process.env.OTHER}}/me")),
    ("D008", edited(f"{FIELD}.helpText", "See https://example.com for more.")),
    ("D008", edited(f"{FIELD}.helpText", "See [this(https://example.com).")),
    ("D008", edited("creates.make.display.description", "See [this](example.com).")),
    ("D009", edited("searches.find.operation.inputFields", [])),
    ("D010", edited("triggers.thing.operation.sample.id", "")),
    ("D011", edited(f"{FIELD}.helpText", "list.")),
    ("D012", edited("searches.find.operation.sample", {})),
    ("D017", edited("triggers.instant.operation.performSubscribe", ...)),
    ("D017", edited("triggers.instant.operation.performUnsubscribe", ...)),
    ("D018", edited("creates.make.display.label", "New thing")),
    ("D018", edited("creates.make.display.label", "the Thing")),
    ("D021", edited("triggers.thing.display.description", "Whenever a thing is new.")),
    ("D021", edited("triggers.thing.display.description", "Triggers when a thing is new")),
    ("D022", edited("creates.make.operation.inputFields", ...)),
    ("D023", edited("creates.make.operation.sample.made_at", "2026-01-01T00:00:00")),
    ("D023", edited("creates.make.operation.sample.parts", [{"made_at": "01 Aug 2026"}])),
    ("D024", edited("creates.make.operation.sample.id", 1)),
    ("D024", edited("creates.make.operation.sample.id", ...)),
    ("D024", edited("creates.make.operation.sample.tags", ["a", 1])),
    ("D024", edited("creates.make.operation.sample.parts", [{"size": "big"}])),
    ("D024", edited("creates.make.operation.sample.parts", [{"size": True}])),
]


def test_our_definition_passes() -> None:
    assert lint(zapier_definition(CATALOG), base_url=BASE_URL) == []


def test_sound_definition_passes() -> None:
    """Or the cases below would prove nothing."""
    assert lint(GOOD, base_url=BASE_URL) == []


@pytest.mark.parametrize(
    ("code", "edit"), BROKEN, ids=[f"{c}-{n}" for n, (c, _) in enumerate(BROKEN)]
)
def test_broken_definition_is_found(code: str, edit: Callable[[dict[str, Any]], None]) -> None:
    definition = deepcopy(GOOD)
    edit(definition)
    assert code in {finding.code for finding in lint(definition, base_url=BASE_URL)}


def test_insecure_base_url_is_found() -> None:
    """D007 is about what Zapier would really call."""
    findings = lint(GOOD, base_url="http://connector.example.com")
    assert {finding.code for finding in findings} == {"D007"}


SAMPLE: dict[str, Any] = STEP["operation"]["sample"]


@pytest.mark.parametrize(
    ("code", "where", "change"),
    [
        ("T002", "triggers.thing", {"id": ""}),
        ("T002", "triggers.thing", {"id": None}),
        ("T003", "creates.make", {"made_at": "2026-01-01 10:00"}),
        ("T004", "creates.make", {"parts": [{"colour": "red"}]}),
        ("T005", "triggers.thing", {"tags": "a"}),
        ("Z001", "searches.find", {"parts": [{"size": 1.5}]}),
    ],
)
def test_broken_result_is_found(code: str, where: str, change: dict[str, Any]) -> None:
    findings = lint_live(where, STEP, [{**SAMPLE, **change}])
    assert code in {finding.code for finding in findings}
    assert lint_live(where, STEP, [SAMPLE]) == []


def test_missing_and_doubled_results_are_found() -> None:
    without_id = {key: value for key, value in SAMPLE.items() if key != "id"}
    codes = {f.code for f in lint_live("triggers.thing", STEP, [without_id])}
    assert {"T002", "T004", "T005"} <= codes
    assert {f.code for f in lint_live("triggers.thing", STEP, [SAMPLE, SAMPLE])} == {"T002"}


def test_hook_must_deliver_what_was_polled() -> None:
    assert lint_hook_payload("triggers.instant", SAMPLE, {**SAMPLE, "more": 1}) == []
    (finding,) = lint_hook_payload("triggers.instant", SAMPLE, {**SAMPLE, "parts": [{}]})
    assert (finding.code, finding.message) == ("T006", "parts[]size is polled but not delivered")


@pytest.mark.parametrize(
    ("code", "edit"),
    [
        ("C001", edited("creates.make", ...)),
        ("C001", edited("triggers.thing.display", {"hidden": True})),
        ("C002", edited("creates.make.operation.inputFields", [])),
        ("C003", edited("creates.make.operation.sample.tags", ...)),
    ],
)
def test_what_zaps_rely_on_is_not_lost_unseen(
    code: str, edit: Callable[[dict[str, Any]], None]
) -> None:
    new = deepcopy(GOOD)
    edit(new)
    assert {found for found, _, _ in broken_promises(GOOD, new)} == {code}
    assert broken_promises(GOOD, GOOD) == []


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Get a profile", "Get a Profile"),
        ("Bio link risk", "Bio Link Risk"),
        ("Created (Unix time)", "Created (Unix Time)"),
        ("Latest video: Posted at", "Latest Video: Posted At"),
        ("User ID", "User ID"),
        ("Hearts (heartCount)", "Hearts (Heart Count)"),
        ("TikTok Shop seller", "TikTok Shop Seller"),
        ("New video (instant)", "New Video (Instant)"),
        ("a list of the things", "A List of the Things"),
        ("profile", "Profile"),
    ],
)
def test_labels_in_title_case(label: str, expected: str) -> None:
    assert title_case(label) == expected
