"""Looking up one profile: the handle in normal form, at most one upstream call, one flat row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.domain.answers import Result
from connector.domain.callers import Caller
from connector.domain.errors import ProfileNotFound
from connector.domain.handles import normalise_handle
from connector.services.lookups import Lookups


def get_profile(
    inputs: Mapping[str, Any], caller: Caller, *, lookups: Lookups, what: str = "get_profile"
) -> Result:
    """The row of the profile with `inputs["handle"]`. Costs credits when it is fetched."""
    found = lookups.fetch(
        normalise_handle(inputs["handle"]),
        caller,
        max_age_seconds=inputs["max_age_seconds"],
        what=what,
    )
    return Result(found.row, found.rate_limit)


def find_profile(inputs: Mapping[str, Any], caller: Caller, *, lookups: Lookups) -> Result:
    """The same as a list of one row, or of none where there is no such profile."""
    try:
        found = get_profile(inputs, caller, lookups=lookups, what="find_profile")
    except ProfileNotFound as miss:
        return Result([], miss.rate_limit)
    return Result([found.value], found.rate_limit)
