"""Flask's JSON answers: compact, in UTF-8, with keys in the order in which they come."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.json.provider import DefaultJSONProvider

from wire.json_text import to_json


class JSONAnswers(DefaultJSONProvider):
    """Set it as an application's `json`. A date or any other value that JSON has no form of is refused."""

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Called by `jsonify`."""
        body = to_json(self._prepare_response_obj(args, kwargs))
        return Response(body + b"\n", mimetype=self.mimetype)
