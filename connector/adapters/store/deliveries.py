"""Deliveries: claimed when they are due, and completed with what became of them."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Engine,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import Connection as Session

from connector.adapters.store.audit import audited
from connector.adapters.store.dead_letters import again, enable, send_dead_again
from connector.adapters.store.deliveries_shown import kept, newest
from connector.adapters.store.idempotency import takes_effect
from connector.adapters.store.tables import Attempt, Delivery, Event, Subscription
from connector.adapters.store.time import from_ms, to_ms
from connector.adapters.store.watches import body_of, keep_event
from connector.domain.acting import RECEIVER, WORKER, Acting
from connector.domain.deliveries import (
    DEAD,
    DELIVERED,
    PENDING,
    ClaimedDelivery,
    DeliveryState,
    KeptDelivery,
    Outcome,
    Verdict,
)
from connector.domain.events import TEST_PREFIX
from connector.domain.events import Event as Told
from connector.domain.idempotency import effect
from connector.domain.subscriptions import ACTIVE, DISABLED
from connector.domain.trace import request_id
from wire.database import one_at_a_time, reading, writing
from wire.together import Together

# So that a receiver that hangs holds up its own events and nobody else's.
MAX_AT_ONCE: Final = 4
# What Zapier's receivers take from a sender; others are as many strangers on one host.
MAX_A_SECOND: Final = 30
_SECOND: Final = 1000
# Any number will do that nothing else in this database locks.
_CLAIMING: Final = 7_240_519_284


class Deliveries:
    """The part of the store that knows what is on its way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together(engine)

    def claim_due(self, now: datetime, *, lease: timedelta, limit: int) -> list[ClaimedDelivery]:
        """Up to `limit` deliveries that are due, the longest due first, a few to each receiver.

        Never more to one host than `MAX_A_SECOND`, by whichever worker: what is beyond waits.
        """
        return self._claim(_DUE, now, lease, limit=limit)

    def claim_one(
        self, sequence: int, now: datetime, *, lease: timedelta
    ) -> ClaimedDelivery | None:
        """The delivery, where `claim_due` might claim it: a wake-up may be early, late or repeated."""
        claimed = self._claim(_DUE_ONE, now, lease, of=sequence)
        return next(iter(claimed), None)

    def _claim(
        self, due: Any, now: datetime, lease: timedelta, **wanted: int
    ) -> list[ClaimedDelivery]:
        token = secrets.token_hex(16)
        times = {"now": to_ms(now), "a_second_ago": to_ms(now) - _SECOND}
        claim = {
            "claim_token": token,
            "claimed_at": to_ms(now),
            "lease_until": to_ms(now + lease),
        }
        with writing(self._engine) as session:
            one_at_a_time(session, _CLAIMING)
            chosen = session.execute(due, {**times, **wanted}).scalars().all()
            if not chosen:
                return []
            session.execute(_THESE, {**times, "chosen": chosen, **claim})
            rows = session.execute(_CLAIMED, {"token": token}).all()
        return [_claimed(row, token) for row in rows]

    def complete(
        self,
        delivery: ClaimedDelivery,
        outcome: Outcome,
        verdict: Verdict,
        now: datetime,
        *,
        milliseconds: int,
    ) -> bool:
        """Keeps a try, which ended now, and what became of the delivery.

        False, and nothing kept, where the claim was lost.
        """
        values = {
            "state": verdict.state,
            "due_at": to_ms(verdict.due_at),
            "attempt": delivery.attempt + 1,
            "claim_token": None,
            "lease_until": None,
            "last_status": outcome.status,
            "last_error": outcome.error,
            "updated_at": to_ms(now),
        }
        ours = {"of": delivery.sequence, "token": delivery.token, **values}
        tried = {
            "sequence": delivery.sequence,
            "tried_at": to_ms(now) - milliseconds,
            "status": outcome.status,
            "error": outcome.error,
            "answer": outcome.answer,
            "milliseconds": milliseconds,
        }

        def keep(session: Session) -> bool:
            if session.execute(_OURS, ours).rowcount == 0:
                return False
            session.execute(_TRIED, tried)
            ended = _keep_health(session, delivery, outcome, verdict, now)
            if ended and verdict.state == PENDING:
                # Another try ended the subscription while this one was under way: nobody would claim it.
                session.execute(_OF, {"of": delivery.sequence, **_dead(ended, now)})
            return True

        return self._together.write(
            keep, locks=(Subscription.__tablename__, delivery.subscription_id)
        )

    def listed(
        self,
        connection_id: str | None,
        *,
        state: str | None,
        limit: int,
        subscription_id: str | None = None,
    ) -> list[DeliveryState]:
        """The newest deliveries, of one connection or of all; of one subscription, where it is given."""
        wanted = {"state": state, "subscription_id": subscription_id}
        with reading(self._engine) as session:
            return newest(session, connection_id, **wanted, limit=limit)

    def find(self, connection_id: str, sequence: int, *, tries: int) -> KeptDelivery | None:
        """The connection's delivery, with its newest `tries`."""
        with reading(self._engine) as session:
            return kept(session, connection_id, sequence, tries=tries)

    def test(
        self, subscription_id: str, event: Told, now: datetime, *, pause: timedelta
    ) -> int | None:
        """Sends `event` and answers its sequence. Null, and nothing sent, within `pause` of the last test.

        A test that still waits for its next try is sent now in its place. A subscription that was
        disabled is active again, as after a replay.
        """
        with writing(self._engine) as session:
            # Of two tests at once, the second sees the first.
            mine = select(Subscription.id).where(Subscription.id == subscription_id)
            session.execute(mine.with_for_update())
            takes_effect(session, effect())
            last = session.execute(_last_test(subscription_id)).first()
            if last and max(last.updated_at + _ms(pause), last.lease_until or 0) > to_ms(now):
                return None
            enable(session, now, subscription_id)
            if last is None or last.state != PENDING:
                return keep_event(
                    session, subscription_id, event, to_ms(now), request_id=request_id()
                )
            values = {"due_at": to_ms(now), "updated_at": to_ms(now), "attempt": 0}
            waiting = (Delivery.sequence == last.sequence, Delivery.state == PENDING)
            session.execute(update(Delivery).where(*waiting).values(values))
        sequence: int = last.sequence
        return sequence

    def send(self, subscription_id: str, event: Told, now: datetime) -> int | None:
        """Keeps `event` and its delivery; the sequence, null where the subscription is gone."""
        with writing(self._engine) as session:
            takes_effect(session, effect())
            return keep_event(session, subscription_id, event, to_ms(now), request_id=request_id())

    def give_up(self, now: datetime, *, limit: int) -> int:
        """Ends what waits for a subscription that was disabled before it came; how much it was."""
        at = to_ms(now)
        these = {"now": at, "limit": limit}
        # Nearly always there is nothing, for which nobody should wait.
        with reading(self._engine) as session:
            if session.execute(_STRANDED, these).first() is None:
                return 0
        with writing(self._engine) as session:
            stranded = session.execute(_STRANDED_HELD, these).scalars().all()
            why = {"state": DEAD, "last_error": _REASON, "due_at": at, "updated_at": at}
            session.execute(update(Delivery).where(Delivery.sequence.in_(stranded)).values(why))
        return len(stranded)

    def replay(self, sequence: int, now: datetime, *, connection_id: str | None = None) -> bool:
        """Sends a delivery again, with the same id; false where there is none that has ended.

        A subscription that was disabled is active again: somebody has mended its receiver.
        """
        ended = update(Delivery).where(
            Delivery.sequence == sequence, Delivery.state.in_((DEAD, DELIVERED))
        )
        if connection_id is not None:
            mine = select(Subscription.id).where(Subscription.connection_id == connection_id)
            ended = ended.where(Delivery.subscription_id.in_(mine))
        with writing(self._engine) as session:
            takes_effect(session, effect())
            done = session.execute(ended.values(again(now)).returning(Delivery.subscription_id))
            subscription_id = done.scalar_one_or_none()
            if subscription_id is None:
                return False
            enable(session, now, subscription_id)
        return True

    def replay_dead(
        self, connection_id: str, now: datetime, *, subscription_id: str | None, limit: int
    ) -> tuple[list[int], int]:
        """Sends up to `limit` dead deliveries again, the oldest first; which, and how many are left."""
        with writing(self._engine) as session:
            takes_effect(session, effect())
            return send_dead_again(
                session, connection_id, now, subscription_id=subscription_id, limit=limit
            )


_TARGET = (
    Subscription.target_url,
    Subscription.sealed_secrets,
    Subscription.rotated_at,
    Subscription.first_failure_at,
)


_NOW: BindParameter[int] = bindparam("now")
_A_SECOND_AGO: BindParameter[int] = bindparam("a_second_ago")
_WAITING: Final = (
    Delivery.state == PENDING,
    Delivery.due_at <= _NOW,
    or_(Delivery.lease_until.is_(None), Delivery.lease_until <= _NOW),
    # A try is counted by its claim, so one that is repeated at once would count but once.
    or_(Delivery.claimed_at.is_(None), Delivery.claimed_at <= _A_SECOND_AGO),
)


# What is being tried is ended by its try.
_STRANDED: Final = (
    select(Delivery.sequence)
    .join(Subscription, Subscription.id == Delivery.subscription_id)
    .where(Delivery.state == PENDING, Subscription.state == DISABLED)
    .where(func.coalesce(Delivery.lease_until, 0) <= _NOW)
    .limit(bindparam("limit"))
)
# Nor may its owner enable it again meanwhile.
_STRANDED_HELD: Final = _STRANDED.with_for_update(of=[Delivery, Subscription], skip_locked=True)
_REASON: Final = (
    select(Subscription.reason).where(Subscription.id == Delivery.subscription_id).scalar_subquery()
)


def _due() -> Any:
    """Of what is due, as much as every host takes now, the longest due first."""
    mine = _for_receivers()
    begun = (
        select(Subscription.target_host, func.count().label("tries"))
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .where(Delivery.claimed_at > _A_SECOND_AGO)
        .group_by(Subscription.target_host)
        .subquery()
    )
    within = mine.c.place + func.coalesce(begun.c.tries, 0) <= MAX_A_SECOND
    return (
        select(mine.c.sequence)
        .outerjoin(begun, begun.c.target_host == mine.c.target_host)
        .where(or_(mine.c.target_host.is_(None), within))
        .order_by(mine.c.due_at, mine.c.sequence)
    )


def _for_receivers() -> Any:
    """Of what is due, what leaves no more than `MAX_AT_ONCE` in flight to a subscription.

    `place` counts what is for the same host.
    """
    waiting = (
        select(
            Delivery.sequence,
            Delivery.subscription_id,
            Delivery.due_at,
            Subscription.target_host,
            _place(Delivery.subscription_id, Delivery.due_at, Delivery.sequence),
        )
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            *_WAITING,
            Subscription.state == ACTIVE,
            or_(Subscription.throttled_until.is_(None), Subscription.throttled_until <= _NOW),
        )
        .subquery()
    )
    busy = (
        select(Delivery.subscription_id, func.count().label("tries"))
        .where(Delivery.state == PENDING, Delivery.lease_until > _NOW)
        .group_by(Delivery.subscription_id)
        .subquery()
    )
    return (
        select(
            waiting.c.sequence,
            waiting.c.due_at,
            waiting.c.target_host,
            _place(waiting.c.target_host, waiting.c.due_at, waiting.c.sequence),
        )
        .outerjoin(busy, busy.c.subscription_id == waiting.c.subscription_id)
        .where(waiting.c.place + func.coalesce(busy.c.tries, 0) <= MAX_AT_ONCE)
        .subquery()
    )


def _place(of: Any, *order: Any) -> Any:
    return func.row_number().over(partition_by=of, order_by=order).label("place")


def _one_of(due: Any) -> Any:
    found = due.subquery()
    return select(found.c.sequence).where(found.c.sequence == bindparam("of"))


# Said once each: to put a statement together takes many times as long as to carry it out.
_DUE: Final = _due().limit(bindparam("limit"))
_DUE_ONE: Final = _one_of(_due())
# Asked again: on PostgreSQL one whose lease had ended may be done by now all the same.
_THESE: Final = update(Delivery).where(
    Delivery.sequence.in_(bindparam("chosen", expanding=True)), *_WAITING
)
_CLAIMED: Final = (
    select(Delivery.__table__, Event.body, *_TARGET)
    .join(Event, Event.sequence == Delivery.sequence)
    .join(Subscription, Subscription.id == Delivery.subscription_id)
    .where(Delivery.claim_token == bindparam("token"))
    .order_by(Delivery.due_at)
)
_OF: Final = update(Delivery).where(Delivery.sequence == bindparam("of"))
_OURS: Final = _OF.where(Delivery.claim_token == bindparam("token"))
_TRIED: Final = insert(Attempt)


def _last_test(subscription_id: str) -> Any:
    return (
        select(Delivery.__table__)
        .join(Event, Event.sequence == Delivery.sequence)
        .where(Delivery.subscription_id == subscription_id, Event.event_id.startswith(TEST_PREFIX))
        .order_by(Delivery.sequence.desc())
        .limit(1)
    )


def _ms(duration: timedelta) -> int:
    return round(duration / timedelta(milliseconds=1))


def _keep_health(
    session: Session,
    delivery: ClaimedDelivery,
    outcome: Outcome,
    verdict: Verdict,
    moment: datetime,
) -> str | None:
    """What the try says about the receiver: one success resets, failures are counted by time.

    Answers why the subscription is disabled; null where it is not.
    """
    now = to_ms(moment)
    mine = update(Subscription).where(Subscription.id == delivery.subscription_id)
    values: dict[str, Any] = {}
    if verdict.throttled_until:
        # Others were under way before, and may have been told to wait for longer.
        until, known = to_ms(verdict.throttled_until), Subscription.throttled_until
        values["throttled_until"] = case((known > until, known), else_=until)
    if outcome.delivered:
        values["first_failure_at"] = None
    else:
        values["first_failure_at"] = func.coalesce(Subscription.first_failure_at, now)
    if verdict.disable:
        values |= {"state": DISABLED, "reason": verdict.disable}
        waiting = (Delivery.subscription_id == delivery.subscription_id, Delivery.state == PENDING)
        session.execute(update(Delivery).where(*waiting).values(_dead(verdict.disable, moment)))
        _tell(session, delivery, outcome, moment)
    kept = mine.values(values).returning(Subscription.state, Subscription.reason)
    row = session.execute(kept).one()
    return None if row.state == ACTIVE else row.reason


def _dead(why: str, moment: datetime) -> dict[str, Any]:
    now = to_ms(moment)
    return {"state": DEAD, "last_error": why, "due_at": now, "updated_at": now}


def _tell(session: Session, delivery: ClaimedDelivery, outcome: Outcome, moment: datetime) -> None:
    """Logs that the subscription is disabled: by its receiver, which says so, or by us."""
    by = Acting(RECEIVER if outcome.gone else WORKER)
    still = (Subscription.id == delivery.subscription_id, Subscription.state == ACTIVE)
    query = select(Subscription.connection_id).where(*still)
    if (connection_id := session.execute(query).scalar_one_or_none()) is not None:
        of = {"connection_id": connection_id, "object_id": delivery.subscription_id}
        audited(session, by, "subscription.disabled", moment, **of)


def _claimed(row: Any, token: str) -> ClaimedDelivery:
    failing, rotated = row.first_failure_at, row.rotated_at
    return ClaimedDelivery(
        sequence=row.sequence,
        token=token,
        subscription_id=row.subscription_id,
        webhook_id=row.webhook_id,
        target_url=row.target_url,
        sealed_secrets=row.sealed_secrets,
        body=json.dumps(body_of(row), ensure_ascii=False).encode(),
        attempt=row.attempt,
        first_failure_at=None if failing is None else from_ms(failing),
        rotated_at=None if rotated is None else from_ms(rotated),
        request_id=row.request_id,
    )
