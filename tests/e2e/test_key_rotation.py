"""A new encryption key while the web server and a worker go on: nothing that was sealed is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select
from werkzeug.test import Client

from connector.adapters.crypto import FernetVault, new_encryption_key
from connector.adapters.store.sealed import sealed_columns
from connector.bootstrap import build
from connector.config import Settings
from connector.databases import migrate_database
from connector.domain.errors import Unreadable
from tests.e2e.test_instant import HEADERS, KEY, Product, receiver, running_product
from tests.integration.test_console import sign_in
from tests.running import FakeUpstream, reply, until
from tests.verifying import verifies
from tests.watched import MISSING_HANDLE, database, profile
from wire.database import reading

__all__ = ["receiver"]
OLD, NEW = new_encryption_key(), new_encryption_key()


class Made:
    """What somebody made while there was but the old key; each in a column of its own."""

    def __init__(self, client: Client, target: str) -> None:
        asked = {"trigger": "profile_changed", "handles": "rotating", "target_url": target}
        self.once = HEADERS | {"Idempotency-Key": "once"}
        self.body = asked
        self.hook = client.post("/api/hooks", json=asked, headers=self.once).json
        signed = {"signature_style": "github"}
        self.webhook = client.post("/api/webhooks", json=signed, headers=HEADERS).json
        assert sign_in(client, KEY).status_code == 303
        cookie = client.get_cookie("console_visit", path="/console")
        assert cookie
        self.visit = {"console_visit": cookie.value}

    def check(
        self, product: Product, receiver: FakeUpstream, upstream: FakeUpstream, name: str
    ) -> None:
        """All of it works as before: it signs, opens, replays and lets in."""
        again = requests.post(
            f"{product.server.url}/api/hooks", json=self.body, headers=self.once, timeout=60
        )
        assert again.json() == self.hook
        page = requests.get(
            f"{product.server.url}/console/jobs",
            cookies=self.visit,
            timeout=60,
            allow_redirects=False,
        )
        assert page.status_code == 200
        refused = requests.post(
            f"{product.server.url}/webhooks/{self.webhook['url'].rpartition('/')[2]}",
            json={"handle": "rotating"},
            timeout=60,
        )
        assert refused.json()["error_code"] == "invalid_signature"
        # The first look is what the others are compared with.
        looks = len(upstream.asked_for("rotating"))
        until(lambda: len(upstream.asked_for("rotating")) > looks + 1)
        upstream.answers("rotating", reply(200, profile("rotating", nickname=name)))
        told = until(lambda: [r for r in receiver.received if name in str(r.body)])[-1]
        assert verifies(self.hook["secret"], told.raw, told.headers, datetime.now(UTC))


def test_key_is_replaced_while_all_goes_on(
    tmp_path: Path, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """By the commands as an operator gives them; at last the old key opens nothing any more."""
    receiver.answers("", reply(200, {}))
    receiver.scripts["rotating"] = receiver.scripts["None"] = receiver.scripts[""]
    upstream.answers("", reply(400, MISSING_HANDLE))
    upstream.scripts["None"] = upstream.scripts[""]
    upstream.answers("rotating", reply(200, profile("rotating")))
    database_url = f"sqlite:///{tmp_path}/connector.db"
    settings = {
        "DATABASE_URL": database_url,
        "PROFILE_API_URL": upstream.url,
        "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true",
        "WATCH_MIN_INTERVAL_SECONDS": "1",
        "CONNECTOR_ENCRYPTION_KEYS": OLD,
    }
    migrate_database(Settings.from_env(settings))
    made = Made(Client(build(settings)), receiver.url)
    both = {"DATABASE_URL": database_url, "CONNECTOR_ENCRYPTION_KEYS": f"{NEW},{OLD}"}
    with running_product(tmp_path / "both", upstream, **both) as product, product.worker():
        made.check(product, receiver, upstream, "Before")
        rotated = product.command("rotate-encryption-keys")
        assert rotated.returncode == 0, rotated.stderr
        assert "can be taken out now" in rotated.stdout
        made.check(product, receiver, upstream, "Meanwhile")
        told = [json.loads(line) for line in product.command("audit", "--json").stdout.splitlines()]
        changes = [(line["who"], line["what"]) for line in told]
        assert changes[0] == ("operator", "encryption_keys.rotated")
        assert ("api_key", "webhook.created") in changes
    check_sealed(database_url)
    only = both | {"CONNECTOR_ENCRYPTION_KEYS": NEW}
    with running_product(tmp_path / "only", upstream, **only) as product, product.worker():
        made.check(product, receiver, upstream, "Afterwards")
        (connection,) = product.command("connections").stdout.splitlines()
        assert KEY not in connection
        name = connection.split()[0]
        assert "Aborted" in product.command("delete-connection", name, given="n\n").stderr
        deleted = product.command("delete-connection", name, "--yes")
        assert "is deleted" in deleted.stdout, deleted.stderr
        assert "Nothing is kept" in product.command("delete-connection", name, "--yes").stderr
        log = product.log.read_text()
        assert "Traceback" not in log + product.server.log.read_text()


def check_sealed(database_url: str) -> None:
    """Each column holds something, which the new key alone opens."""
    with database(database_url) as engine, reading(engine) as session:
        for column in sealed_columns():
            values = session.execute(select(column).where(column.is_not(None))).scalars().all()
            assert values, column
            for value in values:
                assert FernetVault([NEW]).open(value)
                assert not opens(OLD, value)


def opens(key: str, value: Any) -> bool:
    try:
        return bool(FernetVault([key]).open(value))
    except Unreadable:
        return False
