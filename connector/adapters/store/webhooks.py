"""Incoming webhooks: made, found by the hash of their token, counted, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Engine,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import Connection as Session

from connector.adapters.store.audit import audited
from connector.adapters.store.held import hold
from connector.adapters.store.subscriptions import rotate
from connector.adapters.store.tables import Connection, Subscription, WebhookCall
from connector.adapters.store.tables import Webhook as Row
from connector.adapters.store.time import from_ms, to_ms
from connector.domain.acting import acting
from connector.domain.subscriptions import ACTIVE
from connector.domain.usage import day_after
from connector.domain.webhooks import Call, Standing, Webhook
from wire.database import reading, writing
from wire.together import Together

_MINUTE: Final = 60_000
# Of each webhook, the newest.
MAX_CALLS: Final = 50
_KEPT: Final = [field.name for field in fields(Webhook)]


class Webhooks:
    """The part of the store that knows who may look up without a key of their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together.on(engine)

    def add(self, webhook: Webhook, token_hash: str) -> None:
        """Keeps a new webhook."""
        values = asdict(webhook) | {"created_at": to_ms(webhook.created_at)}
        counts = {"rate_window": 0, "rate_count": 0, "credits": 0}
        with writing(self._engine) as session:
            hold(session, webhook.connection_id)
            session.execute(insert(Row).values(token_hash=token_hash, **values, **counts))
            of = {"connection_id": webhook.connection_id, "object_id": webhook.id}
            audited(session, acting(), "webhook.created", webhook.created_at, **of)

    def by_token(self, token_hash: str) -> Standing | None:
        """The webhook whose token has this hash; none of a connection that is being deleted."""
        wanted = (Row.token_hash == token_hash, Connection.ending_at.is_(None))
        return next(iter(self._found(*wanted)), None)

    def find(self, connection_id: str, webhook_id: str) -> Standing | None:
        """The connection's webhook with this id."""
        mine = (Row.connection_id == connection_id, Row.id == webhook_id)
        return next(iter(self._found(*mine)), None)

    def listed(self, connection_id: str | None) -> list[Standing]:
        """The webhooks of one connection or of all, oldest first."""
        return self._found(*_of(connection_id))

    def _found(self, *wanted: ColumnElement[bool]) -> list[Standing]:
        query = (
            select(Row.__table__, Connection.platform, Connection.sealed_key, *_TARGET)
            .join(Connection, Connection.id == Row.connection_id)
            .outerjoin(Subscription, Subscription.id == Row.subscription_id)
            .where(*wanted)
            .order_by(Row.created_at, Row.id)
        )
        with reading(self._engine) as session:
            return [_standing(row) for row in session.execute(query)]

    def renew(
        self,
        connection_id: str,
        webhook_id: str,
        token_hash: str,
        sealed_secret: str | None,
        now: datetime,
        *,
        renewed: Callable[[str], str],
    ) -> bool:
        """Puts a token, and a secret of callers, in place of those before; false where there are none.

        `renewed` makes the sealed secrets of what carries its rows, where it has a target.
        """
        mine = update(Row).where(Row.connection_id == connection_id, Row.id == webhook_id)
        values = {"token_hash": token_hash, "sealed_secret": sealed_secret}
        with writing(self._engine) as session:
            row = session.execute(mine.values(values).returning(Row.subscription_id)).first()
            if row is None:
                return False
            of = {"connection_id": connection_id, "object_id": webhook_id}
            audited(session, acting(), "webhook.secret_replaced", now, **of)
            if row.subscription_id is not None:
                rotate(session, connection_id, row.subscription_id, renewed, now)
        return True

    def delete(self, connection_id: str | None, webhook_id: str, now: datetime) -> bool:
        """Ends a webhook, with what was still to be sent; false when there is none."""
        gone = delete(Row).where(Row.id == webhook_id, *_of(connection_id))
        with writing(self._engine) as session:
            row = session.execute(gone.returning(Row.subscription_id, Row.connection_id)).first()
            if row is not None:
                of = {"connection_id": row.connection_id, "object_id": webhook_id}
                audited(session, acting(), "webhook.ended", now, **of)
                carrier = Subscription.id == row.subscription_id
                session.execute(delete(Subscription).where(carrier))
        return row is not None

    def count_request(self, webhook_id: str, now: datetime) -> bool:
        """Counts one request; false, and not counted, beyond what a minute allows."""
        window = to_ms(now) // _MINUTE
        # Whoever comes as a minute ends may be later here than who came after: none begins twice.
        same = Row.rate_window.in_((window, window + 1))
        kept = case((same, Row.rate_window), else_=window)
        counted = (
            update(Row)
            .where(Row.id == webhook_id, or_(~same, Row.rate_count < Row.requests_per_minute))
            .values(rate_window=kept, rate_count=case((same, Row.rate_count + 1), else_=1))
        )
        with writing(self._engine) as session:
            return session.execute(counted).rowcount > 0

    def set_aside(self, webhook_id: str, day: str, credits: int) -> bool:
        """Takes credits out of the day's budget; false, and nothing taken, where it would not last."""
        # As a day ends, too.
        same = Row.credit_day.in_((day, day_after(day)))
        spent = case((same, Row.credits), else_=0)
        kept = case((same, Row.credit_day), else_=day)
        taken = (
            update(Row)
            .where(Row.id == webhook_id, spent + credits <= Row.daily_credits)
            .values(credit_day=kept, credits=spent + credits)
        )
        with writing(self._engine) as session:
            return session.execute(taken).rowcount > 0

    def give_back(self, webhook_id: str, day: str, credits: int) -> None:
        """Returns what was set aside for a look-up that cost nothing."""
        same = (Row.id == webhook_id, Row.credit_day == day)
        with writing(self._engine) as session:
            session.execute(update(Row).where(*same).values(credits=Row.credits - credits))

    def keep_call(self, webhook_id: str, call: Call, *, a_minute: int | None = None) -> None:
        """Keeps a call, and no more than the newest of each webhook.

        Of those without a handle and with its error, no more than `a_minute`. One beyond only reads.
        """
        values = asdict(call) | {"webhook_id": webhook_id, "called_at": to_ms(call.called_at)}
        same = {
            "of": webhook_id,
            "code": call.error_code,
            "since": to_ms(call.called_at) // _MINUTE * _MINUTE,
        }

        def is_one_too_many(session: Session) -> bool:
            return a_minute is not None and session.execute(_SAME, same).scalar_one() >= a_minute

        def keep(session: Session) -> None:
            # Of two at once, the second sees the first; and who ended the webhook ended its calls.
            if session.execute(_LOCKED, same).first() is None or is_one_too_many(session):
                return
            session.execute(_CALLED, values)
            session.execute(_OLD, same)

        if a_minute is not None:
            with reading(self._engine) as session:
                if is_one_too_many(session):
                    return
        self._together.write(keep, locks=(Row.__tablename__, webhook_id))

    def calls(self, webhook_id: str) -> list[Call]:
        """The newest calls, newest first."""
        with reading(self._engine) as session:
            rows = session.execute(_NEWEST, {"of": webhook_id}).all()
        return [_call(row) for row in rows]


_OF: BindParameter[str] = bindparam("of")
_LOCKED: Final = select(Row.id).where(Row.id == _OF).with_for_update(key_share=True)
_SAME: Final = select(func.count()).where(
    WebhookCall.webhook_id == _OF,
    WebhookCall.handle.is_(None),
    WebhookCall.error_code == bindparam("code"),
    WebhookCall.called_at >= bindparam("since"),
)
_CALLED: Final = insert(WebhookCall)
_NEWEST: Final = (
    select(WebhookCall.__table__)
    .where(WebhookCall.webhook_id == _OF)
    .order_by(WebhookCall.id.desc())
    .limit(MAX_CALLS)
)
_OLD: Final = delete(WebhookCall).where(
    WebhookCall.webhook_id == _OF,
    WebhookCall.id
    <= select(WebhookCall.id)
    .where(WebhookCall.webhook_id == _OF)
    .order_by(WebhookCall.id.desc())
    .offset(MAX_CALLS)
    .limit(1)
    .scalar_subquery(),
)
_TARGET: Final = (Subscription.target_url, Subscription.state, Subscription.reason)


def _of(connection_id: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if connection_id is None else (Row.connection_id == connection_id,)


def _call(row: Any) -> Call:
    return Call(
        called_at=from_ms(row.called_at),
        handle=row.handle,
        error_code=row.error_code,
        error=row.error,
        milliseconds=row.milliseconds,
    )


def _standing(row: Any) -> Standing:
    kept = {name: getattr(row, name) for name in _KEPT}
    return Standing(
        webhook=Webhook(**kept | {"created_at": from_ms(row.created_at)}),
        platform=row.platform,
        sealed_key=row.sealed_key,
        target_url=row.target_url,
        state=row.state or ACTIVE,
        reason=row.reason,
        credit_day=row.credit_day,
        credits=row.credits,
    )
