"""Looking up one profile: the handle in normal form, one upstream call, one flat row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.domain.answers import Result
from connector.domain.callers import Caller
from connector.domain.errors import ConnectorError, ProfileNotFound
from connector.domain.handles import normalise_handle
from connector.domain.ports import Clock, Profiles
from connector.domain.rows import profile_row


def get_profile(
    inputs: Mapping[str, Any], caller: Caller, *, profiles: Profiles, clock: Clock
) -> Result:
    """The row of the profile with `inputs["handle"]`. Costs credits when it is found."""
    handle = normalise_handle(inputs["handle"])
    source = caller.platform.request_source
    answer = profiles.call(
        {"handle": handle, "requestSource": source},
        api_key=caller.api_key,
        deadline=caller.deadline,
    )
    try:
        row = profile_row(
            answer.payload, handle=handle, request_source=source, fetched_at=clock.now()
        )
    except ConnectorError as error:
        error.rate_limit = answer.rate_limit
        raise
    return Result(row, answer.rate_limit)


def find_profile(
    inputs: Mapping[str, Any], caller: Caller, *, profiles: Profiles, clock: Clock
) -> Result:
    """The same as a list of one row, or of none where there is no such profile."""
    try:
        found = get_profile(inputs, caller, profiles=profiles, clock=clock)
    except ProfileNotFound as miss:
        return Result([], miss.rate_limit)
    return Result([found.value], found.rate_limit)
