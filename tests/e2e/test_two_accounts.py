"""What belongs to one API key is not there for another, by any route, and stays as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.domain.platforms import PLATFORMS
from connector.web.console.desk import ON_PLATFORM, OWN
from tests.e2e.test_instant import HEADERS, KEY, Product, running_product
from tests.running import FakeUpstream, fake_upstream, reply, until
from tests.visiting import Visit
from tests.watched import profile

OTHER = "sk_somebody_else_41c7"
# As only the first key can know it.
NAME = "Countess of Lovelace"
OTHERS_HEADERS = {"Authorization": f"Bearer {OTHER}"}
# Ending what is not there is no error: a platform that repeats itself is told that nothing was deleted.
ENDED_AGAIN = {
    ("DELETE", "/api/hooks/<subscription_id>"),
    ("DELETE", "/api/webhooks/<webhook_id>"),
}
# Nobody's: whoever knows a token may fire its webhook; the others are files.
OPEN = (
    "/webhooks/<token>",
    "/docs/<name>",
    "/console/static/<name>",
    # An empty picture, where there is none.
    f"/console/pictures/{ON_PLATFORM}/<handle>",
    "/console/<path:_nowhere>",
)

# What is owned here is the owner's on one platform; the others have the same routes.
OTHERS_PATHS = tuple(f"{platform.key}/" for platform in PLATFORMS if platform.key != OWN)


@pytest.fixture(scope="module")
def product(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder: Path = tmp_path_factory.mktemp("two")
    with running_product(folder, upstream) as product, product.worker():
        yield product


@pytest.fixture(scope="module")
def owned(product: Product, upstream: FakeUpstream) -> Iterator[dict[str, str]]:
    """One of everything that a key can own, by the name that routes give it."""
    named = profile("owned")
    named["user"]["nickname"] = NAME
    upstream.answers("owned", reply(200, named))
    with fake_upstream() as receiver:
        receiver.answers("owned", reply(410, {}))
        receiver.answers("stoolpresidente", reply(410, {}))
        hook = product.call(
            "POST",
            "/api/hooks",
            trigger="new_video",
            target_url=f"{receiver.url}/hook",
            inputs={"handles": ["owned"]},
        )
        until(lambda: _watched(product))
        product.call("POST", f"/api/hooks/{hook['id']}/test")
        (delivery,) = until(lambda: product.call("GET", "/api/deliveries?state=dead"))
        job = product.call("POST", "/api/actions/get_profiles", handles=["owned"])
        webhook = product.call("POST", "/api/webhooks", name="owned")
        yield {
            "platform": "api",
            "handle": "owned",
            "subscription_id": hook["id"],
            "delivery_id": delivery["id"],
            "job_id": job["id"],
            "webhook_id": webhook["id"],
        }


def _watched(product: Product) -> bool:
    answer = requests.get(
        f"{product.server.url}/api/profiles/owned/history", headers=HEADERS, timeout=60
    )
    return answer.ok and bool(answer.json())


def _routes(product: Product) -> list[tuple[str, str]]:
    """(method, rule) of what names a thing, once a platform."""
    index = requests.get(product.server.url, timeout=60).json()["routes"]
    named = [line.partition(" /") for line in index if "<" in line]
    return [
        (method, f"/{rest}")
        for methods, _, rest in named
        if f"/{rest}" not in OPEN and not rest.startswith(OTHERS_PATHS)
        for method in methods.split(" or ")
    ]


def _filled(rule: str, owned: dict[str, str]) -> str:
    return re.sub(r"<(?:[^>]*:)?(\w+)>", lambda found: owned[found[1]], rule)


def _call(product: Product, method: str, path: str, headers: dict[str, str], visit: Visit) -> Any:
    if not path.startswith("/console"):
        return requests.request(method, f"{product.server.url}{path}", headers=headers, timeout=60)
    inside = path.removeprefix("/console")
    return visit.fill(inside) if method == "POST" else visit.get(f"{visit.url}{inside}", timeout=60)


def test_nothing_of_another_key_is_there_by_any_route(
    product: Product, owned: dict[str, str]
) -> None:
    owner, other = Visit(product.server.url, KEY), Visit(product.server.url, OTHER)
    routes = _routes(product)
    assert len(routes) > 20
    before, named = _state(product, owned), False
    for method, rule in routes:
        path = _filled(rule, owned)
        answer = _call(product, method, path, OTHERS_HEADERS, other)
        if (method, rule) in ENDED_AGAIN:
            assert answer.json()["deleted"] is False, (method, rule)
        else:
            assert answer.status_code == 404, (method, rule, answer.text)
        assert NAME not in answer.text, (method, rule)
        if method == "GET":
            # The same is there for its owner: the walk is no walk through empty rooms.
            assert _call(product, method, path, HEADERS, owner).ok, (method, rule)
            named |= NAME in _call(product, method, path, HEADERS, owner).text
    assert named
    assert _state(product, owned) == before


def _state(product: Product, owned: dict[str, str]) -> list[Any]:
    """What its owner sees, but for what time itself changes."""
    return [
        product.call("GET", "/api/hooks"),
        product.call("GET", f"/api/deliveries/{owned['delivery_id']}"),
        product.call("GET", f"/api/jobs/{owned['job_id']}"),
        product.call("GET", "/api/webhooks"),
    ]


def test_lists_hold_nothing_of_another_key(product: Product, owned: dict[str, str]) -> None:
    other = Visit(product.server.url, OTHER)
    for page in ("watched", "subscriptions", "deliveries", "webhooks", "jobs", "usage"):
        text = other.get(f"{other.url}/{page}", timeout=60).text
        assert 'class="empty"' in text, page
        assert not [name for name in ("job_id", "webhook_id") if owned[name] in text], page
        assert NAME not in text, page


def test_form_of_another_site_is_refused(product: Product, owned: dict[str, str]) -> None:
    """Without the token of a page, or with that of another visit, nothing is done."""
    owner, other = Visit(product.server.url, KEY), Visit(product.server.url, OTHER)
    path = f"/webhooks/api/{owned['webhook_id']}/end"
    for token in ("", "0" * 64, other.token):
        answer = owner.post(f"{owner.url}{path}", data={"form_token": token}, timeout=60)
        assert (answer.status_code, "another site" in answer.text) == (403, True)
    assert [webhook["id"] for webhook in product.call("GET", "/api/webhooks")]
