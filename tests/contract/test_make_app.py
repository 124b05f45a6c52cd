"""The app for Make is what the catalog says, and follows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from marshmallow import Schema, fields

from connector.domain.platforms import PLATFORMS
from connector.exports.make import render_make
from connector.exports.make_fields import camel
from connector.generated import EXAMPLE_BASE_URL, generated_files
from connector.web.errors import REFUSALS, STATUSES
from schemas.catalog import CATALOG, Action, Catalog, Trigger
from schemas.fields import Flag, Items, Secret, Text, Timestamp, declared_fields, field
from tests.make_app.app import App, load
from tests.make_app.checks import faults

FOLDER = Path(__file__).parents[2] / "platforms" / "make"
APP = load(FOLDER)
STATUSES_OF_THE_CONNECTOR = {*STATUSES.values(), *REFUSALS}


def render(catalog: Catalog = CATALOG, statuses: set[int] = STATUSES_OF_THE_CONNECTOR) -> App:
    return App(render_make(catalog, statuses, EXAMPLE_BASE_URL))


def with_output(item: Action, **added: fields.Field[Any]) -> type[Schema]:
    return Schema.from_dict({**declared_fields(item.output), **added})


def test_folder_holds_generated_files_only() -> None:
    """A file left over from an older catalog would be deployed."""
    generated = generated_files("make", FOLDER.parents[1])
    assert {f"platforms/make/{path}" for path in APP.files} == set(generated)


def test_modules_are_the_catalog() -> None:
    modules = {name: entry["label"] for name, entry in APP.components("module").items()}
    assert modules == {
        **{camel(trigger.key): trigger.watch_label for trigger in CATALOG.polled_and_instant},
        **{camel(item.key): item.label for item in CATALOG},
        "makeApiCall": CATALOG.universal.label,
    }
    assert [APP.components("rpc")[name]["label"] for name in APP.components("rpc")] == [
        item.label for item in CATALOG.pick_lists
    ]


@pytest.mark.parametrize("trigger", CATALOG.triggers, ids=lambda trigger: trigger.key)
def test_instant_module_puts_out_and_asks_what_the_polled_one_does(trigger: Trigger) -> None:
    """But for the limit: events come one at a time. Ids are permanent."""
    polled = camel(trigger.key)
    instant = APP.components("module")[f"{polled}Instant"]
    assert (instant["moduleType"], instant["webhook"]) == ("instant_trigger", polled)
    assert APP.components("module")[polled]["moduleType"] == "trigger"
    for code in ("interface", "samples"):
        assert APP.code("module", f"{polled}Instant", code) == APP.code("module", polled, code)
    form = APP.form("module", polled)
    assert APP.form("webhook", polled) == [entry for entry in form if entry["name"] != "limit"]
    assert APP.code("webhook", polled, "attach")["body"]["trigger"] == trigger.key


def test_modules_say_what_they_do_to_what_is_kept() -> None:
    """Make tells people, and machines that build scenarios, which actions only read."""
    entries = APP.components("module").values()
    said = {entry["label"]: entry["actionCrud"] for entry in entries if "actionCrud" in entry}
    assert said == {action.label: action.effect for action in CATALOG.actions}
    assert set(said.values()) == {"read", "create", "delete"}


def test_new_field_and_input_reach_the_app_unasked() -> None:
    """One declaration: interface, sample, form and request follow, and no check finds a fault."""
    action = CATALOG.actions[0]
    starred = field(Flag, label="Starred", sample=True, help="Whether it has a star.")
    moments = field(Items, label="Moments", sample=[], help="When it was seen.", of=Timestamp)
    depth = field(Text, label="Depth", sample="all", help="How much is read.", load_default="few")
    changed = replace(
        action,
        input=Schema.from_dict({**declared_fields(action.input), "look_up_depth": depth}),
        output=with_output(action, has_star=starred, seen_at=moments),
    )
    app = render(replace(CATALOG, actions=(changed,)))
    assert faults(app) == []
    assert app.code("module", "getProfile", "interface")[-2:] == [
        {"name": "has_star", "label": "Starred", "type": "boolean"},
        {"name": "seen_at", "label": "Moments", "type": "array", "spec": {"type": "date"}},
    ]
    assert app.code("module", "getProfile", "samples")["has_star"] is True
    assert app.form("module", "getProfile")[-1] == {
        "name": "lookUpDepth",
        "label": "Depth",
        "help": "How much is read.",
        "type": "text",
        "default": "few",
    }
    request = app.code("module", "getProfile", "communication")
    assert request["body"]["look_up_depth"] == "{{parameters.lookUpDepth}}"


def test_new_action_reaches_the_app_unasked() -> None:
    action, *others = CATALOG.actions
    more = replace(action, key="get_video", noun="Video", label="Get a video")
    app = render(replace(CATALOG, actions=(action, more, *others)))
    assert faults(app) == []
    before = [group["label"] for group in APP.general("groups")]
    assert [group["label"] for group in app.general("groups")] == [
        *before[:2],
        "Videos",
        *before[2:],
    ]
    assert app.code("module", "getVideo", "communication")["url"] == "/make/actions/get_video"


@pytest.mark.parametrize("kind", [Secret, fields.Decimal])
def test_kind_that_make_has_no_type_for_is_refused(kind: type[fields.Field[Any]]) -> None:
    """Never a guess; somebody decides how a new kind of field looks in Make."""
    action = CATALOG.actions[0]
    odd = field(kind, label="Odd", sample=1, help="What is odd.")
    with pytest.raises(KeyError):
        render(replace(CATALOG, actions=(replace(action, output=with_output(action, odd=odd)),)))


def test_action_whose_empty_answer_looks_like_any_is_refused() -> None:
    """A get module must not put out an empty bundle."""
    action = CATALOG.actions[0]
    output = {key: kind for key, kind in declared_fields(action.output).items() if key != "handle"}
    changed = replace(action, output=Schema.from_dict(output))
    with pytest.raises(ValueError, match="get_profile: no output key"):
        render(replace(CATALOG, actions=(changed,)))


def test_status_that_nobody_has_judged_is_refused() -> None:
    """Its type decides whether a scenario runs again."""
    with pytest.raises(KeyError):
        render(statuses={*STATUSES_OF_THE_CONNECTOR, 418})


def test_make_waits_longer_than_the_connector() -> None:
    """The connector's own answer says more than Make's about a missing one."""
    make = next(platform for platform in PLATFORMS if platform.key == "make")
    assert make.deadline_seconds * 1000 < APP.general("base")["timeout"] < 40_000


def test_rendering_changes_nothing_in_the_catalog() -> None:
    assert render().files == render().files == APP.files


def test_readme_names_every_file_that_holds_the_address() -> None:
    """The one value to change, wherever it stands."""
    command = next(line for line in APP.files["README.md"].splitlines() if line.startswith("sed "))
    holding = [path for path, text in APP.files.items() if EXAMPLE_BASE_URL in text]
    assert {*holding} == {*command.split("' ")[-1].split(), "README.md"}


def test_another_address_changes_those_files_only() -> None:
    mine = render_make(CATALOG, STATUSES_OF_THE_CONNECTOR, "https://mine.example.org")
    assert mine.keys() == APP.files.keys()
    assert {
        p: t.replace("https://mine.example.org", EXAMPLE_BASE_URL) for p, t in mine.items()
    } == (APP.files)


def test_sample_is_one_from_make() -> None:
    assert APP.code("module", "getProfile", "samples")["request_source"] == "MAKE_DOT_COM"
