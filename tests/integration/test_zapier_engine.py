"""The integration as Zapier runs it: its real engine, our real package, a real connector."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from profile_api.services.embedded import SLOW_HANDLE
from profile_api.services.samples import SAMPLE_HANDLES
from schemas.catalog import CATALOG
from schemas.fields import sample_of
from tests.running import FakeUpstream, Server, reply, until
from tests.watched import MISSING_HANDLE, profile
from tests.zapier.checks import lint_live
from tests.zapier.engine import PACKAGE, Engine, ZapierError, running_engine

DEFINITION: dict[str, Any] = json.loads((PACKAGE / "definition.json").read_text("utf-8"))
GET = "creates.get_profile.operation.perform"
FIND = "searches.find_profile.operation.perform"
LOOK_UPS = [item for item in CATALOG.actions if item.effect == "read" and not item.free]
STEPS = [("creates", action.key) for action in LOOK_UPS]
STEPS += [("searches", search.key) for search in CATALOG.searches if not search.free]


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Engine]:
    """The engine in front of the whole product."""
    with running_engine(server.url) as running:
        yield running


@pytest.fixture(scope="module")
def front_engine(front: Server) -> Iterator[Engine]:
    """The engine in front of a connector whose upstream does as it is told."""
    with running_engine(front.url) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.new_key()[0]


def perform(engine: Engine, kind: str, step: str, key: str, handle: object) -> list[dict[str, Any]]:
    """The step's results; a create's one object as a list of one."""
    results = engine.run(f"{kind}.{step}.operation.perform", api_key=key, handle=handle)
    return results if isinstance(results, list) else [results]


def failure(engine: Engine, method: str, key: str, handle: object = "x.y") -> ZapierError:
    with pytest.raises(ZapierError) as caught:
        engine.run(method, api_key=key, handle=handle)
    return caught.value


def test_every_step_of_the_catalog_is_there() -> None:
    assert set(DEFINITION["creates"]) == {action.key for action in CATALOG.actions}
    assert set(DEFINITION["searches"]) == {search.key for search in CATALOG.searches}


def test_files_that_a_push_must_not_forget_are_there() -> None:
    """Zapier's tool looks for what is required, and overlooks what newer Nodes load in its place."""
    settings = json.loads((PACKAGE / ".zapierapprc").read_text("utf-8"))
    named = {str(PACKAGE / name) for name in settings["includeInBuild"]}
    assert named == set(map(str, PACKAGE.glob("node_modules/*/require.mjs")))


def test_definition_has_no_fault_in_zapiers_own_schema(engine: Engine) -> None:
    """As `zapier-platform validate` would judge it before a push."""
    assert engine.validate() == []


def test_zapiers_schema_finds_a_fault(server: Server, tmp_path: Path) -> None:
    with running_engine(server.url, broken_package(tmp_path, noun=5)) as engine:
        assert engine.validate()


def broken_package(folder: Path, **changes: Any) -> Path:
    """A copy of the package with `changes` to the create."""
    package = folder / "package"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("node_modules"))
    (package / "node_modules").symlink_to(PACKAGE / "node_modules")
    broken = json.loads(json.dumps(DEFINITION))
    broken["creates"]["get_profile"] |= changes
    (package / "definition.json").write_text(json.dumps(broken))
    return package


def test_engine_checks_results(server: Server, tmp_path: Path, key: str) -> None:
    """A create must answer one object; one that answers a list is caught, so the checks are on."""
    operation = {
        **DEFINITION["creates"]["get_profile"]["operation"],
        "perform": DEFINITION["searches"]["find_profile"]["operation"]["perform"],
    }
    package = broken_package(tmp_path, operation=operation)
    with running_engine(server.url, package) as engine:
        error = failure(engine, GET, key, "stoolpresidente")
    assert error.name == "CheckError"


def test_connection_is_tested_and_labelled(engine: Engine, server: Server) -> None:
    """Free of credits; the label is a field of the answer and not the key."""
    key, key_id = server.new_key(credits=2)
    account = engine.run("authentication.test", api_key=key)
    label = DEFINITION["authentication"]["connectionLabel"]
    assert label == "{{id}}"
    assert account["id"]
    assert key not in json.dumps(account)
    assert server.credits_of(key_id) == 2


def test_bad_key_asks_for_a_new_connection(engine: Engine) -> None:
    """In a plain sentence, for the test and for a step alike."""
    sentence = "API key is invalid or missing. Reconnect the account with an active API key."
    for method in ("authentication.test", GET, FIND):
        error = failure(engine, method, "sk_wrong")
        assert (error.name, error.message.splitlines()[0]) == ("ExpiredAuthError", sentence)
        assert "sk_wrong" not in str(error.detail)


@pytest.mark.parametrize(("kind", "step"), STEPS)
@pytest.mark.parametrize("handle", SAMPLE_HANDLES)
def test_results_are_what_the_definition_promises(
    engine: Engine, key: str, kind: str, step: str, handle: str
) -> None:
    """Keys in order, types as declared, ids of 19 digits whole, whatever the profile is like."""
    (row,) = perform(engine, kind, step, key, handle)
    declared = DEFINITION[kind][step]
    sample = sample_of(next(item for item in CATALOG if item.key == step).output)
    assert lint_live(f"{kind}.{step}", declared, [row]) == []
    assert list(row)[: len(sample)] == list(sample)
    assert row["id"] == "6659752019493208069"
    assert row["request_source"] == "ZAPIER"


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_generated_profile_is_what_the_definition_promises(
    engine: Engine, key: str, kind: str, step: str
) -> None:
    """With recent videos, whose line items have ids of 19 digits too."""
    (row,) = perform(engine, kind, step, key, "some.body")
    assert lint_live(f"{kind}.{step}", DEFINITION[kind][step], [row]) == []
    assert {len(video["id"]) for video in row["recent_videos"]} == {19}


def test_private_profile_is_an_answer(engine: Engine, key: str) -> None:
    (row,) = perform(engine, "creates", "get_profile", key, "test_private")
    assert row["lookup_status"] == "private"


@pytest.mark.parametrize(
    "handle", [12345, "https://www.tiktok.com/@Some.Body?lang=en", " @some.body "]
)
def test_handle_comes_as_people_map_it(engine: Engine, key: str, handle: object) -> None:
    (row,) = perform(engine, "creates", "get_profile", key, handle)
    assert row["handle"] in ("12345", "some.body")


def test_search_without_a_hit_is_empty(engine: Engine, key: str) -> None:
    """Zapier lets the Zap go on, or not, as its builder chose."""
    assert perform(engine, "searches", "find_profile", key, "test_not_found") == []


@pytest.mark.parametrize(
    ("method", "handle", "name", "start"),
    [
        (
            GET,
            "test_not_found",
            "HaltedError",
            "TikTok profile not found for handle: test_not_found. ",
        ),
        (GET, "test_deactivated", "HaltedError", "TikTok profile not found for handle: "),
        (GET, "a b", "AppError", "The handle holds white space"),
        (GET, "", "AppError", "handle: Missing data for required field. "),
        (GET, None, "AppError", "handle: Missing data for required field. "),
        (GET, "{{bundle.authData.api_key}}", "AppError", "handle: Missing data"),
        (GET, "test_down", "AppError", "The profile service is currently unavailable. Try again"),
        (GET, "test_crash", "AppError", "An unexpected server error occurred"),
        (FIND, "test_error", "AppError", "Error fetching profile data from the upstream service."),
        (FIND, "vm.tiktok.com/x", "AppError", "Short links hide the name."),
    ],
)
def test_failure_is_an_error_that_says_what_to_do(
    engine: Engine, key: str, method: str, handle: object, name: str, start: str
) -> None:
    """HaltedError never switches a Zap off; the others may, and are worth it."""
    error = failure(engine, method, key, handle)
    assert error.name == name
    assert error.message.startswith(start)


def test_late_answer_is_an_error_that_says_what_to_do(hasty_server: Server) -> None:
    key, _ = hasty_server.new_key()
    with running_engine(hasty_server.url) as engine:
        error = failure(engine, GET, key, SLOW_HANDLE)
    assert error.name == "AppError"
    assert error.message.startswith("The profile API did not answer within 2 seconds. The call")


def test_empty_account_is_not_a_bad_key(engine: Engine, server: Server) -> None:
    empty, _ = server.new_key(credits=0)
    error = failure(engine, GET, empty, "stoolpresidente")
    assert (error.name, error.detail["code"], error.detail["status"]) == (
        "AppError",
        "insufficient_credits",
        403,
    )


@pytest.mark.parametrize(
    ("status", "headers", "delay"),
    [(429, {"Retry-After": "3600"}, 3600), (429, {}, 60), (503, {"Retry-After": "90"}, 90)],
)
def test_rate_limit_is_waited_for(
    front_engine: Engine, upstream: FakeUpstream, status: int, headers: dict[str, str], delay: int
) -> None:
    """Zapier tries again by itself after the delay, in whole seconds."""
    handle = f"throttled{status}{delay}"
    upstream.answers(handle, reply(status, {"error": "Rate limit exceeded, sorry"}, headers))
    error = failure(front_engine, GET, "sk_any", handle)
    assert (error.name, error.message) == ("ThrottledError", "Rate limit exceeded, sorry.")
    assert error.detail["delay"] == delay


@pytest.mark.parametrize("status", [404, 502, 503])
def test_answer_of_something_else_is_readable(upstream: FakeUpstream, status: int) -> None:
    """A router's HTML, or a wrong BASE_URL, is neither a missing profile nor a bad key."""
    upstream.answers("routed", reply(status, b"<html>oops</html>", {"Content-Type": "text/html"}))
    with running_engine(upstream.url) as engine:
        error = failure(engine, GET, "sk_any", "routed")
    assert (error.name, error.message) == (
        "AppError",
        f"The connector answered with status {status}.",
    )


def test_nothing_of_zapiers_reaches_the_upstream(
    front_engine: Engine, upstream: FakeUpstream
) -> None:
    upstream.answers("quiet.zap", reply(200, {"user": {"id": "1", "uniqueId": "quiet.zap"}}))
    perform(front_engine, "creates", "get_profile", "sk_mine", "quiet.zap")
    (request,) = upstream.asked_for("quiet.zap")
    assert request.body == {"handle": "quiet.zap", "requestSource": "ZAPIER"}
    assert request.headers["authorization"] == "Bearer sk_mine"


TRIGGER_INPUTS: dict[str, dict[str, Any]] = {
    "new_video": {},
    "profile_changed": {"watched_fields": ["user_nickname", "user_verified"]},
    "follower_milestone": {"thresholds": ["10", "20"]},
    "stats_snapshot": {"frequency": "hourly"},
    "profile_unavailable": {},
}


def poll(
    engine: Engine, trigger: str, key: str, *handles: str, **meta: bool
) -> list[dict[str, Any]]:
    """What the trigger answers to a poll of Zapier's."""
    bundle = {
        "authData": {"api_key": key},
        "inputData": {"handles": list(handles), **TRIGGER_INPUTS[trigger]},
        "meta": meta,
    }
    method = f"triggers.{trigger}.operation.perform"
    rows: list[dict[str, Any]] = engine.send(
        {"command": "execute", "method": method, "bundle": bundle}
    )
    return rows


def test_every_trigger_of_the_catalog_is_polled() -> None:
    """And may be sent, too; keys are permanent."""
    keys = [trigger.key for trigger in CATALOG.triggers]
    assert list(TRIGGER_INPUTS) == keys
    found = [(key, step["operation"].get("type")) for key, step in DEFINITION["triggers"].items()]
    pairs = [((key, None), (f"{key}_instant", "hook")) for key in keys]
    assert found == [kind for pair in pairs for kind in pair]


@pytest.mark.parametrize("trigger", TRIGGER_INPUTS)
def test_poll_answers_what_the_definition_promises(
    engine: Engine, server: Server, trigger: str
) -> None:
    """Samples in the editor, for several profiles; keys, types and ids as Zapier wants them."""
    key, key_id = server.new_key(credits=100)
    editor = poll(engine, trigger, key, "ada.x", "@Bo_x", isLoadingSample=True)
    assert lint_live(f"triggers.{trigger}", DEFINITION["triggers"][trigger], editor) == []
    assert [row["handle"] for row in editor] == ["ada.x", "bo_x"]
    assert {row["request_source"] for row in editor} == {"ZAPIER"}
    assert poll(engine, trigger, key, "ada.x", "@Bo_x", isPopulatingDedupe=True) == []
    assert server.credits_of(key_id) == 96


def test_poll_of_a_missing_profile_says_so(engine: Engine, key: str) -> None:
    with pytest.raises(ZapierError) as caught:
        poll(engine, "new_video", key, "test_not_found")
    assert caught.value.name == "HaltedError"


def test_poll_without_what_to_reach_says_so(engine: Engine, key: str) -> None:
    error = failure_of_poll(engine, key)
    assert error.name == "AppError"
    assert "Give thresholds, or a number in every." in error.message


def failure_of_poll(engine: Engine, key: str) -> ZapierError:
    bundle = {"authData": {"api_key": key}, "inputData": {"handles": ["x.y"]}}
    event = {
        "command": "execute",
        "method": "triggers.follower_milestone.operation.perform",
        "bundle": bundle,
    }
    with pytest.raises(ZapierError) as caught:
        engine.send(event)
    return caught.value


def test_new_event_is_polled_newest_first(watching_front: Server, upstream: FakeUpstream) -> None:
    """The first poll only fills Zapier's list of what it has seen; then each event has its own id."""
    upstream.answers("None", reply(400, MISSING_HANDLE))
    upstream.answers("zap.films", reply(200, profile("zap.films")))
    with running_engine(watching_front.url) as engine:
        seen = {row["id"] for row in poll(engine, "new_video", "sk_zap", "Zap.Films")}
        upstream.answers("zap.films", reply(200, profile("zap.films", videos=4)))
        rows = until(lambda: poll(engine, "new_video", "sk_zap", "Zap.Films"))
    assert [row["latest_video_id"] for row in rows] == ["zap.films-v4", "zap.films-v3"]
    assert seen == {"id-zap.films:zap.films-v2"}
    assert not seen & {row["id"] for row in rows}
    step = DEFINITION["triggers"]["new_video"]
    assert lint_live("triggers.new_video", step, rows) == []
