"""Requests with an Idempotency-Key: kept, replayed, refused, forgotten, on each database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from connector.adapters.crypto import FernetVault, new_encryption_key
from connector.adapters.store.idempotency import IdempotentRequests, takes_effect
from connector.adapters.store.tables import IdempotentRequest
from connector.domain.errors import ConnectorError, IdempotencyKeyBusy, IdempotencyKeyReused
from connector.domain.idempotency import REMEMBERED, Attempt, Claim, Effect, Replayed
from connector.services.idempotency import LEASE, Idempotency
from tests.watched import ToldClock
from wire.database import reading, writing


def attempt(whose: str, key: str, request: bytes) -> Attempt:
    return Attempt.of(whose, key, request, connection_id="zapier:0a1b")


ATTEMPT = attempt("zapier:sk_a", "row-1", b"/x {}")


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


@pytest.fixture
def requests(engine: Engine, clock: ToldClock) -> Idempotency:
    vault = FernetVault([new_encryption_key()])
    return Idempotency(store=IdempotentRequests(engine), vault=vault, clock=clock)


def claimed(requests: Idempotency, attempt: Attempt = ATTEMPT) -> Claim:
    claim = requests.begin(attempt)
    assert isinstance(claim, Claim)
    return claim


def test_what_is_done_is_answered_again_for_a_day(requests: Idempotency, clock: ToldClock) -> None:
    requests.remember(claimed(requests), 200, '{"id": 1}')
    clock.move(seconds=REMEMBERED.total_seconds() - 1)
    assert requests.begin(ATTEMPT) == Replayed(200, '{"id": 1}')
    clock.move(seconds=1)
    claimed(requests)


def test_answer_that_no_key_opens_is_neither_told_nor_done_again(requests: Idempotency) -> None:
    """As after a restore with another encryption key: it may have been paid for."""
    requests.remember(claimed(requests), 201, "{}")
    other = replace(requests, vault=FernetVault([new_encryption_key()]))
    with pytest.raises(IdempotencyKeyReused, match="can't be read any more"):
        other.begin(ATTEMPT)


def test_key_is_for_one_request_of_one_connection(requests: Idempotency) -> None:
    claim = claimed(requests)
    other = attempt("zapier:sk_a", "row-1", b"/x {1}")
    with pytest.raises(IdempotencyKeyReused):
        requests.begin(other)
    requests.remember(claim, 200, "{}")
    with pytest.raises(IdempotencyKeyReused):
        requests.begin(other)
    claimed(requests, attempt("zapier:sk_b", "row-1", b"/x {}"))
    claimed(requests, attempt("zapier:sk_a", "row-2", b"/x {}"))


def test_request_that_is_being_done_is_waited_for(requests: Idempotency) -> None:
    claimed(requests)
    with pytest.raises(IdempotencyKeyBusy) as busy:
        requests.begin(ATTEMPT)
    assert busy.value.retry_after_seconds == 1


def test_what_failed_without_cost_may_be_tried_again(requests: Idempotency) -> None:
    requests.forget(claimed(requests))
    claimed(requests)


def test_request_whose_process_died_is_done_by_the_next(
    requests: Idempotency, clock: ToldClock
) -> None:
    """And who comes back late neither overwrites its answer nor drops it."""
    late = claimed(requests)
    clock.move(seconds=LEASE.total_seconds())
    requests.remember(claimed(requests), 200, "{}")
    requests.remember(late, 200, '{"late": true}')
    requests.forget(late)
    assert requests.begin(ATTEMPT) == Replayed(200, "{}")


def test_what_took_effect_is_not_done_again_where_its_process_died(
    requests: Idempotency, engine: Engine, clock: ToldClock
) -> None:
    """Nobody knows what it would have answered, and another may still be about to."""
    claim = claimed(requests)
    with writing(engine) as session:
        takes_effect(session, Effect(claim))
    clock.move(seconds=LEASE.total_seconds() - 1)
    with pytest.raises(IdempotencyKeyBusy):
        requests.begin(ATTEMPT)
    clock.move(seconds=1)
    with pytest.raises(IdempotencyKeyReused, match="its answer was lost"):
        requests.begin(ATTEMPT)
    clock.move(seconds=REMEMBERED.total_seconds())
    claimed(requests)


def test_what_was_dropped_takes_no_effect(
    requests: Idempotency, engine: Engine, clock: ToldClock
) -> None:
    of = Effect(claimed(requests))
    with suppress(ZeroDivisionError), writing(engine) as session:
        takes_effect(session, of)
        raise ZeroDivisionError
    assert not of.begun
    clock.move(seconds=LEASE.total_seconds())
    claimed(requests)


def test_one_of_many_at_once_does_it(requests: Idempotency) -> None:
    def begin(_: int) -> Claim | Replayed | ConnectorError:
        try:
            return requests.begin(ATTEMPT)
        except IdempotencyKeyBusy as busy:
            return busy

    with ThreadPoolExecutor(20) as pool:
        begun = list(pool.map(begin, range(20)))
    assert sum(isinstance(each, Claim) for each in begun) == 1
    assert sum(isinstance(each, IdempotencyKeyBusy) for each in begun) == 19


def test_answers_are_kept_sealed_and_not_for_long(
    requests: Idempotency, engine: Engine, clock: ToldClock
) -> None:
    """One may hold a signing secret."""
    requests.remember(claimed(requests), 201, '{"secret": "whsec_planted"}')
    with reading(engine) as session:
        (row,) = session.execute(select(IdempotentRequest.__table__)).all()
    assert "planted" not in repr(tuple(row))
    assert "sk_a" not in repr(tuple(row))
    store = IdempotentRequests(engine)
    assert store.forget(clock.now(), limit=10) == 0
    assert store.forget(clock.now() + timedelta(seconds=1), limit=10) == 1
