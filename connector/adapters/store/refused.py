"""Keys that the upstream refused: what is watched with one waits, until it is good again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    and_,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy import Connection as Session

from connector.adapters.store.tables import Connection, Watch
from connector.adapters.store.time import to_ms
from connector.domain.subscriptions import ClaimedWatch
from wire.together import Together

# Of one that is being deleted, `problem` says just that.
REFUSED: Final[ColumnElement[bool]] = and_(
    Connection.problem.is_not(None), Connection.ending_at.is_(None)
)


def refuse(
    together: Together, watch: ClaimedWatch, *, until: datetime, attempt: int, problem: str
) -> None:
    """Gives the claim back, and puts off all that is watched with its key, saying why.

    Nothing where the claim was lost.
    """
    told = {
        "key": watch.connection_id,
        "token": watch.token,
        "until": to_ms(until),
        "tried": attempt,
        "why": problem,
    }

    def put_off(session: Session) -> None:
        # First: in this order nobody waits for another who waits.
        session.execute(_WHY, told)
        held = {row.id: row.claim_token for row in session.execute(_LOCKED, told)}
        if held.get(watch.id) != watch.token:
            return  # somebody else has looked since, and knows better
        session.execute(_PUT_OFF, told)
        session.execute(_SAY_WHY, told)

    together.write(put_off, locks=_all_of(watch.connection_id))


def accept(together: Together, connection_id: str, now: datetime) -> None:
    """Lets what waited be looked at when it would have been, as the key is good."""
    of = {"key": connection_id}

    def go_on(session: Session) -> None:
        problem = session.execute(_WHY, of).scalar_one_or_none()
        if problem is not None:
            session.execute(_LOCKED, of)
            session.execute(_GO_ON, {**of, "why": problem, "now": to_ms(now)})
            session.execute(_SAY_WHY, {**of, "why": None})

    together.write(go_on, locks=_all_of(connection_id))


def _all_of(connection_id: str) -> tuple[str, ...]:
    return Watch.__tablename__, connection_id


_UNTIL: BindParameter[int] = bindparam("until", type_=BigInteger)
_NOW: BindParameter[int] = bindparam("now", type_=BigInteger)
_MINE: Final = Watch.connection_id == bindparam("key")
_THIS: Final = (Connection.id == bindparam("key"), Connection.ending_at.is_(None))
_NEXT: Final = Watch.seen_at + 1000 * Watch.interval_seconds
# In the order in which workers take them too.
_LOCKED: Final = (
    select(Watch.id, Watch.claim_token).where(_MINE).order_by(Watch.handle).with_for_update()
)
# Those who only add what belongs to the connection don't wait for it.
_WHY: Final = select(Connection.problem).where(*_THIS).with_for_update(key_share=True)
_SAY_WHY: Final = update(Connection).where(*_THIS).values(problem=bindparam("why"))
# Whoever looks at another just now tells of it.
_FREE: Final = func.coalesce(Watch.claim_token, bindparam("token")) == bindparam("token")
_PUT_OFF: Final = (
    update(Watch)
    .where(_MINE, _FREE)
    .values(
        claim_token=None,
        lease_until=None,
        due_at=case((Watch.due_at > _UNTIL, Watch.due_at), else_=_UNTIL),
        attempt=bindparam("tried"),
        problem=bindparam("why"),
    )
)
_GO_ON: Final[Any] = (
    update(Watch)
    .where(_MINE, Watch.problem == bindparam("why"), Watch.claim_token.is_(None))
    .values(due_at=case((_NEXT > _NOW, _NEXT), else_=_NOW), attempt=0, problem=None)
)
