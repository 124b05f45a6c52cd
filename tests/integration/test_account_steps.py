"""Usage and incoming webhooks as steps of a workflow, through each platform, on a real connector."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from schemas.fields import declared_fields
from schemas.usage import Usage
from schemas.webhooks import ListedWebhook, Webhook
from tests.make_app.app import load
from tests.make_app.checks.values import row_faults
from tests.make_app.form import MakeError
from tests.make_app.runner import Runner
from tests.running import PLATFORM_SOURCES, ROOT, Server
from tests.zapier.checks import lint_live
from tests.zapier.engine import PACKAGE, Engine, ZapierError, running_engine

APP = load(ROOT / "platforms" / "make")
DEFINITION: dict[str, Any] = json.loads((PACKAGE / "definition.json").read_text("utf-8"))
SEARCHES = ("find_webhooks",)
# Inputs by catalog key, and the answer: one object, or a list where it is a search.
Step = Callable[..., Any]


def camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Engine]:
    with running_engine(server.url) as running:
        yield running


@pytest.fixture(params=PLATFORM_SOURCES)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def key(server: Server) -> str:
    return server.new_key(credits=10)[0]


@pytest.fixture
def step(platform: str, server: Server, engine: Engine, key: str) -> Step:
    """Carries one step out, and holds its answer to what the platform was promised."""

    def by_zapier(name: str, /, **inputs: Any) -> Any:
        kind = "searches" if name in SEARCHES else "creates"
        found = engine.run(f"{kind}.{name}.operation.perform", api_key=key, **inputs)
        rows = found if name in SEARCHES else [found]
        assert lint_live(f"{kind}.{name}", DEFINITION[kind][name], rows) == []
        return found

    def by_make(name: str, /, **inputs: Any) -> Any:
        runner = Runner(APP, server.url)
        given = {camel(key): value for key, value in inputs.items()}
        rows = runner.run(camel(name), runner.connect(apiKey=key), **given)
        assert [fault for row in rows for fault in row_faults(APP, camel(name), row)] == []
        logged = json.dumps(runner.log)
        assert [secret for row in rows for secret in secrets_in(row) if secret in logged] == []
        return rows if name in SEARCHES else rows[0]

    def by_http(name: str, /, **inputs: Any) -> Any:
        kind = "searches" if name in SEARCHES else "actions"
        headers = {"X-API-Key": key}
        answer = requests.post(
            f"{server.url}/{platform}/{kind}/{name}", json=inputs, headers=headers, timeout=60
        )
        assert answer.ok, answer.text
        return answer.json()

    return {"zapier": by_zapier, "make": by_make}.get(platform, by_http)


def secrets_in(row: dict[str, Any]) -> list[str]:
    shown = (row.get("url"), row.get("signature_secret"), row.get("secret"))
    return [secret for secret in shown if secret]


def fire(url: str) -> requests.Response:
    return requests.post(url, data="@stoolpresidente", timeout=60)


def test_webhook_is_made_fired_found_paid_and_ended(step: Step, platform: str) -> None:
    made = step("create_webhook", name="Form", daily_credits=4)
    assert list(made) == list(declared_fields(Webhook))
    row = fire(made["url"]).json()
    assert (row["handle"], row["request_source"]) == (
        "stoolpresidente",
        PLATFORM_SOURCES[platform],
    )
    step("create_webhook", name="Another")
    (found,) = step("find_webhooks", name="Form")
    assert list(found) == list(declared_fields(ListedWebhook))
    assert found == {**{key: made[key] for key in found}, "credits_today": 2}
    assert len(step("find_webhooks")) == 2
    usage = step("get_usage", what="webhooks")
    assert list(usage) == list(declared_fields(Usage))
    assert (usage["credits_today"], [item["what"] for item in usage["items"]]) == (2, ["webhooks"])
    assert step("get_usage", what="get_profile")["credits_today"] == 0
    assert step("get_usage")["credits_today"] == 2
    assert step("delete_webhook", id=made["id"]) == {"id": made["id"], "deleted": True}
    assert step("delete_webhook", id=made["id"]) == {"id": made["id"], "deleted": False}
    assert fire(made["url"]).status_code == 404


def test_callers_sign_with_a_secret_that_is_new(step: Step) -> None:
    """No form asks for one."""
    made = step("create_webhook", signature_style="github")
    assert len(made["signature_secret"]) == 64
    assert fire(made["url"]).status_code == 401


def test_secrets_of_others_are_not_taken(engine: Engine, server: Server, key: str) -> None:
    """Stripe and Shopify hand a secret out: such a webhook is made over HTTP."""
    given = {"signature_style": "stripe", "signature_secret": "whsec_theirs"}
    with pytest.raises(ZapierError, match="Must be one of: standard, github"):
        engine.run("creates.create_webhook.operation.perform", api_key=key, **given)
    runner = Runner(APP, server.url)
    with pytest.raises(MakeError, match="signatureStyle"):
        runner.run("createWebhook", runner.connect(apiKey=key), signatureStyle="stripe")
    answer = requests.post(
        f"{server.url}/api/webhooks", json=given, headers={"X-API-Key": key}, timeout=60
    )
    assert answer.json()["signature_secret"] == "whsec_theirs"
