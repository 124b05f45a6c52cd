"""Keys, credits, rate limits and the request log, in SQL. Every change is one atomic statement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, case, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from profile_api.keys import hash_key, hint_of
from profile_api.tables import ApiKey, ApiRequest, KeyChange

CREDITS_PER_REQUEST: Final = 2
WINDOW_SECONDS: Final = 60
DEFAULT_RATE_LIMIT: Final = 300


@dataclass(frozen=True)
class Key:
    """An active key, and how many requests its current minute still allows."""

    id: int
    credits: int
    rate_limit: int
    remaining: int


@dataclass(frozen=True)
class LoggedRequest:
    """One line of the request log."""

    at: int
    key_name: str
    request_source: str
    handle: str
    status: int
    credits: int


class Store:
    """The database as the endpoint uses it. `now` arguments are aware datetimes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create_key(
        self,
        key: str,
        *,
        name: str,
        credits: int,
        now: datetime,
        rate_limit: int = DEFAULT_RATE_LIMIT,
    ) -> int | None:
        """Stores the hash of `key`; answers its id, or null when the key exists already."""
        row = {
            "name": name,
            "key_hash": hash_key(key),
            "hint": hint_of(key),
            "active": True,
            "credits": credits,
            "rate_limit": rate_limit,
            "rate_window": 0,
            "rate_count": 0,
            "created_at": _seconds(now),
        }
        try:
            with self._engine.begin() as connection:
                statement = insert(ApiKey).values(row).returning(ApiKey.id)
                key_id: int = connection.execute(statement).scalar_one()
                connection.execute(_changed(key_id, "created", now, credits))
                return key_id
        except IntegrityError:
            return None

    def find_key(self, key: str, *, now: datetime) -> Key | None:
        """The active key with this text."""
        query = select(
            ApiKey.id, ApiKey.credits, ApiKey.rate_limit, ApiKey.rate_window, ApiKey.rate_count
        ).where(ApiKey.key_hash == hash_key(key), ApiKey.active)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        used = row.rate_count if row.rate_window in _windows(now) else 0
        return Key(row.id, row.credits, row.rate_limit, max(row.rate_limit - used, 0))

    def count_request(self, key_id: int, *, now: datetime) -> int | None:
        """Counts one request; answers how many are left in this minute, or null when none was."""
        windows = _windows(now)
        same = ApiKey.rate_window.in_(windows)
        statement = (
            update(ApiKey)
            .where(ApiKey.id == key_id, ~same | (ApiKey.rate_count < ApiKey.rate_limit))
            .values(
                rate_window=case((same, ApiKey.rate_window), else_=windows[0]),
                rate_count=case((same, ApiKey.rate_count + 1), else_=1),
            )
            .returning(ApiKey.rate_limit - ApiKey.rate_count)
        )
        with self._engine.begin() as connection:
            return connection.execute(statement).scalar_one_or_none()

    def charge(self, key_id: int, *, request_source: str, handle: str, now: datetime) -> bool:
        """Takes the price of one request and logs it, both or neither; false without the credits."""
        statement = (
            update(ApiKey)
            .where(ApiKey.id == key_id, ApiKey.active, ApiKey.credits >= CREDITS_PER_REQUEST)
            .values(credits=ApiKey.credits - CREDITS_PER_REQUEST)
            .returning(ApiKey.id)
        )
        with self._engine.begin() as connection:
            if connection.execute(statement).scalar_one_or_none() is None:
                return False
            connection.execute(_log(key_id, request_source, handle, 200, CREDITS_PER_REQUEST, now))
            return True

    def log_failure(
        self, key_id: int, *, request_source: str, handle: str, status: int, now: datetime
    ) -> None:
        """Logs a request that cost nothing."""
        with self._engine.begin() as connection:
            connection.execute(_log(key_id, request_source, handle, status, 0, now))

    def list_keys(self) -> Sequence[Any]:
        """Every key as a row with the columns of `ApiKey`."""
        with self._engine.connect() as connection:
            return connection.execute(select(ApiKey.__table__).order_by(ApiKey.id)).all()

    def top_up(self, key_id: int, credits: int, *, now: datetime) -> int | None:
        """Adds credits; answers the new balance, or null when there is no such key."""
        statement = (
            update(ApiKey)
            .where(ApiKey.id == key_id)
            .values(credits=ApiKey.credits + credits)
            .returning(ApiKey.credits)
        )
        with self._engine.begin() as connection:
            balance: int | None = connection.execute(statement).scalar_one_or_none()
            if balance is not None:
                connection.execute(_changed(key_id, "topped_up", now, credits))
        return balance

    def set_active(self, key_id: int, active: bool, *, now: datetime) -> bool:  # noqa: FBT001  # it is the value
        """Switches a key on or off; false when there is no such key."""
        statement = update(ApiKey).where(ApiKey.id == key_id).values(active=active)
        with self._engine.begin() as connection:
            found = connection.execute(statement.returning(ApiKey.id)).scalar_one_or_none()
            if found is not None:
                what = "activated" if active else "deactivated"
                connection.execute(_changed(key_id, what, now))
        return found is not None

    def changes(self, limit: int) -> Sequence[Any]:
        """The newest changes of keys, newest first, with the key's `name`."""
        query = (
            select(KeyChange.__table__, ApiKey.name)
            .join(ApiKey, ApiKey.id == KeyChange.key_id)
            .order_by(KeyChange.id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def forget_requests(self, before: datetime, *, limit: int) -> int:
        """Deletes lines of the request log that are older; how many that was, `limit` at most."""
        old = select(ApiRequest.id).where(ApiRequest.at < _seconds(before)).limit(limit)
        with self._engine.connect() as connection:
            if connection.execute(old.limit(1)).first() is None:
                return 0
        with self._engine.begin() as connection:
            return connection.execute(delete(ApiRequest).where(ApiRequest.id.in_(old))).rowcount

    def latest_requests(self, limit: int) -> list[LoggedRequest]:
        """The newest lines of the request log, newest first."""
        query = (
            select(
                ApiRequest.at,
                ApiKey.name,
                ApiRequest.request_source,
                ApiRequest.handle,
                ApiRequest.status,
                ApiRequest.credits,
            )
            .join(ApiKey, ApiKey.id == ApiRequest.key_id)
            .order_by(ApiRequest.id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [LoggedRequest(*row) for row in connection.execute(query)]


def _log(
    key_id: int,
    request_source: str,
    handle: str,
    status: int,
    credits: int,
    now: datetime,
) -> Any:
    return insert(ApiRequest).values(
        key_id=key_id,
        at=_seconds(now),
        request_source=request_source,
        handle=handle[:64],
        status=status,
        credits=credits,
    )


def _changed(key_id: int, what: str, now: datetime, credits: int | None = None) -> Any:
    values = {"key_id": key_id, "at": _seconds(now), "what": what, "credits": credits}
    return insert(KeyChange).values(values)


def _seconds(now: datetime) -> int:
    return int(now.timestamp())


def _windows(now: datetime) -> tuple[int, int]:
    """The minute, and the next: whoever comes as one ends may be later here than who came after."""
    window = _seconds(now) // WINDOW_SECONDS
    return window, window + 1


def seconds_to_next_window(now: datetime) -> int:
    """Whole seconds until a used-up limit opens again; at least 1."""
    return max(math.ceil(WINDOW_SECONDS - now.timestamp() % WINDOW_SECONDS), 1)
