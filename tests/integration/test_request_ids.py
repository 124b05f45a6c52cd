"""What follows from a request or a look is done under its id, by whichever thread, and under no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine

from connector.adapters.store.migrate import MIGRATIONS
from connector.adapters.store.tables import Delivery, Job
from connector.domain.trace import harmless, request_id, under
from tests.integration.test_delivering import A, listed, post_video, subscribe
from tests.watched import LEASE, Watching, profile
from wire.database import reading

NAMES = [f"name{n}" for n in range(8)]
CALLBACK = "https://hooks.example.com/done"


def test_each_look_has_an_id_that_its_events_are_delivered_under(watching: Watching) -> None:
    """Also where one thread writes what several have seen."""
    for name in NAMES:
        watching.profiles.answers[name] = profile(name)
        subscribe(watching, handles=[name])
    watching.look()
    for name in NAMES:
        watching.profiles.answers[name] = profile(name, videos=3)
    watching.clock.move(minutes=16)
    due = watching.stores.watches.claim_due(watching.clock.now(), lease=LEASE, limit=100)
    together = Barrier(len(NAMES))

    def look(watch: Any) -> None:
        with under(f"look-of-{watch.handle}"):
            together.wait(60)
            watching.watcher.look(watch)

    with ThreadPoolExecutor(len(NAMES)) as pool:
        list(pool.map(look, due))
    rows = {row["event_id"]: row["request_id"] for row in listed(watching)}
    assert rows == {f"id-{name}:{name}-v3": f"look-of-{name}" for name in NAMES}


def test_worker_looks_under_a_new_id_each_time(watching: Watching) -> None:
    """Nothing is left of it in the thread."""
    subscribe(watching)
    post_video(watching)
    first = {row["request_id"] for row in listed(watching)}
    watching.profiles.answers["ada"] = profile(videos=4)
    watching.clock.move(minutes=16)
    watching.look()
    both = {row["request_id"] for row in listed(watching)}
    assert (len(first), len(both), None in both, request_id()) == (1, 2, False, None)


def test_batch_is_looked_up_and_told_under_the_id_of_its_request(
    watching: Watching,
) -> None:
    """Of the request that started it, whoever ends it, and again when it is sent again."""
    watching.profiles.answers |= {name: profile(name) for name in NAMES}
    asked_under, caller = watching.profiles.under, watching.caller()
    with under("batch-of-many"):
        watching.subscribing.connect(caller)
        made = watching.jobs.look_up(
            [*NAMES, *(f"nobody{n}" for n in range(5))],
            caller,
            max_age_seconds=60,
            callback_url=CALLBACK,
        )
    with under("small-batch"):
        watching.jobs.look_up(["name0", "other"], caller, max_age_seconds=0)
    assert {asked_under.pop("name0"), asked_under.pop("other")} == {"small-batch"}
    with under("of-somebody-else"):
        watching.work()
        watching.deliver()
        watching.clock.move(seconds=2)
        (row,) = listed(watching)
        watching.hooks.replay(int(row["id"]), caller)
        watching.deliver()
    assert set(asked_under.values()) == {"batch-of-many"}
    assert [sent.under for sent in watching.receivers.sent] == ["batch-of-many"] * 2
    assert row["request_id"] == "batch-of-many"
    assert watching.jobs.find(made.value["id"], caller)["request_id"] == "batch-of-many"
    assert watching.receivers.sent[0].body["request_id"] == "batch-of-many"


def test_what_was_kept_before_has_no_id_and_goes_on(watching: Watching, engine: Engine) -> None:
    """The migration can be taken back, and what is on its way outlives it."""
    subscribe(watching, A)
    post_video(watching)
    MIGRATIONS.down(engine, "0008")
    MIGRATIONS.up(engine)
    with reading(engine) as session:
        assert [row.request_id for row in session.execute(Delivery.__table__.select())] == [None]
        assert session.execute(Job.__table__.select()).all() == []
    assert len(watching.deliver()) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("trace-1234", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("short", False),
        ("two words", False),
        ("sk_test_demo", False),
        ("a-wh_0123456789abcdef", False),
        ("sk-whsec_0123", False),
        ("line\nbreak", False),
        ("caf\u00e9-1234", False),
    ],
)
def test_id_of_a_caller_is_kept_where_it_can_be_no_secret(given: str, *, kept: bool) -> None:
    """It goes into logs, headers and answers as it is."""
    assert harmless(given) == (given if kept else None)
