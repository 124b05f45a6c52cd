"""The universal call: any request that the upstream API documents, and its answer as it came."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from schemas.fields import Text, WholeNumber, field


class RequestInput(Schema):
    """A call to the upstream API as its documentation describes it."""

    class Meta:
        unknown = EXCLUDE

    url = field(
        Text,
        label="URL", sample="/api/v1/get-tiktok-profile", required=True, allow_none=False,
        help="A path of the documented API, without a host.",
    )
    method = field(
        Text,
        label="Method", sample="POST", load_default="POST", allow_none=False,
        help="The HTTP method; the documented API uses POST.",
    )
    body: fields.Field[Any] = field(
        fields.Dict,
        label="Body", sample={"handle": "stoolpresidente"}, load_default=dict, allow_none=False,
        help="The request body, as the API documents it. The source of the request is set for you.",
    )


class RequestOutput(Schema):
    """The upstream's answer."""

    status_code = field(
        WholeNumber, label="Status code", sample=200, help="The HTTP status of the answer.",
    )
    headers: fields.Field[Any] = field(
        fields.Dict,
        label="Headers", sample={"content-type": "application/json"},
        help="The headers of the answer.",
    )
    body: fields.Field[Any] = field(
        fields.Dict,
        label="Body", sample={"user": {"uniqueId": "stoolpresidente"}},
        help="The JSON body of the answer, neither flattened nor checked.",
    )
