"""The universal call: a documented upstream request as the caller writes it, source set by us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connector.domain.answers import Answer, Result
from connector.domain.callers import Caller
from connector.domain.errors import InvalidInput
from connector.domain.objects import object_given
from connector.domain.ports import Profiles
from connector.services.usage import Meter
from schemas.catalog import CATALOG
from schemas.universal import ENDPOINTS, RequestOutput

_DOCUMENTED: Final = [(method, path) for method, path, _ in ENDPOINTS]
_OUTPUT = RequestOutput()


def call_api(
    inputs: Mapping[str, Any], caller: Caller, *, profiles: Profiles, meter: Meter
) -> Result:
    """The upstream's 200 answer as it came; its failures are the same errors as anywhere.

    Raises `InvalidInput` for anything but a path of the documented API.
    """
    asked = (inputs["method"].upper(), re.sub("/{2,}", "/", "/" + inputs["url"].strip()))
    if "://" in inputs["url"] or asked not in _DOCUMENTED:
        allowed = " and ".join(" ".join(endpoint) for endpoint in _DOCUMENTED)
        raise InvalidInput(f"Only {allowed} can be called, as a path without a host.")
    body = {**object_given("body", inputs["body"]), "requestSource": caller.platform.request_source}
    answer = _paid(body, caller, profiles, meter)
    value = {"status_code": 200, "headers": dict(answer.headers), "body": answer.payload}
    return Result(_OUTPUT.dump(value), answer.rate_limit)


def _paid(body: Mapping[str, Any], caller: Caller, profiles: Profiles, meter: Meter) -> Answer:
    asked = meter.asked(caller, CATALOG.universal.key)
    with meter.paying(asked):
        answer = profiles.call(body, api_key=caller.api_key, deadline=caller.deadline)
    meter.paid(asked)
    return answer
