"""What workers do while something that they need is gone, with real processes and servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from connector.adapters.store.tables import Watch
from tests.e2e.test_instant import post_video, running_product, subscribe
from tests.postgres import new_cluster, restarted
from tests.running import (
    FakeUpstream,
    fake_upstream,
    reply,
    until,
)


@pytest.fixture(scope="module")
def receiver() -> Iterator[FakeUpstream]:
    with fake_upstream() as running:
        yield running


def test_worker_outlives_its_database(
    tmp_path: Path, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """Stopped and started again beneath it: it says so once, and goes on by itself."""
    receiver.answers("outage", reply(200, {}))
    with new_cluster() as cluster, ExitStack() as started:
        postgres = started.enter_context(restarted(cluster))
        with (
            running_product(tmp_path, upstream, DATABASE_URL=postgres.url("postgres")) as product,
        ):
            subscribe(product, upstream, "api", "outage", receiver.url)
            process = product.start()
            until(lambda: len(upstream.asked_for("outage")) > 1)
            started.close()
            until(lambda: "claiming failed" in product.log.read_text())
            with restarted(cluster):
                post_video(upstream, "outage")
                # A look that the outage interrupted is done again when its claim has ended.
                product.end_claims(Watch)
                until(lambda: product.call("GET", "/api/deliveries?state=delivered"), 200)
                process.terminate()
                assert process.wait(60) == 0
    assert product.log.read_text().count("claiming failed") == 1
    assert len(receiver.asked_for("outage")) == 1
