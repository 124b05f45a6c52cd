"""The universal call: any request that the upstream API documents, and its answer as it came."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema

from schemas.fields import Json, Text, WholeNumber, field

# The documented API, whole: (method, path, what it does).
ENDPOINTS = (("POST", "/api/v1/get-tiktok-profile", "Get a profile"),)


class Choice(Schema):
    """A line of a pick list."""

    label = field(
        Text, label="Label", sample=ENDPOINTS[0][2], help="What a person reads in the list.",
    )
    value = field(
        Text, label="Value", sample=ENDPOINTS[0][1], help="What is filled in when it is chosen.",
    )


class RequestInput(Schema):
    """A call to the upstream API as its documentation describes it."""

    class Meta:
        unknown = EXCLUDE

    url = field(
        Text,
        label="URL", sample=ENDPOINTS[0][1], required=True, allow_none=False,
        help="A path of the documented API, without a host.",
    )
    method = field(
        Text,
        label="Method", sample="POST", load_default="POST", allow_none=False,
        help="The HTTP method; the documented API uses POST.",
    )
    body = field(
        Json,
        label="Body", sample={"handle": "stoolpresidente"}, load_default=dict, allow_none=False,
        help="The request body, as the API documents it. The source of the request is set for you.",
    )


class RequestOutput(Schema):
    """The upstream's answer."""

    status_code = field(
        WholeNumber, label="Status code", sample=200, help="The HTTP status of the answer.",
    )
    headers = field(
        Json,
        label="Headers", sample={"content-type": "application/json"},
        help="The headers of the answer.",
    )
    body = field(
        Json,
        label="Body", sample={"user": {"uniqueId": "stoolpresidente"}},
        help="The JSON body of the answer, neither flattened nor checked.",
    )
