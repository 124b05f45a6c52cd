"""The audit log: who changed what, in the change's own transaction, and no secret of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import DatabaseError

from connector.adapters.store.audit import AuditLog
from connector.adapters.store.tables import Base
from connector.domain.acting import CONSOLE, RECEIVER, WORKER, Line, acts
from connector.domain.deliveries import Outcome
from connector.services.history import LEAST_AUDIT_DAYS
from schemas.webhooks import RotateInput, WebhookInput
from tests.integration.test_delivering import A, post_video, subscribe
from tests.watched import Watching, profile
from wire.database import reading, writing

TABLES = {table.name: table for table in Base.metadata.sorted_tables if table.name != "audit_log"}
# They go with the connection.
COUNTS = ("usage_days", "credit_days")


def lines(engine: Engine) -> list[Line]:
    """Oldest first."""
    return AuditLog(engine).lines(since=None, connection_id=None, limit=1000)[::-1]


class Owner:
    """What one key may change, in this order; each makes or needs what those before made."""

    def __init__(self, watching: Watching, engine: Engine) -> None:
        self.watching, self.engine, self.caller = watching, engine, watching.caller()
        self.hook = self.webhook = ""
        watching.profiles.answers["ada"] = profile()

    def subscribe(self) -> None:
        self.hook = subscribe(self.watching)["id"]

    def rotate(self) -> None:
        self.watching.hooks.rotate(self.hook, self.caller)

    def post(self) -> None:
        post_video(self.watching)

    def receiver_ends(self) -> None:
        self.watching.receivers.answers[A] = Outcome(410, "Gone.")
        self.watching.deliver()

    def replay(self) -> None:
        self.watching.hooks.replay_dead(self.caller)

    def watch(self) -> None:
        self.watching.watched.watch("ada", self.caller, poll_interval_seconds=900)

    def pause(self) -> None:
        self.watching.watched.pause("ada", self.caller)

    def resume(self) -> None:
        self.watching.watched.resume("ada", self.caller)

    def unsubscribe(self) -> None:
        self.watching.hooks.unsubscribe(self.hook, self.caller)

    def make_webhook(self) -> None:
        made = self.watching.webhooks.create(WebhookInput().load({}), self.caller)
        self.webhook = made["id"]

    def renew_webhook(self) -> None:
        asked = RotateInput().load({})
        self.watching.webhooks.rotate(self.webhook, asked, self.caller)

    def end_webhook(self) -> None:
        self.watching.webhooks.end(self.webhook, self.caller)

    def begin_deleting(self) -> None:
        self.watching.deleting.begin(self.caller.connection, "zapier")

    def delete_pieces(self) -> None:
        while set(filter(rows_of(self.engine).get, TABLES)) - {"connections", *COUNTS}:
            self.delete()

    def delete(self) -> None:
        self.watching.deleting.piece(self.caller.connection)


CHANGES: dict[Callable[[Owner], None], list[str]] = {
    Owner.subscribe: ["key.kept", "subscription.created"],
    Owner.rotate: ["subscription.secret_rotated"],
    Owner.post: [],
    Owner.receiver_ends: ["subscription.disabled"],
    Owner.replay: ["subscription.enabled"],
    Owner.watch: ["subscription.created"],
    Owner.pause: ["watch.paused"],
    Owner.resume: ["watch.resumed"],
    Owner.unsubscribe: ["subscription.ended"],
    Owner.make_webhook: ["webhook.created"],
    Owner.renew_webhook: ["webhook.secret_replaced"],
    Owner.end_webhook: ["webhook.ended"],
    Owner.begin_deleting: ["connection.deletion_begun"],
    Owner.delete_pieces: [],
    Owner.delete: ["connection.deleted"],
}


def test_each_change_has_its_line_and_names_no_secret(watching: Watching, engine: Engine) -> None:
    """Twice the same is one change."""
    owner = Owner(watching, engine)
    acts(CONSOLE)
    for change in CHANGES:
        change(owner)
        if change in (Owner.pause, Owner.resume, Owner.unsubscribe, Owner.end_webhook):
            change(owner)
    acts(WORKER)
    told = lines(engine)
    assert [line.what for line in told] == [what for each in CHANGES.values() for what in each]
    assert {line.who for line in told if line.what != "subscription.disabled"} == {CONSOLE}
    assert {line.who for line in told if line.what == "subscription.disabled"} == {RECEIVER}
    assert {line.connection_id for line in told} == {owner.caller.connection}
    by_what = {line.what: line.object_id for line in told}
    assert by_what["subscription.ended"] == owner.hook
    assert by_what["webhook.ended"] == owner.webhook
    for secret in ("sk_a", "whsec_", "wh_", "example.com"):
        assert secret not in repr(told)
    # As a word: ids are random, and made of such letters.
    assert not re.search(r"\bada\b", repr(told))


@pytest.mark.parametrize(
    "change", list(filter(CHANGES.get, CHANGES)), ids=lambda change: change.__name__
)
def test_change_without_its_line_is_not_made(
    watching: Watching, engine: Engine, change: Callable[[Owner], None]
) -> None:
    owner = Owner(watching, engine)
    for before in CHANGES:
        if before is change:
            break
        before(owner)
    kept = rows_of(engine)
    with writing(engine) as session:
        session.exec_driver_sql("ALTER TABLE audit_log RENAME TO gone")
    with pytest.raises(DatabaseError, match="audit_log"):
        change(owner)
    after = rows_of(engine)
    if change is Owner.receiver_ends:
        # It was claimed before, and will be tried again.
        assert [row.state for row in after["deliveries"]] == ["pending"]
        del kept["deliveries"], after["deliveries"]
    assert after == kept


def rows_of(engine: Engine) -> dict[str, list[Any]]:
    with reading(engine) as session:
        return {
            name: list(session.execute(select(table).order_by(*table.primary_key)).all())
            for name, table in TABLES.items()
        }


def test_log_is_kept_for_a_quarter_at_least(watching: Watching, engine: Engine) -> None:
    """And as long as looks and events, where that is longer; the newest come first."""
    subscribe(watching)
    watching.clock.move(days=300)
    subscribe(watching)
    watching.forgetting.run()
    assert len(lines(engine)) == 3
    watching.clock.move(days=66)
    watching.forgetting.run()
    (line,) = lines(engine)
    assert line.at == watching.clock.now() - timedelta(days=66)
    assert LEAST_AUDIT_DAYS == 90
    log = AuditLog(engine)
    assert log.lines(since=watching.clock.now(), connection_id=None, limit=9) == []
    assert log.lines(since=None, connection_id="zapier:other", limit=9) == []
