"""What is spent, saved and set aside, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from connector.adapters.store.tables import UsageDay
from connector.adapters.store.usage import UsageCounts
from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.errors import (
    BudgetExceeded,
    ConnectorError,
    InvalidApiKey,
    ProfileNotFound,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from connector.domain.usage import Asked
from connector.services.lookup import find_profile, get_profile
from connector.services.usage import UsageReport
from schemas.fields import declared_fields
from schemas.usage import Usage
from tests.watched import Watching, profile
from wire.database import open_engine, reading


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def watching(engine: Engine) -> Watching:
    return with_profile(Watching(engine))


def with_profile(watching: Watching) -> Watching:
    watching.profiles.answers["ada"] = profile()
    return watching


def look_up(watching: Watching, *, max_age: int = 60, **caller: str) -> None:
    inputs = {"handle": "ada", "max_age_seconds": max_age}
    get_profile(inputs, watching.caller(**caller), lookups=watching.lookups)


def usage(watching: Watching, **caller: str) -> dict[str, Any]:
    report = UsageReport(
        meter=watching.meter,
        profiles=watching.profiles,
        watching_budget=1000,
    )
    value: dict[str, Any] = report.of(watching.caller(**caller)).value
    return value


def test_usage_tells_what_asked_and_what_was_saved(watching: Watching) -> None:
    """By the day and the month in UTC, the most expensive first."""
    look_up(watching)
    look_up(watching)
    watching.clock.move(days=1)
    find_profile(
        {"handle": "ada", "max_age_seconds": 0}, watching.caller(), lookups=watching.lookups
    )
    watching.clock.move(minutes=2)
    watching.poll("new_video", "ada")
    watching.clock.move(minutes=2)
    look_up(watching)
    told = usage(watching)
    assert list(told) == list(declared_fields(Usage))
    assert (told["credits_today"], told["credits_this_month"]) == (6, 8)
    assert (told["saved_today"], told["saved_this_month"]) == (0, 2)
    counted = [
        (i["what"], i["credits_today"], i["credits_this_month"], i["saved_this_month"])
        for i in told["items"]
    ]
    assert counted == [
        ("get_profile", 2, 4, 2),
        ("find_profile", 2, 2, 0),
        ("watching", 2, 2, 0),
    ]
    watching.clock.move(days=10)
    assert usage(watching)["credits_this_month"] == 0


def test_usage_is_told_to_its_own_key(watching: Watching) -> None:
    look_up(watching)
    assert usage(watching, api_key="sk_b")["credits_today"] == 0
    assert usage(watching, platform="make")["items"] == []
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        usage(watching, api_key="sk_bad")


@pytest.mark.parametrize(
    ("error", "unsure"),
    [(ProfileNotFound(), 0), (UpstreamUnavailable(), 0), (UpstreamTimeout(), 2)],
    ids=["not found", "unavailable", "no answer"],
)
def test_failures_count_where_they_may_have_cost(
    watching: Watching, error: ConnectorError, unsure: int
) -> None:
    watching.profiles.answers["ada"] = error
    with pytest.raises(type(error)):
        look_up(watching)
    told = usage(watching)
    assert (told["credits_today"], told["unsure_this_month"]) == (0, unsure)


def test_budget_ends_look_ups_before_it_is_overspent(engine: Engine) -> None:
    """Five credits are two look-ups, whatever asks; what is known already goes on."""
    watching = with_profile(Watching(engine, key_budget=5))
    look_up(watching, max_age=0)
    watching.clock.move(minutes=2)
    watching.poll("new_video", "ada")
    with pytest.raises(BudgetExceeded, match="has spent its 5 credits for today"):
        look_up(watching, max_age=0)
    look_up(watching)
    assert len(watching.profiles.asked) == 2
    look_up(watching, api_key="sk_b")
    watching.clock.move(days=1)
    look_up(watching)


def test_failure_without_cost_leaves_the_budget_as_it_was(engine: Engine) -> None:
    watching = with_profile(Watching(engine, key_budget=2))
    watching.profiles.answers["ada"] = UpstreamUnavailable()
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            look_up(watching, max_age=0)
    watching.profiles.answers["ada"] = UpstreamTimeout()
    with pytest.raises(UpstreamTimeout):
        look_up(watching, max_age=0)
    with pytest.raises(BudgetExceeded):
        look_up(watching, max_age=0)


def test_made_up_keys_leave_nothing_behind(engine: Engine) -> None:
    watching = with_profile(Watching(engine, key_budget=10))
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        look_up(watching, api_key="sk_bad")
    with reading(engine) as session:
        assert session.execute(select(func.count()).select_from(UsageDay)).scalar_one() == 0


def test_budget_holds_for_many_at_once(engine: Engine, watching: Watching) -> None:
    """Twenty processes would do the same: each sets aside in one statement."""
    store = UsageCounts(engine)
    asked = Asked("zapier:x", "2026-11-24", "get_profile")

    def set_aside(_: int) -> bool:
        return store.set_aside(asked, CREDITS_PER_LOOKUP, budget=11)

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(set_aside, range(20))) == 5


def test_counts_of_long_ago_are_forgotten(watching: Watching) -> None:
    look_up(watching)
    watching.clock.move(days=366)
    watching.forgetting.run()
    watching.clock.move(days=-366)
    assert usage(watching)["credits_this_month"] == 0
