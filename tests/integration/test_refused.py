"""API keys that the upstream refuses, or that can't be opened: looks go on once they are good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine, ExceptionContext, event

from connector.adapters.store.standing import Standing
from connector.domain.errors import InvalidApiKey, Unreadable, UpstreamUnavailable
from connector.domain.subscriptions import ClaimedWatch
from connector.services.account import describe_account
from tests.postgres import Reused
from tests.watched import LEASE, OpenVault, Watching, database, profile

REFUSED = "The key was refused."
HANDLES = ("ada", "bo", "cy")


class Vault(OpenVault):
    """One that can be given the wrong encryption key."""

    has_key = True

    def open(self, sealed: str) -> str:
        if not self.has_key:
            raise Unreadable
        return super().open(sealed)


@pytest.fixture
def watching(watching: Watching) -> Watching:
    watching.vault = Vault()
    watching.profiles.answers.update({name: profile(name) for name in HANDLES})
    return watching


def subscribe(watching: Watching, *handles: str) -> None:
    """Profiles that were looked at once, and are due again."""
    target, inputs = "https://hooks.example.com/1", {"handles": list(handles)}
    watching.hooks.subscribe("new_video", target, inputs, watching.caller())
    watching.clock.move(minutes=1)
    assert watching.look() == len(handles)
    watching.clock.move(minutes=16)


def refuse_one(watching: Watching) -> None:
    """One look of several that are due is refused."""
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey(REFUSED)
    watching.watcher.look(claim_one(watching))


def claim_one(watching: Watching) -> ClaimedWatch:
    (watch,) = watching.stores.watches.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    return watch


def problems(watching: Watching) -> list[str]:
    """Those of every hook."""
    return [told for hook in watching.hooks.listed(watching.caller()) for told in hook["problems"]]


def refused(watching: Watching, engine: Engine) -> float:
    found = {
        metric.name: value for metric, _, value in Standing(engine, now=watching.clock.now).read()
    }
    return found["connector_connections_refused"]


def test_key_that_is_refused_is_tried_ever_less_often(watching: Watching, engine: Engine) -> None:
    """It costs nothing, and one that was refused by mistake loses an hour, not its events."""
    subscribe(watching, *HANDLES)
    refuse_one(watching)
    assert (problems(watching), refused(watching, engine)) == ([REFUSED], 1)
    asked = len(watching.profiles.asked)
    for hours in (1, 2, 4, 8, 16, 24, 24):
        watching.clock.move(hours=hours, seconds=-1)
        assert watching.look() == 0
        watching.clock.move(seconds=1)
        refuse_one(watching)
        asked += 1
        assert len(watching.profiles.asked) == asked
    watching.profiles.bad_keys.clear()
    watching.profiles.answers["ada"] = profile(videos=3)
    watching.clock.move(hours=24)
    assert watching.look() == 3
    assert (problems(watching), refused(watching, engine)) == ([], 0)
    assert len(watching.deliver()) == 1


def test_looks_of_several_processes_make_a_key_good_without_a_deadlock(
    migrated_database: Reused,
) -> None:
    """On PostgreSQL each held its own profile, and waited for all of them: paid looks were lost."""
    deadlocks: list[str] = []

    def note(context: ExceptionContext) -> None:
        deadlocks.append(str(context.original_exception))

    names = [f"h{n}" for n in range(12)]
    with migrated_database.database() as url, ExitStack() as until:
        processes = [Watching(until.enter_context(database(url))) for _ in range(4)]
        for each in processes:
            each.profiles.answers.update({name: profile(name) for name in names})
            event.listen(each.engine, "handle_error", note)
        subscribe(processes[0], *names)
        refuse_one(processes[0])
        processes[0].profiles.bad_keys.clear()
        later = processes[0].clock.now() + timedelta(hours=1)
        for each in processes:
            each.clock.time = later
        claimed = [
            (each, watch)
            for each in processes
            for watch in each.stores.watches.claim_due(each.clock.now(), lease=LEASE, limit=3)
        ]
        together = Barrier(len(names))

        def look(each: Watching, watch: ClaimedWatch) -> None:
            together.wait(60)
            each.watcher.look(watch)

        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(look, *zip(*claimed, strict=True)))
        assert deadlocks == []
        assert problems(processes[0]) == []
        processes[0].clock.move(minutes=2)
        assert processes[0].look() == 0


def test_refusal_that_comes_late_puts_nothing_off(watching: Watching) -> None:
    """Its claim has ended, and another has looked since, with a key that is good."""
    subscribe(watching, *HANDLES)
    late = claim_one(watching)
    watching.clock.move(minutes=2)
    assert watching.look() == len(HANDLES)
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey(REFUSED)
    watching.clock.move(minutes=2)
    watching.watcher.look(late)
    assert problems(watching) == []


def test_one_refusal_counts_from_the_beginning(watching: Watching) -> None:
    """Whatever else went wrong before."""
    subscribe(watching, "ada")
    watching.profiles.answers["ada"] = UpstreamUnavailable()
    for _ in range(12):
        assert watching.look() == 1
        watching.clock.move(minutes=16)
    refuse_one(watching)
    watching.clock.move(hours=1)
    assert watching.look() == 1


@pytest.mark.parametrize("proof", ["look", "poll", "subscribe", "connection test", "console"])
def test_looks_go_on_as_soon_as_the_key_is_good(
    watching: Watching, engine: Engine, proof: str
) -> None:
    subscribe(watching, *HANDLES)
    under_way = claim_one(watching)
    refuse_one(watching)
    watching.profiles.bad_keys.clear()
    asked, caller = len(watching.profiles.asked), watching.caller()
    if proof == "look":
        watching.watcher.look(under_way)
    elif proof == "poll":
        watching.poll("profile_changed", "ada")
    elif proof == "subscribe":
        target = "https://hooks.example.com/2"
        watching.hooks.subscribe("new_video", target, {"handles": ["dan"]}, caller)
    elif proof == "connection test":
        describe_account(caller, subscribing=watching.subscribing)
    else:
        watching.watched.watch("ada", caller, poll_interval_seconds=None)
    watching.look()
    others = {*HANDLES} - {under_way.handle}
    assert others <= {handle for handle, _ in watching.profiles.asked[asked:]}
    assert (problems(watching), refused(watching, engine)) == ([], 0)


def test_profile_that_waited_is_paid_for_no_sooner(watching: Watching) -> None:
    """A refusal between two looks doesn't make the next one early."""
    subscribe(watching, "ada")
    target = "https://hooks.example.com/2"
    watching.hooks.subscribe("new_video", target, {"handles": ["bo"]}, watching.caller())
    watching.watcher.look(claim_one(watching))
    refuse_one(watching)
    watching.profiles.bad_keys.clear()
    watching.subscribing.check_key(watching.caller())
    assert watching.look() == 1
    assert watching.profiles.asked[-1][0] == "bo"


def test_each_poll_with_a_refused_key_says_so(watching: Watching) -> None:
    watching.poll("new_video", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey(REFUSED)
    for _ in range(3):
        with pytest.raises(InvalidApiKey, match=REFUSED):
            watching.poll("new_video", "ada")
        watching.clock.move(minutes=2)
    assert len(watching.profiles.asked) == 2
    watching.profiles.bad_keys.clear()
    watching.profiles.answers["ada"] = profile(videos=3)
    assert len(watching.poll("new_video", "ada")) == 1


def test_key_that_we_cannot_open_is_nobodys_bad_key(
    watching: Watching, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator is told; a few minutes with wrong encryption keys stop nothing for long."""
    subscribe(watching, "ada")
    vault = watching.vault
    assert isinstance(vault, Vault)
    vault.has_key = False
    assert watching.look() == 1
    assert "CONNECTOR_ENCRYPTION_KEYS" in caplog.text
    assert "can't be read" in problems(watching)[0]
    assert refused(watching, engine) == 0
    vault.has_key = True
    watching.clock.move(minutes=2)
    assert watching.look() == 1
    assert problems(watching) == []
