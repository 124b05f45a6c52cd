"""Engines for PostgreSQL. Imported only where there is one."""

from __future__ import annotations

from typing import Any, Final

from psycopg.types.string import StrDumper
from sqlalchemy import URL, Engine, create_engine, event

_OPTIONS: Final[dict[str, Any]] = {
    # Whatever the server's own default is: what waited for a lock sees what was committed meanwhile.
    "isolation_level": "READ COMMITTED",
    # Per process, however many threads: a transaction takes milliseconds and none waits for an
    # upstream, while small plans of hosts allow 20 connections in all. Two web processes and a
    # worker hold 15 at most. None beyond those: each would be dialled and dropped at every burst.
    "pool_size": 5,
    "max_overflow": 0,
    # Far longer than a burst takes, and shorter than any platform waits for its answer.
    "pool_timeout": 10,
    # A server that was restarted or replaced costs a new connection, and no request.
    "pool_pre_ping": True,
}
_LIBPQ: Final[dict[str, Any]] = {
    # It would wait for minutes where nothing answers.
    "connect_timeout": 5,
    # Networks of hosts forget a connection that is silent for minutes; a dead peer is noticed.
    "keepalives_idle": 60,
    "tcp_user_timeout": 15_000,
    # Poolers such as PgBouncer hand each transaction to another connection, without what was prepared.
    "prepare_threshold": None,
}


def open_postgresql(address: URL, **always: Any) -> Engine:
    """An engine whose connections are few and kept; what `address` says of libpq's options holds."""
    libpq = {name: value for name, value in _LIBPQ.items() if name not in address.query}
    engine = create_engine(address, **always, **_OPTIONS, connect_args=libpq)
    event.listen(engine, "connect", _prepare)
    return engine


class _StrDumper(StrDumper):
    """Text as it is sent: PostgreSQL keeps no NUL, and strangers' handles and bios may hold one."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


def _prepare(connection: Any, _record: object) -> None:
    connection.adapters.register_dumper(str, _StrDumper)
