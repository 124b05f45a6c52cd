"""Each check of the app for Make is seen to fail: one that never did proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.make_app.app import App, load
from tests.make_app.breaking import Change, broken, clear, drop, put, rename, reverse
from tests.make_app.checks import CHECKS, faults
from tests.make_app.checks.errors import error_faults
from tests.make_app.checks.expressions import expression_faults
from tests.make_app.checks.modules import group_faults, module_faults, webhook_faults
from tests.make_app.checks.references import file_faults, id_faults, reference_faults
from tests.make_app.checks.requests import request_faults
from tests.make_app.checks.values import row_faults, sample_faults
from tests.make_app.checks.wording import name_faults, wording_faults

APP = load(Path(__file__).parents[2] / "platforms" / "make")

MANIFEST = "makecomapp.json"
BASE = "general/base.iml.json"
GROUPS = "modules/groups.json"
CONNECTION = "connections/profile-data/profile-data.communication.iml.json"
KEY_FORM = "connections/profile-data/profile-data.params.iml.json"
GET = "modules/getProfile/getProfile.communication.iml.json"
GET_STATIC = "modules/getProfile/getProfile.static-params.iml.json"
WATCH_MAPPED = "modules/newVideo/newVideo.mappable-params.iml.json"
GET_FORM = "modules/getProfile/getProfile.mappable-params.iml.json"
GET_FIELDS = "modules/getProfile/getProfile.interface.iml.json"
GET_SAMPLE = "modules/getProfile/getProfile.samples.iml.json"
FIND = "modules/findProfile/findProfile.communication.iml.json"
FIND_FORM = "modules/findProfile/findProfile.mappable-params.iml.json"
WATCH = "modules/newVideo/newVideo.communication.iml.json"
WATCH_START = "modules/newVideo/newVideo.epoch.iml.json"
CALL = "modules/makeApiCall/makeApiCall.communication.iml.json"
CALL_FORM = "modules/makeApiCall/makeApiCall.mappable-params.iml.json"
INSTANT = "modules/newVideoInstant/newVideoInstant.communication.iml.json"
HOOK = "webhooks/newVideo/newVideo.communication.iml.json"
HOOK_FORM = "webhooks/followerMilestone/followerMilestone.params.iml.json"
ATTACH = "webhooks/followerMilestone/followerMilestone.attach.iml.json"
DETACH = "webhooks/newVideo/newVideo.detach.iml.json"
UNWATCH = "components/module/unwatchProfile"
RPC = "rpcs/listEndpoints/listEndpoints.communication.iml.json"
ENTRY = "components/module/getProfile"
MESSAGE = "response/error/429/message"

BREAKAGES: dict[Callable[[App], list[str]], list[tuple[str, Change, str]]] = {
    file_faults: [
        (MANIFEST, put("generalCodeFiles/common", "general/common.json"), "is listed but missing."),
        (
            MANIFEST,
            drop("components/rpc/listEndpoints/codeFiles/params"),
            "is in no manifest entry.",
        ),
    ],
    reference_faults: [
        (MANIFEST, put(f"{ENTRY}/connection", "gone"), "'gone', which is not there."),
        (MANIFEST, put(f"{ENTRY}/webhook", "gone"), "names the webhook 'gone'"),
        (MANIFEST, drop("components/rpc/listEndpoints/connection"), "has no connection"),
        (MANIFEST, drop("components/webhook/newVideo/connection"), "webhook newVideo has no conn"),
        (CALL_FORM, put("0/options", "rpc://gone"), "names rpc://gone"),
    ],
    id_faults: [
        (MANIFEST, rename("components/rpc/listEndpoints", "list_endpoints"), "the id doesn't fit"),
        (MANIFEST, rename(ENTRY, "g"), "module g: the id doesn't fit"),
        (MANIFEST, rename(ENTRY, "g" * 49), "the id doesn't fit"),
        (MANIFEST, rename("components/connection/profile-data", "p" * 36), "the id doesn't fit"),
    ],
    group_faults: [
        (GROUPS, put("1/modules", ["getProfile"]), "findProfile is in no group."),
        (GROUPS, put("-1/modules", ["makeApiCall", "gone"]), "The groups name gone more often"),
        (GROUPS, put("-1/modules", ["makeApiCall", "getProfile"]), "name getProfile more often"),
        (GROUPS, reverse, "is not in a last group named Other."),
        (GROUPS, put("-1/label", "More"), "is not in a last group named Other."),
        (
            MANIFEST,
            put("components/module/makeApiCall/moduleType", "trigger"),
            "Groups with triggers don't come first.",
        ),
    ],
    module_faults: [
        (
            WATCH_MAPPED,
            lambda form: form.append({"name": "x"}),
            "newVideo has a form that Make does not show.",
        ),
        (
            GET_STATIC,
            lambda form: form.append({"name": "x"}),
            "getProfile has a form that Make does not show.",
        ),
        (WATCH, put("response/trigger/order", "asc"), "doesn't tell the newest events first."),
        (WATCH, drop("response/trigger/id"), "can't tell its events apart."),
        (WATCH, drop("pagination"), "newVideo shows the first page only."),
        (
            MANIFEST,
            drop("components/module/newVideo/codeFiles/epoch"),
            "doesn't let a person choose where to start.",
        ),
        (WATCH_START, drop("response/limit"), "offers any number of events"),
        (
            INSTANT,
            put("url", "/x"),
            "newVideoInstant has no webhook, or asks for something itself.",
        ),
        (
            MANIFEST,
            drop("components/module/newVideoInstant/webhook"),
            "newVideoInstant has no webhook",
        ),
        (
            MANIFEST,
            put("components/module/findProfile/moduleType", "universal"),
            "more than one universal module.",
        ),
        (MANIFEST, put(f"{ENTRY}/moduleType", "doer"), "the unknown type 'doer'"),
        (GET_SAMPLE, clear, "getProfile has no samples."),
        (GET_FIELDS, clear, "getProfile has no interface."),
        (
            GET,
            put("response/iterate", "{{body.items}}"),
            "getProfile answers one object but iterates or pages.",
        ),
        (GET, put("pagination", {}), "but iterates or pages."),
        (GET, drop("response/valid"), "would pass on an empty answer."),
        (FIND, drop("response/iterate"), "findProfile has no iterate."),
        (FIND, drop("response/limit"), "findProfile has no limit."),
        (FIND, drop("pagination"), "shows the first page only."),
        (FIND_FORM, reverse, "the limit is not the last parameter."),
    ],
    webhook_faults: [
        (
            MANIFEST,
            put("components/module/newVideoInstant/webhook", "statsSnapshot"),
            "The webhook newVideo belongs to 0 modules.",
        ),
        (HOOK, put("output", "{{body.id}}"), "newVideo doesn't put out the event as it was sent."),
        (HOOK, put("iterate", "{{body}}"), "doesn't put out the event as it was sent."),
        (ATTACH, drop("body/target_url"), "doesn't say where events are to be sent."),
        (ATTACH, drop("body/inputs/every"), "asks for ['every'] and doesn't send it."),
        (ATTACH, drop("response/data/externalHookId"), "forgets what it subscribed to."),
        (ATTACH, drop("log"), "followerMilestone logs the signing secret."),
        (DETACH, put("method", "GET"), "newVideo doesn't end its subscription."),
        (DETACH, put("url", "/make/hooks"), "newVideo doesn't end its subscription."),
    ],
    request_faults: [
        (BASE, put("baseUrl", "http://connector.example.com"), "The base URL is not HTTPS"),
        (BASE, put("timeout", 40_000), "The base waits longer than a module may run."),
        (BASE, put("log/sanitize", []), "The base logs the key."),
        (CONNECTION, drop("log"), "profile-data logs the key."),
        (
            CONNECTION,
            put("url", "https://elsewhere.example.com/make/me"),
            "is tested somewhere else than at the base URL.",
        ),
        (CALL, put("url", "{{parameters.url}}"), "is not a fixed path"),
        (CALL, put("url", "/x/{{parameters.url}}"), "is not a fixed path"),
        (CALL, put("url", "//elsewhere.example.com"), "not a fixed path"),
        (RPC, put("url", "https://x.example.com"), "not a fixed path"),
        (CALL, put("url", "/" + "x" * 512), "that is too long."),
        (CALL, drop("body"), "makeApiCall sends no body."),
        (ATTACH, drop("body"), "webhook followerMilestone sends no body."),
        (DETACH, put("url", "/make/{{webhook.url}}"), "not a fixed path"),
        (DETACH, put("response", {"data": {}}), "unknown response directives: ['data']"),
        (CALL, put("temp", {}), "has unknown directives: ['temp']"),
        (CALL, put("response/wrapper", {}), "directives: ['wrapper']"),
        (
            CALL,
            put("log", {"sanitize": ["headers.authorization"]}),
            "sanitizes 'headers.authorization', which no log has.",
        ),
    ],
    error_faults: [
        (BASE, put("response/error/404/type", "NotFoundError"), "the unknown type 'NotFoundError'"),
        (BASE, put("response/error/404/message", ""), "base: error 404 has no message."),
        (BASE, drop("response/error/type"), "base: error default has the unknown type None."),
        (BASE, drop("response/error/413"), "base: status 413 has no entry."),
        (
            BASE,
            put("response/error/429/type", "RuntimeError"),
            "status 429 is not a RateLimitError.",
        ),
        (BASE, put("response/error/503/type", "DataError"), "status 503 is not a ConnectionError."),
        (BASE, put(MESSAGE, "{{body.error}}"), "error 429 doesn't say how long to wait."),
        (
            CONNECTION,
            put("response/error/401/type", "DataError"),
            "connection profile-data: status 401 is not a InvalidAccessTokenError.",
        ),
    ],
    expression_faults: [
        (WATCH_START, put("response/output/label", "{{itm.handle}}"), "itm can't be read there."),
        (BASE, put(MESSAGE, "{{headers.retry-after}}"), "unknown or unfinished: '-after"),
        (BASE, put(MESSAGE, "{{headers.`retry-after`"), "unknown or unfinished: ''"),
        (BASE, put(MESSAGE, "headers.`retry-after`}}"), "}} without {{"),
        (
            BASE,
            put("headers/Authorization", "Bearer {{connection.key}}"),
            "connection.key is not decl",
        ),
        (BASE, put("headers/Authorization", "Bearer {{body.key}}"), "body can't be read there."),
        (
            CONNECTION,
            put("headers/Authorization", "Bearer {{connection.apiKey}}"),
            "connection can't be read there.",
        ),
        (
            GET,
            put("body/handle", "{{parameters.name}}"),
            "module getProfile: parameters.name is not declared.",
        ),
        (GET, put("body/handle", "{{lower(parameters.handle)}}"), "'lower'"),
        (GET, put("response/output", "{{item}}"), "item can't be read"),
        (FIND, put("response/limit", "{{body.limit}}"), "body can't be read"),
        (FIND, put("pagination/qs/cursor", "{{item.cursor}}"), "item can't be read there."),
        (FIND, put("qs/handle", "{{webhook.url}}"), "webhook can't be read there."),
        (HOOK, put("output", "{{connection.apiKey}}"), "connection can't be read there."),
        (ATTACH, put("body/inputs/every", "{{parameters.all}}"), "parameters.all is not declared."),
        (DETACH, put("url", "/make/hooks/{{webhook.token}}"), "webhook.token is not declared."),
    ],
    sample_faults: [
        (GET_SAMPLE, drop("hearts"), "and the interface differ in ['hearts']."),
        (GET_SAMPLE, put("extra", 1), "and the interface differ in ['extra']."),
        (GET_FIELDS, reverse, "and the interface differ in their order."),
        (GET_SAMPLE, put("hearts", "many"), "has no integer at hearts: 'many'."),
        (GET_SAMPLE, put("hearts", 2**53), "has no integer at hearts"),
        (GET_SAMPLE, put("user_id", 6659752019493208069), "has no text at user_id"),
        (GET_SAMPLE, put("fetched_at", "2024-11-18T12:00:00+00:00"), "no date at fetched_at"),
        (GET_SAMPLE, put("fetched_at", "yesterday"), "has no date at fetched_at"),
        (GET_SAMPLE, put("warnings", [1]), "has no text at an item: 1."),
        (GET_SAMPLE, drop("recent_videos/0/id"), "the interface differ in ['id']."),
        (GET_FIELDS, put("0/type", "string"), "has the unknown type 'string' at id."),
    ],
    wording_faults: [
        (MANIFEST, put(f"{ENTRY}/label", "Get a Profile"), "not in sentence case."),
        (
            MANIFEST,
            put("components/rpc/listEndpoints/label", "list endpoints"),
            "not in sentence case.",
        ),
        (
            GROUPS,
            put("0/label", "All Profiles"),
            "The group 'All Profiles' is not in sentence case.",
        ),
        (
            MANIFEST,
            put(f"{ENTRY}/description", "Fetches a profile."),
            "the description isn't a sentence that starts with 'Returns '.",
        ),
        (MANIFEST, put(f"{ENTRY}/description", "Returns it"), "isn't a sentence"),
        (
            MANIFEST,
            put(f"{UNWATCH}/actionCrud", "create"),
            "unwatchProfile: the description isn't a sentence that starts with 'Creates '.",
        ),
        (HOOK_FORM, put("0/label", "The handles to watch"), "is not one to three plain words."),
        (GET_FORM, put("0/label", "The handle of the profile"), "is not one to three plain words."),
        (GET_FORM, put("0/label", "Handle:"), "not one to three plain words."),
        (KEY_FORM, put("0/label", "API Key"), "not one to three plain words."),
        (GET_FORM, put("0/help", "The name"), "doesn't end with a full stop."),
        (GET_FIELDS, put("1/label", "The Handle"), "output label 'The Handle' is not"),
        (
            GET_FIELDS,
            lambda entries: put("spec/0/label", "video_id")(
                next(entry for entry in entries if entry["name"] == "recent_videos")
            ),
            "output label 'video_id' is not",
        ),
    ],
    name_faults: [
        (
            MANIFEST,
            put("components/connection/profile-data/label", "TikTok data"),
            "'TikTok data' carries the name of another service.",
        ),
        (MANIFEST, rename(ENTRY, "getTiktokProfile"), "the name of another service."),
        (GROUPS, put("1/label", "TikTok"), "carries the name of another service."),
    ],
}
EACH = [
    pytest.param(check, *breakage, id=f"{check.__name__}: {breakage[2]}")
    for check, breakages in BREAKAGES.items()
    for breakage in breakages
]


@pytest.mark.parametrize(("check", "path", "change", "fault"), EACH)
def test_check_finds_the_breakage(
    check: Callable[[App], list[str]], path: str, change: Change, fault: str
) -> None:
    assert check(APP) == []
    found = check(broken(APP, path, change))
    assert any(fault in sentence for sentence in found), found


def test_every_check_has_a_breakage() -> None:
    assert set(BREAKAGES) == set(CHECKS)


def test_app_has_no_fault() -> None:
    assert faults(APP) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (drop("handle"), "the row and the interface differ in ['handle']."),
        (put("hearts", "many"), "the row has no integer at hearts: 'many'."),
        (put("recent_videos/0/play_count", 1.5), "the row has no integer at play_count: 1.5."),
    ],
)
def test_live_row_is_held_against_the_interface(change: Change, fault: str) -> None:
    """What the connector finds beyond its own fields may follow them, in rows and in line items."""
    row = json.loads(APP.files[GET_SAMPLE])
    row["recent_videos"][0]["music_title"] = row["share_meta_title"] = "more"
    assert row_faults(APP, "getProfile", row) == []
    change(row)
    assert row_faults(APP, "getProfile", row) == [f"getProfile: {fault}"]
