"""What scenarios were built on is not lost unseen: modules, webhooks, inputs and fields."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.generated import removals
from tests.make_app.app import MANIFEST, load
from tests.make_app.breaking import broken, drop, put, rename

FOLDER = Path(__file__).parents[2] / "platforms" / "make"
APP = load(FOLDER)
MODULE = "components/module/getProfile"
FIELDS = "modules/getProfile/getProfile.interface.iml.json"


def last_item(entries: list[dict[str, Any]]) -> None:
    (videos,) = (entry for entry in entries if entry["name"] == "recent_videos")
    videos["spec"].pop()


LOST: list[tuple[str, Callable[[Any], object], list[str]]] = [
    (MANIFEST, drop(MODULE), ["The module getProfile is gone."]),
    (MANIFEST, rename(MODULE, "fetchProfile"), ["The module getProfile is gone."]),
    (
        MANIFEST,
        put(f"{MODULE}/moduleType", "search"),
        ["The module getProfile is of another kind."],
    ),
    (MANIFEST, drop("components/webhook/newVideo"), ["The webhook newVideo is gone."]),
    (
        MANIFEST,
        put("components/module/newVideoInstant/webhook", "statsSnapshot"),
        ["The module newVideoInstant is of another kind."],
    ),
    (
        "webhooks/newVideo/newVideo.params.iml.json",
        drop("0"),
        ["newVideo.params.iml.json has lost handles."],
    ),
    (
        "modules/newVideo/newVideo.static-params.iml.json",
        put("0/name", "names"),
        ["newVideo.static-params.iml.json has lost handles."],
    ),
    (
        "modules/getProfile/getProfile.mappable-params.iml.json",
        drop("0"),
        ["getProfile.mappable-params.iml.json has lost handle."],
    ),
    (FIELDS, put("0/name", "key"), ["getProfile.interface.iml.json has lost id."]),
    (FIELDS, last_item, ["getProfile.interface.iml.json has lost recent_videos[]cover_url."]),
    (MANIFEST, put(f"{MODULE}/label", "Fetch a profile"), []),
    ("modules/getProfile/getProfile.mappable-params.iml.json", put("0/label", "Name"), []),
    ("general/base.iml.json", drop("timeout"), []),
]


@pytest.mark.parametrize(("path", "change", "lost"), LOST)
def test_loss_is_named(path: str, change: Callable[[Any], object], lost: list[str]) -> None:
    """By what a person of the editor would look for. Labels and requests may change."""
    changed = broken(APP, path, change)
    assert removals(FOLDER / path, APP.files[path], changed.files[path]) == lost


def test_addition_is_no_loss() -> None:
    """Nor is a file that wasn't there."""
    for path, text in APP.files.items():
        assert removals(FOLDER / path, None, text) == removals(FOLDER / path, text, text) == []
    more = broken(APP, MANIFEST, put("components/module/getVideo", {"moduleType": "action"}))
    assert removals(FOLDER / MANIFEST, APP.files[MANIFEST], more.files[MANIFEST]) == []
