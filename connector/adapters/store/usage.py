"""Credits by connection, day and what asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection as Session
from sqlalchemy import Engine, bindparam, delete, insert, select, update

from connector.adapters.store.tables import Lookup
from connector.adapters.store.tables import UsageDay as Row
from connector.domain.usage import Asked, Spent
from wire.database import is_new, reading, writing
from wire.together import Together

# What a budget has been set aside for is counted in a row of its own, beside the rows by what asked.
SET_ASIDE: Final = ""


class UsageCounts:
    """The part of the store that counts credits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together(engine)

    def set_aside(self, asked: Asked, credits: int, *, budget: int) -> bool:
        """Takes `credits` out of the day's budget; false, and nothing taken, where it would not last."""
        ledger = Asked(asked.connection_id, asked.day, SET_ASIDE)
        taken = (
            update(Row)
            .where(*_of(ledger), Row.credits + credits <= budget)
            .values(credits=Row.credits + credits)
        )

        def take(session: Session) -> bool:
            _start(session, ledger)
            return session.execute(taken).rowcount > 0

        return self._together.write(take, locks=row_of(ledger))

    def give_back(self, asked: Asked, credits: int) -> None:
        """Returns what was set aside."""
        ledger = Asked(asked.connection_id, asked.day, SET_ASIDE)
        returned = update(Row).where(*_of(ledger)).values(credits=Row.credits - credits)
        # Anybody can make up keys: they leave nothing behind.
        emptied = delete(Row).where(*_of(ledger), Row.credits <= 0)

        def give(session: Session) -> None:
            session.execute(returned)
            session.execute(emptied)

        self._together.write(give, locks=row_of(ledger))

    def count(self, spent: Mapping[Asked, Spent]) -> None:
        """Adds to what was counted, all or nothing."""
        if not spent:
            return
        rows = sorted(spent.items(), key=lambda item: row_of(item[0]))

        def add(session: Session) -> None:
            for asked, credits in rows:
                count(session, asked, credits)

        self._together.write(add, locks=row_of(rows[0][0]))

    def counted(self, connection_id: str, *, month: str) -> dict[str, dict[str, Spent]]:
        """What was spent in `month` ("2026-11"), by what asked and by day."""
        query = select(Row.__table__).where(
            Row.connection_id == connection_id, Row.day.startswith(month), Row.what != SET_ASIDE
        )
        found: dict[str, dict[str, Spent]] = {}
        with reading(self._engine) as session:
            for row in session.execute(query):
                days = found.setdefault(row.what, {})
                days[row.day] = Spent(row.credits, row.saved, row.unsure)
        return found

    def counted_since(self, connection_ids: Iterable[str], day: str) -> dict[Asked, Spent]:
        """What was spent with several connections from `day` ("2026-11-24") on."""
        with reading(self._engine) as session:
            rows = session.execute(_SINCE, {"all": list(connection_ids), "on": day}).all()
        return {
            Asked(row.connection_id, row.day, row.what): Spent(row.credits, row.saved, row.unsure)
            for row in rows
        }

    def forget(self, before_day: str) -> None:
        """Deletes the counts of days before `before_day`."""
        with writing(self._engine) as session:
            session.execute(delete(Row).where(Row.day < before_day))


def row_of(asked: Asked) -> tuple[str, ...]:
    """The row that a count locks, which others want to write too."""
    return Row.__tablename__, asked.connection_id, asked.day, asked.what


def count(session: Session, asked: Asked, spent: Spent) -> None:
    """Adds to what was counted, as part of a transaction."""
    more = {
        "of": asked.connection_id,
        "on": asked.day,
        "by": asked.what,
        "more_credits": spent.credits,
        "more_saved": spent.saved,
        "more_unsure": spent.unsure,
    }
    if session.execute(_ADD, more).rowcount:
        return
    # What was saved is written later: all that was kept for the key may have been deleted meanwhile.
    if spent == Spent(saved=spent.saved) and not session.execute(_KNOWN, more).first():
        return
    _start(session, asked)
    session.execute(_ADD, more)


# Said once each: to put a statement together takes many times as long as to carry it out.
_ADD: Final = (
    update(Row)
    .where(
        Row.connection_id == bindparam("of"),
        Row.day == bindparam("on"),
        Row.what == bindparam("by"),
    )
    .values(
        credits=Row.credits + bindparam("more_credits"),
        saved=Row.saved + bindparam("more_saved"),
        unsure=Row.unsure + bindparam("more_unsure"),
    )
)
_KNOWN: Final = select(Lookup.id).where(Lookup.connection_id == bindparam("of")).limit(1)
_SINCE: Final = select(Row.__table__).where(
    Row.connection_id.in_(bindparam("all", expanding=True)),
    Row.day >= bindparam("on"),
    Row.what != SET_ASIDE,
)


def _of(asked: Asked) -> tuple[Any, ...]:
    return (
        Row.connection_id == asked.connection_id,
        Row.day == asked.day,
        Row.what == asked.what,
    )


def _start(session: Session, asked: Asked) -> None:
    if session.execute(select(Row.day).where(*_of(asked))).first():
        return
    values = {"connection_id": asked.connection_id, "day": asked.day, "what": asked.what}
    is_new(session, insert(Row).values(**values, credits=0, saved=0, unsure=0))
