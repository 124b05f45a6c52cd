"""Look-ups shared by those who ask the same with the same key, on each database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, func, select, text, update

from connector.adapters.clock import SystemClock
from connector.adapters.store import recent
from connector.adapters.store.lookups import KnownProfiles
from connector.adapters.store.tables import Lookup, UsageDay
from connector.domain.answers import Answer
from connector.domain.deadlines import Deadline
from connector.domain.errors import (
    ConnectorError,
    InvalidApiKey,
    ProfileNotFound,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from connector.domain.lookups import Found, Known
from connector.services.lookups import Lookups
from tests.running import until
from tests.watched import ToldProfiles, Watching, profile
from wire.database import reading, writing


@pytest.fixture
def watching(watching: Watching) -> Watching:
    watching.profiles.answers["ada"] = profile()
    return watching


def fetch(watching: Watching, *, max_age: int = 60, **caller: str) -> Found:
    asking = watching.caller(**caller)
    return watching.lookups.fetch("ada", asking, max_age_seconds=max_age, what="get_profile")


def asked(watching: Watching) -> int:
    return len(watching.profiles.asked)


class SlowProfiles(ToldProfiles):
    """An upstream that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(answers={"ada": profile()})
        self.begun = threading.Event()
        self.go = threading.Event()

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        self.begun.set()
        assert self.go.wait(30)
        return super().call(body, api_key=api_key, deadline=deadline)


def in_two_processes(watching: Watching, engine: Engine) -> tuple[SlowProfiles, list[Lookups]]:
    """Look-ups that know nothing of each other but the database, in front of a slow upstream."""
    profiles = SlowProfiles()
    stores = [KnownProfiles(engine), KnownProfiles(engine)]
    clock = SystemClock()
    return profiles, [
        Lookups(
            profiles=profiles,
            store=store,
            meter=watching.meter,
            clock=clock,
            noted=lambda _cached: None,
        )
        for store in stores
    ]


def test_second_look_up_costs_nothing_for_a_minute(watching: Watching) -> None:
    first, second = fetch(watching), fetch(watching)
    assert (first.row["cached"], first.row["credits_used"]) == (False, 2)
    assert (second.row["cached"], second.row["credits_used"]) == (True, 0)
    same = {"cached": False, "credits_used": 2}
    assert list(second.row) == list(first.row)
    assert {**second.row, **same} == first.row
    watching.clock.move(seconds=61)
    assert fetch(watching).cached is False
    assert asked(watching) == 2


def test_age_is_the_callers_choice(watching: Watching) -> None:
    fetch(watching)
    watching.clock.move(minutes=50)
    assert fetch(watching, max_age=3600).cached is True
    assert fetch(watching, max_age=0).cached is False
    # What was looked up because one wanted it new is new for all.
    assert fetch(watching, max_age=1).cached is True


def test_nothing_is_shared_between_keys_or_platforms(watching: Watching) -> None:
    fetch(watching)
    assert fetch(watching, api_key="sk_b").cached is False
    assert fetch(watching, platform="make").row["request_source"] == "MAKE_DOT_COM"
    assert asked(watching) == 3


def test_miss_is_remembered_for_a_minute(watching: Watching) -> None:
    watching.profiles.answers["ada"] = ProfileNotFound("Nobody is called ada.")
    for _ in range(3):
        with pytest.raises(ProfileNotFound, match="Nobody is called ada"):
            fetch(watching, max_age=3600)
    assert asked(watching) == 1
    watching.clock.move(seconds=61)
    watching.profiles.answers["ada"] = profile()
    assert fetch(watching).cached is False


def test_miss_is_asked_again_by_who_wants_it_new(watching: Watching) -> None:
    watching.profiles.answers["ada"] = ProfileNotFound()
    for _ in range(2):
        with pytest.raises(ProfileNotFound):
            fetch(watching, max_age=0)
    assert asked(watching) == 2


def test_other_failures_are_asked_again_and_what_was_known_stays(watching: Watching) -> None:
    fetch(watching)
    watching.clock.move(minutes=2)
    watching.profiles.answers["ada"] = UpstreamUnavailable()
    for _ in range(2):
        watching.clock.move(seconds=1)
        with pytest.raises(UpstreamUnavailable):
            fetch(watching)
    assert asked(watching) == 3
    watching.clock.move(seconds=1)
    assert fetch(watching, max_age=600).cached is True


def test_made_up_keys_leave_nothing_behind(watching: Watching, engine: Engine) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        fetch(watching, api_key="sk_bad")
    with reading(engine) as session:
        assert session.execute(select(func.count()).select_from(Lookup)).scalar_one() == 0


def test_row_of_an_older_version_is_not_handed_out(watching: Watching, engine: Engine) -> None:
    """It lacks what was added since, and every row has every key."""
    fetch(watching)
    with writing(engine) as session:
        session.execute(update(Lookup).values(row='{"id": "1"}'))
    newer = Watching(engine)
    newer.profiles.answers["ada"] = profile()
    assert fetch(newer).cached is False


def test_burst_of_one_question_reads_the_database_once(
    watching: Watching, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "TRUST_SECONDS", 3600)
    fetch(watching)
    another = Watching(engine)
    with statements(engine) as seen:
        rows = [fetch(another) for _ in range(20)]
    assert [row.cached for row in rows] == [True] * 20
    assert len([s for s in seen if s.startswith("SELECT") and "row" in s]) == 1


def test_what_another_process_did_is_seen_soon(
    watching: Watching, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "TRUST_SECONDS", 0)
    another = Watching(engine)
    another.profiles.answers["ada"] = profile(nickname="Countess")
    fetch(watching)
    watching.clock.move(seconds=5)
    another.clock.move(seconds=5)
    fetch(another, max_age=0)
    assert fetch(watching).row["user_nickname"] == "Countess"
    assert asked(watching) == 1


def test_no_row_is_handed_out_with_a_key_that_turned_out_bad(watching: Watching) -> None:
    fetch(watching)
    watching.profiles.answers["ada"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        fetch(watching, max_age=0)
    with pytest.raises(InvalidApiKey):
        fetch(watching)


def test_what_was_read_before_a_key_turned_out_bad_is_not_remembered() -> None:
    """Another thread may have it in its hand."""
    seen = recent.Recent()
    began = seen.moment()
    seen.drop(("zapier:x", "ada"))
    seen.put(("zapier:x", "ada"), Known(row={"id": "1"}), size=1, began=began)
    assert not seen.saw(("zapier:x", "ada"))
    seen.put(("zapier:x", "ada"), Known(row={"id": "1"}), size=1, began=seen.moment())
    assert seen.saw(("zapier:x", "ada"))


def test_what_was_paid_for_is_answered_though_it_can_not_be_kept(
    watching: Watching, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with writing(engine) as session:
        session.execute(text("DROP TABLE usage_days"))
    assert fetch(watching).row["handle"] == "ada"
    assert "what a look-up brought could not be kept" in caplog.messages


@pytest.mark.parametrize("lost", ["lookups", "usage_days"], ids=["why", "its price"])
def test_failure_that_can_not_be_kept_is_still_told(
    watching: Watching, engine: Engine, lost: str
) -> None:
    """It says that it may have been charged; a fault of the connector would not."""
    watching.profiles.answers["ada"] = UpstreamTimeout()
    with writing(engine) as session:
        session.execute(text(f"DROP TABLE {lost}"))
    with pytest.raises(UpstreamTimeout):
        fetch(watching, max_age=0)


def test_row_and_its_price_are_there_before_the_answer(watching: Watching, engine: Engine) -> None:
    """Whatever becomes of the process then, and whoever asks another one."""
    fetch(watching, max_age=0)
    another = Watching(engine)
    assert fetch(another).cached is True
    with reading(engine) as session:
        assert session.execute(select(UsageDay.credits)).scalars().all() == [2]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What is asked of the database."""
    seen: list[str] = []

    def see(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", see)
    yield seen
    event.remove(engine, "before_cursor_execute", see)


def test_claims_of_a_crowd_are_told_apart(watching: Watching, engine: Engine) -> None:
    """Those of many threads are written together; each profile is claimed once."""
    known = watching.lookups.store
    now = watching.clock.now()
    moments = {"lease": timedelta(seconds=9), "max_age": timedelta(seconds=60)}

    def claim(number: int) -> tuple[int, str | None]:
        handle = number % 20
        return handle, known.claim_stale("zapier:1", f"h{handle}", now, **moments)

    begun, goes_on = threading.Event(), threading.Event()

    def hold(_session: Connection) -> None:
        begun.set()
        goes_on.wait(120)

    with ThreadPoolExecutor(61) as pool:
        pool.submit(known._claims.write, hold, locks=())
        begun.wait()
        coming = [pool.submit(claim, number) for number in range(60)]
        until(lambda: len(known._claims._waiting) == 60)
        goes_on.set()
    claimed = [future.result() for future in coming]
    assert sorted(handle for handle, token in claimed if token) == list(range(20))
    with reading(engine) as session:
        kept = {r.handle: r.claim_token for r in session.execute(select(Lookup.__table__))}
    assert all(kept[f"h{handle}"] == token for handle, token in claimed if token)


def test_threads_share_one_call(watching: Watching, engine: Engine) -> None:
    profiles, (lookups, _) = in_two_processes(watching, engine)
    callers = [replace(watching.caller(), deadline=Deadline(30, SystemClock().monotonic))] * 20
    with ThreadPoolExecutor(20) as pool:
        waiting = [
            pool.submit(lookups.fetch, "ada", c, max_age_seconds=60, what="get_profile")
            for c in callers
        ]
        assert profiles.begun.wait(30)
        profiles.go.set()
        found = [each.result() for each in waiting]
    assert len(profiles.asked) == 1
    assert sum(each.row["credits_used"] for each in found) == 2


def told(call: Callable[..., Any], called: threading.Event) -> Callable[..., Any]:
    """`call`, which sets `called` first."""

    def telling(*given: Any) -> Any:
        called.set()
        return call(*given)

    return telling


@pytest.mark.parametrize("error", [None, UpstreamUnavailable("Down.")], ids=["row", "failure"])
def test_processes_share_one_call(
    watching: Watching, engine: Engine, error: ConnectorError | None
) -> None:
    """Whatever it brings: a failure is not asked for again by everybody who waited."""
    profiles, processes = in_two_processes(watching, engine)
    if error:
        profiles.answers["ada"] = error
    caller = replace(watching.caller(), deadline=Deadline(30, SystemClock().monotonic))
    follows = threading.Event()
    for process in processes:
        # Asked by whoever may not look itself.
        process.store.known = told(process.store.known, follows)
    with ThreadPoolExecutor(2) as pool:
        waiting = [
            pool.submit(p.fetch, "ada", caller, max_age_seconds=60, what="get_profile")
            for p in processes
        ]
        assert profiles.begun.wait(30)
        assert follows.wait(30)
        profiles.go.set()
        failures = [each.exception() for each in waiting]
    assert len(profiles.asked) == 1
    assert [str(failure) for failure in failures] == [str(error)] * 2


def test_look_up_whose_process_died_is_done_by_another(watching: Watching, engine: Engine) -> None:
    """When its claim ends; who can't wait for that is told that it may have been charged."""
    store = KnownProfiles(engine)
    caller = watching.caller()
    lease, now = timedelta(seconds=40), watching.clock.now()
    assert store.claim(caller.connection, "ada", now, lease=lease, known=Known())
    with pytest.raises(UpstreamTimeout, match="still under way"):
        fetch(watching)
    assert fetch(watching).cached is False


def test_old_rows_are_forgotten_and_only_those(watching: Watching, engine: Engine) -> None:
    fetch(watching)
    watching.clock.move(hours=1)
    fetch(watching, api_key="sk_b")
    store = KnownProfiles(engine)
    between = watching.clock.now() - timedelta(minutes=30)
    assert store.forget(between, limit=100) == 1
    assert store.forget(between, limit=100) == 0
    assert fetch(watching, api_key="sk_b").cached is True


def test_look_shares_with_an_action(watching: Watching) -> None:
    """A Zap that looks at what it was told of pays nothing again, and neither does the next look."""
    watching.poll("new_video", "ada")
    assert fetch(watching).cached is True
    watching.clock.move(minutes=16)
    assert fetch(watching).cached is False
    watching.poll("new_video", "ada")
    assert asked(watching) == 2
    day = watching.clock.now().strftime("%Y-%m-%d")
    assert watching.stores.watches.spent(watching.caller().connection, day) == 2
