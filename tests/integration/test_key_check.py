"""Checking a key against an API: what its answers to a request without a handle mean."""

from __future__ import annotations

import time

import pytest

from connector.adapters.clock import SystemClock
from connector.adapters.profiles import ProfileClient
from connector.domain.deadlines import Deadline
from connector.domain.errors import ConnectorError, UpstreamInvalid
from tests.running import fake_upstream, reply
from wire.http import new_session


@pytest.mark.parametrize("body", [{"error": "no such thing"}, b"<html>no such page</html>"])
def test_not_found_without_a_handle_is_a_wrong_address(body: object) -> None:
    """No profile was asked for, so none is missing: a connection test has no such answer."""
    with fake_upstream() as upstream, new_session(pool_size=1) as session:
        upstream.answers("None", reply(404, body))
        client = ProfileClient(upstream.url, session=session, clock=SystemClock())
        with pytest.raises(ConnectorError) as caught:
            client.check_key(
                api_key="sk_any",
                request_source="API",
                deadline=Deadline(30, time.monotonic),
            )
    assert type(caught.value) is UpstreamInvalid
    assert caught.value.message == "There is no profile API at the configured address."
