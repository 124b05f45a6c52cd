"""What is spent, saved and set aside, on each database."""

from __future__ import annotations

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
    InvalidInput,
    ProfileNotFound,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from connector.domain.usage import Asked
from connector.services.lookup import find_profile, get_profile
from schemas.fields import declared_fields
from schemas.usage import Usage
from tests.watched import Watching, profile
from wire.database import reading


@pytest.fixture
def watching(watching: Watching) -> Watching:
    return with_profile(watching)


def with_profile(watching: Watching) -> Watching:
    watching.profiles.answers["ada"] = profile()
    return watching


def look_up(watching: Watching, *, max_age: int = 60, **caller: str) -> None:
    inputs = {"handle": "ada", "max_age_seconds": max_age}
    get_profile(inputs, watching.caller(**caller), lookups=watching.lookups)


def usage(watching: Watching, **caller: str) -> dict[str, Any]:
    value: dict[str, Any] = watching.usage.of(watching.caller(**caller)).value
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
    watching = with_profile(Watching(engine, daily_credits=5))
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
    watching = with_profile(Watching(engine, daily_credits=2))
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
    watching = with_profile(Watching(engine, daily_credits=10))
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


def test_days_are_told_over_all_platforms_of_a_key(watching: Watching) -> None:
    """In UTC, oldest first, also those without any; another key's are not among them."""
    look_up(watching, platform="make")
    look_up(watching, platform="make")
    watching.clock.move(days=2)
    for platform in ("zapier", "make"):
        look_up(watching, platform=platform)
    watching.poll("profile_changed", "ada", api_key="sk_b")
    watching.profiles.answers["ada"] = UpstreamTimeout()
    with pytest.raises(UpstreamTimeout):
        look_up(watching, platform="api")
    told = watching.usage.by_day(watching.caller(platform="api"), days=4)
    nothing = {"credits": 0, "saved": 0, "unsure": 0}
    assert told == {
        "days": [
            {"day": "2026-11-23", **nothing, "by": {}},
            {"day": "2026-11-24", "credits": 2, "saved": 2, "unsure": 0, "by": {"get_profile": 2}},
            {"day": "2026-11-25", **nothing, "by": {}},
            {"day": "2026-11-26", "credits": 4, "saved": 0, "unsure": 2, "by": {"get_profile": 4}},
        ],
        "by_platform": {
            "zapier": {**nothing, "credits": 2},
            "make": {**nothing, "credits": 4, "saved": 2},
            "api": {**nothing, "unsure": 2},
        },
        "daily_budget": None,
    }
    assert watching.usage.by_day(watching.caller(), days=4) == told


def test_days_reach_over_months_and_begin_when_they_are_asked(watching: Watching) -> None:
    look_up(watching)
    watching.clock.move(days=29)
    days = watching.usage.by_day(watching.caller())["days"]
    assert [day["day"] for day in days[::29]] == ["2026-11-24", "2026-12-23"]
    assert (len(days), days[0]["credits"]) == (30, 2)
    watching.clock.move(days=1)
    told = watching.usage.by_day(watching.caller())
    assert sum(day["credits"] for day in told["days"]) == 0
    assert told["by_platform"]["zapier"]["credits"] == 0


def test_days_leave_out_what_is_only_set_aside(engine: Engine) -> None:
    """It is counted beside what was spent, so that a budget holds."""
    watching = with_profile(Watching(engine, daily_credits=10))
    look_up(watching)
    (today,) = watching.usage.by_day(watching.caller(), days=1)["days"]
    assert (today["credits"], today["by"]) == (2, {"get_profile": 2})


@pytest.mark.parametrize("days", [0, -1, 367, 10**30])
def test_days_that_make_no_sense_are_refused(watching: Watching, days: int) -> None:
    with pytest.raises(InvalidInput, match="days: Must be from 1 to 366"):
        watching.usage.by_day(watching.caller(), days=days)


def test_days_are_refused_to_a_bad_key(watching: Watching) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        watching.usage.by_day(watching.caller("sk_bad"))
