"""Wake-ups on real databases: who sends them and when, and what one that comes may claim."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
import trustme

from connector.adapters.clock import SystemClock
from connector.adapters.queue import _SETTINGS, TASK, Queue
from connector.adapters.store.deliveries import MAX_AT_ONCE
from connector.domain.deliveries import ClaimedDelivery, Outcome
from connector.domain.ports import Due
from tests.children import binary, child, private_folder
from tests.integration.test_delivering import A, post_video, subscribe
from tests.redis import Redis
from tests.running import ROOT, clean_environment, free_port, until
from tests.watched import LEASE, Watching, database, profile


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is no broker that is gone."""
    options = _SETTINGS["broker_transport_options"]
    for name in ("socket_connect_timeout", "socket_timeout"):
        monkeypatch.setitem(options, name, 60)


def claim_one(watching: Watching, sequence: int) -> ClaimedDelivery | None:
    return watching.stores.deliveries.claim_one(sequence, watching.clock.now(), lease=LEASE)


def sequences(watching: Watching) -> list[int]:
    """What is on its way, the oldest first."""
    rows = watching.hooks.on_their_way("pending", watching.caller())
    return sorted(int(row["id"]) for row in rows)


def test_whoever_commits_what_is_due_says_so(watching: Watching) -> None:
    """A subscription its first look, a look its deliveries, a replay its own."""
    subscribe(watching)
    assert [kind for kind, _ in watching.wakeups.sent] == ["watch"]
    watching.wakeups.sent.clear()
    post_video(watching, videos=4)
    assert watching.wakeups.sent == [("delivery", number) for number in sequences(watching)]
    watching.wakeups.sent.clear()
    watching.deliver()
    newest = watching.hooks.on_their_way(None, watching.caller())[0]["id"]
    watching.hooks.replay(int(newest), watching.caller())
    assert watching.wakeups.sent == [("delivery", int(newest))]


def test_wake_up_goes_out_after_the_commit(watching: Watching, database_url: str) -> None:
    """A worker may be there at once: what it is told of must be there too."""
    found: list[object] = []

    def send(kind: Due, numbers: Sequence[int]) -> None:
        store = rival.stores.watches if kind == "watch" else rival.stores.deliveries
        found.extend(store.claim_one(n, watching.clock.now(), lease=LEASE) for n in numbers)

    with database(database_url) as other:
        rival = Watching(other)
        watching.wakeups.send = send
        subscribe(watching)
        assert [one is not None for one in found] == [True]
        watching.clock.move(minutes=20)
        post_video(watching)
        assert [one is not None for one in found] == [True, True]


def test_wake_up_claims_what_it_names_and_once(watching: Watching) -> None:
    subscribe(watching)
    post_video(watching, videos=4)
    first, second = sequences(watching)
    claimed = claim_one(watching, second)
    assert claimed is not None
    assert claimed.sequence == second
    assert claim_one(watching, second) is None
    watching.courier.deliver(claimed)
    assert claim_one(watching, second) is None
    assert claim_one(watching, 10**9) is None
    assert [one.sequence for one in watching.claim()] == [first]


def test_wake_ups_at_once_make_one_claim(watching: Watching) -> None:
    """Ten times the same, in ten threads."""
    subscribe(watching)
    post_video(watching)
    (sequence,) = sequences(watching)
    with ThreadPoolExecutor(10) as pool:
        claims = list(pool.map(lambda _: claim_one(watching, sequence), range(10)))
    assert len([one for one in claims if one]) == 1


def test_wake_up_asks_no_more_of_a_receiver_than_a_sweep(watching: Watching) -> None:
    """Only a few at once to each; none while it is busy, before it is due, or when it has ended."""
    made = subscribe(watching)
    post_video(watching, videos=22)
    numbers = sequences(watching)
    claimed = [one for number in numbers if (one := claim_one(watching, number))]
    assert len(claimed) == MAX_AT_ONCE
    watching.receivers.answers[A] = Outcome(429, "Busy.", 60)
    for one in claimed:
        watching.courier.deliver(one)
    assert [claim_one(watching, number) for number in numbers] == [None] * 20
    watching.clock.move(minutes=2)
    assert claim_one(watching, numbers[4]) is not None
    watching.hooks.unsubscribe(made["id"], watching.caller())
    assert claim_one(watching, numbers[5]) is None


def test_wake_up_looks_only_where_somebody_is_told(watching: Watching) -> None:
    """A look costs credits: none for what is not due, polled only, or of a key that is refused."""
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada", api_key="sk_polls")
    made = subscribe(watching)
    now = watching.clock.now() + timedelta(hours=1)
    due = [
        one
        for number in range(1, 5)
        if (one := watching.stores.watches.claim_one(number, now, lease=LEASE)) is not None
    ]
    assert [one.handle for one in due] == ["ada"]
    assert watching.stores.watches.due_of(made["id"], watching.clock.now()) == [due[0].id]
    assert watching.stores.watches.claim_one(due[0].id, now, lease=LEASE) is None
    put_off = {"until": now + timedelta(hours=1), "attempt": 1, "problem": "refused"}
    watching.stores.watches.refuse(due[0], **put_off)
    assert watching.stores.watches.claim_one(due[0].id, now + LEASE, lease=LEASE) is None


def test_broker_that_is_gone_costs_a_sender_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    """It is told of once; the next senders don't even dial, until some time has passed."""
    port = free_port()
    queue = Queue(f"redis://:s3cret@127.0.0.1:{port}/0", SystemClock())
    for _ in range(5):
        queue.send("delivery", range(1, 100))
    said = [record.getMessage() for record in caplog.records]
    assert said == ["no wake-ups go out (OperationalError); sweeps do without"]
    assert "s3cret" not in caplog.text


@contextmanager
def told_by(url: str) -> Iterator[list[tuple[Due, int]]]:
    """What a worker hears over the broker at `url`."""
    told: list[tuple[Due, int]] = []
    queue = Queue(url, SystemClock())
    with queue.heard(lambda kind, number: told.append((kind, number)), threads=2):
        yield told


def test_message_that_is_no_wake_up_is_dropped(redis: Redis) -> None:
    """Whoever reaches the broker can write anything to it: nothing of it is carried out or unpickled."""
    queue = Queue(redis.url, SystemClock())
    with told_by(redis.url) as told:
        redis.ask("LPUSH", "connector", "{}")
        for words in (("delivery", "1"), ("delivery", -1), ("other", 1), (), ("watch", 2**63)):
            queue._app.send_task(TASK, words)
        queue._app.send_task("other", ("delivery", 1))
        queue._app.send_task(TASK, ("delivery", 1), serializer="pickle")
        queue.send("watch", [7])
        until(lambda: told)
    assert told == [("watch", 7)]


def test_tls_is_checked_unless_told_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    """A host whose certificates nobody has signed says so in its address."""
    with redis_with_tls() as url:
        Queue(f"{url}/0", SystemClock()).send("watch", [7])
        assert "no wake-ups go out" in caplog.text
        # Another database, as kombu keeps its connections by address.
        lax = f"{url}/1?ssl_cert_reqs=none"
        with told_by(lax) as told:
            Queue(lax, SystemClock()).send("watch", [8])
            until(lambda: told)
    assert told == [("watch", 8)]


@contextmanager
def redis_with_tls() -> Iterator[str]:
    """The address of a server whose certificate is signed by somebody unknown."""
    port = free_port()
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    with private_folder(None) as folder:
        authority.cert_pem.write_to_path(folder / "ca")
        certificate.private_key_pem.write_to_path(folder / "key")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert")
        command = [binary("redis-server"), "--port", "0", "--tls-port", str(port), "--save", ""]
        command += ["--tls-auth-clients", "no", "--tls-ca-cert-file", str(folder / "ca")]
        command += ["--tls-key-file", str(folder / "key"), "--tls-cert-file", str(folder / "cert")]
        with child(command, folder, ready=lambda: listens(port)):
            yield f"rediss://127.0.0.1:{port}"


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_celery_is_imported_only_where_a_broker_is_set() -> None:
    """It takes as long as all the rest."""
    code = "import sys, connector.__main__; print({'celery', 'kombu', 'redis'} & {*sys.modules})"
    printed = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean_environment(),
        text=True,
    )
    assert printed == "set()\n"
