"""Batches on real databases: rows, states and credits, whoever looks them up and whatever fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connector.domain.answers import Result
from connector.domain.errors import (
    ConnectorError,
    InsufficientCredits,
    InvalidApiKey,
    InvalidInput,
    NotFound,
    ProfileNotFound,
    RateLimited,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from schemas.fields import declared_fields
from schemas.jobs import MAX_BATCH, BatchRow, Job
from schemas.profile import ProfileRow
from tests.watched import LEASE, Watching, profile

NAMES = [f"name{n}" for n in range(40)]
CALLBACK = "https://hooks.example.com/done"


@pytest.fixture
def watching(watching: Watching) -> Watching:
    watching.profiles.answers |= {name: profile(name) for name in NAMES}
    return watching


def begin(watching: Watching, *handles: str, **given: Any) -> Result:
    wanted = {"max_age_seconds": 60, **given}
    return watching.jobs.look_up(handles, watching.caller(), **wanted)


def stands(watching: Watching, job: Result) -> dict[str, Any]:
    return watching.jobs.find(job.value["id"], watching.caller())


def statuses(job: dict[str, Any]) -> list[str]:
    return [row["lookup_status"] for row in job["profiles"]]


def asked(watching: Watching) -> list[str]:
    return [handle for handle, _ in watching.profiles.asked]


def test_small_batch_is_answered_at_once(watching: Watching) -> None:
    """One object with every row, each once, in the order in which handles first stand in the input."""
    watching.profiles.answers["hidden"] = profile("hidden", privateAccount=True)
    texts = ["@Name2, https://www.tiktok.com/@name0?x=1\nhidden", "name2", "nobody", "no name"]
    answered = begin(watching, *texts)
    job = answered.value
    assert not answered.goes_on
    assert list(job) == list(declared_fields(Job))
    assert [row["handle"] for row in job["profiles"]] == [
        *("name2", "name0", "hidden", "nobody", "no name")
    ]
    assert statuses(job) == ["found", "found", "private", "not_found", "failed"]
    assert [row["position"] for row in job["profiles"]] == [1, 2, 3, 4, 5]
    assert (job["state"], job["total"], job["done"], job["credits_used"]) == ("finished", 5, 5, 6)
    assert [job[f"{s}_count"] for s in ("found", "private", "not_found", "failed")] == [2, 1, 1, 1]
    assert sorted(asked(watching)) == ["hidden", "name0", "name2", "nobody"]
    assert stands(watching, answered) == job


def test_every_key_is_in_every_row(watching: Watching) -> None:
    """The permanent row, behind what the batch says; also where nothing is known of the profile."""
    found, missed, refused = begin(watching, "name0", "nobody", "no name").value["profiles"]
    for row in (found, missed, refused):
        assert list(row)[: len(declared_fields(BatchRow))] == list(declared_fields(BatchRow))
    assert [key for key in found if key in declared_fields(ProfileRow)] == [
        *declared_fields(ProfileRow)
    ]
    assert (found["error"], found["error_code"], found["advice"]) == (None, None, None)
    assert (missed["error_code"], missed["credits_used"], missed["id"]) == (
        "profile_not_found",
        0,
        None,
    )
    assert refused["error_code"] == "invalid_handle"
    assert refused["error"].startswith("The handle holds white space")


def test_larger_batch_is_a_job(watching: Watching) -> None:
    """Nothing is looked up while its caller waits; what it came to can be asked for meanwhile."""
    answered = begin(watching, *NAMES)
    job = answered.value
    assert answered.goes_on
    assert (job["state"], job["total"], job["done"], job["profiles"]) == ("running", 40, 0, [])
    assert (job["credits_at_most"], job["estimated_seconds_left"]) == (80, 10)
    assert asked(watching) == []
    claimed = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=1000)
    assert len(claimed) == 8
    for task in claimed:
        watching.batcher.look(task)
    watching.clock.move(seconds=4)
    half = stands(watching, answered)
    assert (half["done"], half["credits_used"], half["estimated_seconds_left"]) == (8, 16, 16)
    rows, cursor = watching.jobs.rows(job["id"], watching.caller(), cursor=5, limit=5, file=False)
    assert [row["handle"] for row in rows] == NAMES[5:10]
    assert [row["lookup_status"] for row in rows] == ["found"] * 3 + ["pending"] * 2
    assert cursor == 10
    watching.work()
    done = stands(watching, answered)
    assert (done["state"], done["credits_used"], done["credits_at_most"]) == ("finished", 80, 80)
    assert [row["handle"] for row in done["profiles"]] == NAMES


def test_dry_run_costs_nothing(watching: Watching) -> None:
    """And keeps nothing; the key is checked all the same."""
    answered = begin(watching, *NAMES, "no name", dry_run=True, callback_url=CALLBACK)
    job = answered.value
    assert (job["state"], job["id"], job["total"], job["credits_at_most"]) == (
        *("dry_run", None),
        *(41, 80),
    )
    assert not answered.goes_on
    assert asked(watching) == []
    assert watching.jobs.listed(watching.caller()) == []
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        begin(watching, *NAMES, dry_run=True)


@pytest.mark.parametrize("error", [InsufficientCredits(), InvalidApiKey()])
def test_key_that_gives_out_stops_the_job(watching: Watching, error: ConnectorError) -> None:
    """Nothing more is asked; every other row says that it was not tried, and why."""
    watching.profiles.answers["name12"] = error
    answered = begin(watching, *NAMES)
    watching.work()
    job = stands(watching, answered)
    assert (job["state"], job["reason"]) == ("stopped", error.message)
    assert statuses(job) == ["found"] * 12 + ["failed"] + ["not_tried"] * 27
    assert {row["error_code"] for row in job["profiles"][12:]} == {error.code}
    assert {row["advice"] for row in job["profiles"][12:]} == {error.advice}
    assert asked(watching) == NAMES[:13]
    assert (job["credits_used"], job["credits_at_most"], job["not_tried_count"]) == (24, 24, 27)


def test_small_batch_stops_too(watching: Watching) -> None:
    """At most those that were begun at the same moment are still asked for."""
    watching.profiles.answers |= dict.fromkeys(NAMES, InsufficientCredits())
    job = begin(watching, *NAMES[:10]).value
    assert job["state"] == "stopped"
    assert set(statuses(job)) == {"failed", "not_tried"}
    assert len(asked(watching)) == statuses(job).count("failed") <= 5


def test_bad_key_keeps_nothing(watching: Watching) -> None:
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        begin(watching, *NAMES)
    del watching.profiles.bad_keys["sk_a"]
    assert watching.jobs.listed(watching.caller()) == []


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (UpstreamUnavailable(), 4),
        (RateLimited(retry_after_seconds=45), 4),
        (UpstreamTimeout(), 1),
        (UpstreamInvalid(), 1),
        (ProfileNotFound(), 1),
        (RuntimeError("a fault of ours"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cost_nothing_is_tried_again(
    watching: Watching, error: ConnectorError, tries: int
) -> None:
    """A few times, with pauses; what may have been charged never."""
    watching.profiles.answers["name3"] = error
    answered = begin(watching, *NAMES[:11], max_age_seconds=0)
    for _ in range(12):
        watching.work()
        watching.clock.move(seconds=60)
    job = stands(watching, answered)
    assert job["state"] == "finished"
    assert asked(watching).count("name3") == tries
    missing = isinstance(error, ProfileNotFound)
    assert statuses(job)[3] == ("not_found" if missing else "failed")
    charged = isinstance(error, (UpstreamTimeout, UpstreamInvalid, RuntimeError))
    assert job["profiles"][3]["credits_used"] == (None if charged else 0)
    assert job["credits_used"] == 20


def test_small_batch_goes_on_as_a_job_where_it_must(watching: Watching) -> None:
    """What is to be tried again keeps nobody waiting."""
    watching.profiles.answers["name1"] = UpstreamUnavailable()
    answered = begin(watching, *NAMES[:3])
    assert answered.goes_on
    assert (answered.value["done"], answered.value["state"]) == (2, "running")
    watching.profiles.answers["name1"] = profile("name1")
    watching.clock.move(seconds=10)
    assert watching.work() == 1
    assert stands(watching, answered)["state"] == "finished"


def test_small_batch_begins_nothing_late(watching: Watching) -> None:
    """With half of the time gone the rest is for the worker, who has it at once."""
    call = watching.profiles.call

    def slow(*args: Any, **kwargs: Any) -> Any:
        watching.clock.move(seconds=13)
        return call(*args, **kwargs)

    watching.profiles.call = slow  # type: ignore[method-assign]
    answered = begin(watching, *NAMES[:10])
    assert answered.goes_on
    assert 1 <= answered.value["done"] <= 5
    assert [kind for kind, _ in watching.wakeups.sent] == ["row"] * (10 - answered.value["done"])
    assert watching.work() == 10 - answered.value["done"]
    assert stands(watching, answered)["credits_used"] == 20


def test_limit_holds_up_the_whole_job(watching: Watching) -> None:
    """And nobody else's: every row asked for meanwhile would be refused as well."""
    watching.profiles.answers["name0"] = RateLimited(retry_after_seconds=45)
    answered = begin(watching, *NAMES)
    first = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    watching.batcher.look(first[0])
    assert watching.work() == 0
    watching.jobs.look_up(NAMES[1:12], watching.caller("sk_b"), max_age_seconds=60)
    assert watching.work() == 11
    watching.profiles.answers["name0"] = profile("name0")
    watching.clock.move(seconds=46)
    watching.work()
    assert stands(watching, answered)["state"] == "finished"


def test_cancelled_job_keeps_what_was_paid(watching: Watching) -> None:
    """What is under way is finished and kept; twice is no error; an ended job stays as it is."""
    answered = begin(watching, *NAMES)
    under_way = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=2)
    watching.batcher.look(under_way[0])
    job = watching.jobs.cancel(answered.value["id"], watching.caller())
    assert (job["state"], job["done"], job["ended_at"]) == ("cancelled", 39, None)
    found = watching.lookups.fetch(
        "name1", watching.caller(), max_age_seconds=60, what="get_profile"
    )
    assert found.row["handle"] == "name1"
    watching.batcher.look(under_way[1])
    job = watching.jobs.cancel(answered.value["id"], watching.caller())
    assert job["ended_at"] is not None
    assert job["profiles"][0]["lookup_status"] == "found"
    assert {row["error"] for row in job["profiles"][2:]} == {"The job was cancelled."}
    assert watching.work() == 0
    ended = begin(watching, "name5")
    assert watching.jobs.cancel(ended.value["id"], watching.caller())["state"] == "finished"


def test_row_of_a_dead_worker_ends_with_a_cancelled_job(watching: Watching) -> None:
    """Or the job would never end: the row is not asked for again."""
    answered = begin(watching, *NAMES)
    assert watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    watching.jobs.cancel(answered.value["id"], watching.caller())
    assert stands(watching, answered)["ended_at"] is None
    watching.clock.move(seconds=61)
    watching.work()
    assert asked(watching) == []
    assert statuses(stands(watching, answered)) == ["not_tried"] * 40


def test_claim_that_was_lost_keeps_nothing(watching: Watching) -> None:
    """Two look-ups of a row, one of them late: the row and its price are kept once."""
    answered = begin(watching, *NAMES, max_age_seconds=0)
    (late,) = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    watching.clock.move(seconds=61)
    (ours,) = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    assert ours.id == late.id
    watching.batcher.look(late)
    assert stands(watching, answered)["done"] == 0
    watching.batcher.look(ours)
    watching.work()
    before = stands(watching, answered)
    watching.batcher.look(late)
    assert stands(watching, answered) == before
    assert before["credits_used"] == 80


def test_job_ends_also_where_its_last_rows_end_at_once(watching: Watching) -> None:
    """Or each of them would take the other for pending, and nobody would be called back."""
    now = watching.clock.now()
    for _ in range(8):
        begin(watching, *NAMES[:16], callback_url=CALLBACK)
        for _ in range(2):
            claimed = watching.stores.jobs.claim_due(now, lease=LEASE, limit=8)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(watching.batcher.look, claimed))
    assert [job["state"] for job in watching.jobs.listed(watching.caller())] == ["finished"] * 8
    assert len(watching.deliver()) == 8


def test_fresh_profiles_cost_nothing_again(watching: Watching) -> None:
    """Whatever looked them up: a batch before, or an action."""
    begin(watching, *NAMES[:10])
    again = begin(watching, *NAMES[:10]).value
    assert (again["credits_used"], again["found_count"]) == (0, 10)
    assert len(asked(watching)) == 10


def test_jobs_are_their_callers_only(watching: Watching) -> None:
    job = begin(watching, "name0").value
    other = watching.caller("sk_b")
    for ask in (
        lambda: watching.jobs.find(job["id"], other),
        lambda: watching.jobs.cancel(job["id"], other),
        lambda: watching.jobs.rows(job["id"], other, cursor=None, limit=None, file=False),
        lambda: watching.jobs.find(job["id"], watching.caller(platform="make")),
    ):
        with pytest.raises(NotFound, match="There is no such job"):
            ask()
    assert watching.jobs.listed(other) == []
    assert [row["id"] for row in watching.jobs.listed(watching.caller())] == [job["id"]]


def test_job_says_that_no_worker_is_alive(watching: Watching) -> None:
    answered = begin(watching, *NAMES)
    assert "No worker is alive" in answered.value["problem"]
    assert "No worker is alive" in str(watching.stores.workers.problem(watching.clock.now()))
    watching.stores.workers.beat("w", watching.clock.now())
    assert stands(watching, answered)["problem"] is None
    assert watching.stores.workers.problem(watching.clock.now()) is None
    watching.work()
    watching.stores.workers.leave("w")
    assert stands(watching, answered)["problem"] is None
    assert watching.stores.workers.problem(watching.clock.now()) is None


def test_too_many_handles_are_refused_also_in_one_text(watching: Watching) -> None:
    names = [f"n{n}" for n in range(MAX_BATCH)]
    assert begin(watching, "\n".join(names), dry_run=True).value["total"] == MAX_BATCH
    with pytest.raises(InvalidInput, match="More than 1000"):
        begin(watching, "\n".join([*names, "one_more"]), dry_run=True)


def test_callback_tells_the_whole_job_once(watching: Watching) -> None:
    """Durably, as events are: kept with the last row, tried until it arrives."""
    answered = begin(watching, *NAMES, callback_url=CALLBACK)
    assert answered.value["secret"].startswith("whsec_")
    assert watching.deliver() == []
    watching.work()
    assert watching.wakeups.sent[-1][0] == "delivery"
    (sent,) = watching.deliver()
    told = dict(sent.body)
    assert told.pop("event_sequence")
    assert told == stands(watching, answered)
    assert sent.target_url == CALLBACK
    assert stands(watching, answered)["secret"] is None
    assert watching.deliver() == []


def test_callback_comes_also_when_all_was_done_at_once(watching: Watching) -> None:
    """A Zap that gave an address waits for it, whatever it was answered."""
    answered = begin(watching, "no name", callback_url=CALLBACK)
    assert not answered.goes_on
    (sent,) = watching.deliver()
    assert sent.body["id"] == answered.value["id"]


def test_callback_of_a_stopped_and_of_a_cancelled_job(watching: Watching) -> None:
    watching.profiles.answers["name39"] = InsufficientCredits()
    begin(watching, *NAMES, callback_url=CALLBACK)
    watching.work()
    cancelled = begin(watching, *NAMES, callback_url=CALLBACK)
    watching.jobs.cancel(cancelled.value["id"], watching.caller())
    assert [sent.body["state"] for sent in watching.deliver()] == ["stopped", "cancelled"]


def test_callback_is_no_subscription(watching: Watching) -> None:
    """Nothing to list, to test or to renew; but what is sent can be sent again."""
    begin(watching, "name0", callback_url=CALLBACK)
    assert watching.hooks.listed(watching.caller()) == []
    (delivery,) = watching.hooks.on_their_way(None, watching.caller())
    for ask in (watching.hooks.rotate, watching.hooks.test, watching.hooks.one):
        with pytest.raises(NotFound):
            ask(delivery["subscription_id"], watching.caller())
    of_it = watching.hooks.on_their_way(None, watching.caller(), delivery["subscription_id"])
    assert of_it == [delivery]
    (sent,) = watching.deliver()
    assert watching.hooks.delivery(int(delivery["id"]), watching.caller())["body"] == sent.body
    watching.clock.move(seconds=2)
    watching.hooks.replay(int(delivery["id"]), watching.caller())
    assert len(watching.deliver()) == 1


@pytest.mark.parametrize("url", ["http://hooks.example.com/1", "https://10.0.0.1/", "ftp://x.org"])
def test_callback_goes_to_public_addresses_only(watching: Watching, url: str) -> None:
    """Refused before anything is looked up."""
    with pytest.raises(InvalidInput, match=r"^callback_url: "):
        begin(watching, *NAMES, callback_url=url)
    assert asked(watching) == []


def test_large_rows_are_left_to_the_pages(watching: Watching) -> None:
    """Platforms take a few megabytes; a page holds as many rows as fit, and one at least."""
    watching.profiles.answers |= {
        name: profile(name, signature="x" * 1_500_000) for name in NAMES[:11]
    }
    answered = begin(watching, *NAMES[:11], callback_url=CALLBACK)
    watching.work()
    job = stands(watching, answered)
    assert (job["state"], job["profiles"]) == ("finished", [])
    (sent,) = watching.deliver()
    assert sent.body["profiles"] == []
    seen, cursor = [], None
    while True:
        rows, cursor = watching.jobs.rows(
            job["id"], watching.caller(), cursor=cursor, limit=None, file=False
        )
        assert len(rows) in (1, 2)
        seen += [row["handle"] for row in rows]
        if cursor is None:
            break
    assert seen == NAMES[:11]


def test_many_jobs_take_turns(watching: Watching) -> None:
    """A few rows of each at a time, the oldest job no more than the newest."""
    for key in ("sk_a", "sk_b", "sk_c"):
        watching.jobs.look_up(NAMES, watching.caller(key), max_age_seconds=60)
    claimed = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=6)
    jobs = [task.job_id for task in claimed]
    assert [jobs.count(job) for job in set(jobs)] == [2, 2, 2]
    more = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=1000)
    assert len(more) == 3 * 8 - 6
    assert watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=1000) == []


def test_wake_up_claims_its_row_and_once(watching: Watching) -> None:
    begin(watching, *NAMES)
    numbers = [number for kind, number in watching.wakeups.sent if kind == "row"]
    assert len(numbers) == 8
    now = watching.clock.now()
    (claimed,) = (watching.stores.jobs.claim_one(n, now, lease=LEASE) for n in numbers[3:4])
    assert claimed is not None
    assert claimed.handle == "name3"
    assert watching.stores.jobs.claim_one(numbers[3], now, lease=LEASE) is None
    assert watching.stores.jobs.claim_one(10**9, now, lease=LEASE) is None


def test_jobs_are_forgotten_a_month_after_they_ended(watching: Watching) -> None:
    """With their rows, and with what was kept to call back."""
    ended = begin(watching, "name0", callback_url=CALLBACK)
    goes_on = begin(watching, *NAMES)
    watching.deliver()
    watching.clock.move(days=29)
    watching.forgetting.run()
    assert stands(watching, ended)["state"] == "finished"
    watching.clock.move(days=2)
    watching.forgetting.run()
    with pytest.raises(NotFound):
        stands(watching, ended)
    assert watching.hooks.on_their_way(None, watching.caller()) == []
    assert stands(watching, goes_on)["state"] == "running"
