"""What the product is measured against: the least that Flask can do, and what a tutorial would write.

None of them validates its input, bounds its upstream, keeps a budget or writes a log.
"""

from __future__ import annotations

import os
from typing import Any

import requests
import urllib3
from flask import Flask, Response, jsonify, request
from marshmallow import Schema, fields

from schemas.fields import declared_fields, upstream_paths
from schemas.profile import ProfileRow

ENDPOINT = f"{os.environ['PROFILE_API_URL']}/api/v1/get-tiktok-profile"

bare = Flask("bare")


@bare.post("/<path:_path>")
def answer_at_once(_path: str) -> Response:
    """What Flask itself takes."""
    return jsonify(handle="stoolpresidente", hearts=1)


forwarding = Flask("forwarding")
_pool = urllib3.PoolManager(maxsize=500)


@forwarding.post("/<path:_path>")
def forward(_path: str) -> Response:
    """The upstream's answer as it came."""
    asked = {"handle": request.get_json()["handle"], "requestSource": "API"}
    headers = {"Authorization": request.headers["Authorization"]}
    answer = _pool.request("POST", ENDPOINT, json=asked, headers=headers)
    return Response(answer.data, answer.status, content_type="application/json")


standard = Flask("standard")
_session = requests.Session()
_PATHS = {
    key: paths[0] for key, f in declared_fields(ProfileRow).items() if (paths := upstream_paths(f))
}


_Flat = Schema.from_dict({key: fields.Raw(attribute=path) for key, path in _PATHS.items()})


@standard.post("/<path:_path>")
def flatten(_path: str) -> Any:
    """The product's upstream keys, each by a dotted path; a schema for each request."""
    asked = {"handle": request.get_json()["handle"], "requestSource": "API"}
    headers = {"Authorization": request.headers["Authorization"]}
    answer = _session.post(ENDPOINT, json=asked, headers=headers, timeout=30)
    answer.raise_for_status()
    return _Flat().dump(answer.json())
