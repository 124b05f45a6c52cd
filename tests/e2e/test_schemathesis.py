"""schemathesis against the running server: a stranger who reads the document and tries everything.

A fixed seed and a bounded number of cases. Every check that it has is on, in two runs, since
"what fits the schema is accepted" can't hold for all of it: a handle is any text that a person
pastes, and most random texts are no handle. The second run narrows the document to values that
the sample data knows, and sends only what fits. The stateful phase is left out: the document has
no links, as no answer is the input of another call.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.bootstrap import published_document
from connector.exports.openapi.headers import IDEMPOTENCY_KEY
from profile_api.app import PATH
from schemas.catalog import CATALOG
from tests.documented import operations
from tests.running import Server, clean_environment

SEED = "20241118"
# 413 as well: what is made up at random may be longer than a body may be.
SETTINGS = """
[checks]
negative_data_rejection.expected-statuses = [
    "400", "401", "403", "404", "405", "409", "413", "415", "422", "429",
]
"""


def schemathesis(
    server: Server, document: dict[str, Any], folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """A run over `document`, with a key that is never short of anything."""
    key, _ = server.new_key(credits=10**9, rate_limit=10**9)
    (folder / "document.json").write_text(json.dumps(document), "utf-8")
    (folder / "schemathesis.toml").write_text(SETTINGS, "utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "run", "document.json"]
    command += ["--url", server.url, "--header", f"Authorization: Bearer {key}"]
    command += ["--seed", SEED, "--generation-database", "none", "--no-color", "--warnings", "off"]
    command += ["--request-timeout", "60"]
    return subprocess.run(
        [*command, *options],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def check_nothing_found(
    run: subprocess.CompletedProcess[str], document: dict[str, Any], *, cases: int
) -> None:
    """Every operation was tried, with at least `cases` cases in all, and none of them failed."""
    assert run.returncode == 0, run.stdout + run.stderr
    tested = re.search(r"Tested: (\d+)", run.stdout)
    generated = re.search(r"(\d+) generated, (\d+) passed", run.stdout)
    assert tested, run.stdout
    assert int(tested[1]) == len([*operations(document)])
    assert generated, run.stdout
    assert generated[1] == generated[2]
    assert int(generated[1]) >= cases


def is_one_of_three(path: str) -> bool:
    """Whether it is Make's path under another name: the same code makes the routes of all platforms."""
    return path.startswith(("/zapier/", "/api/")) and not path.startswith("/api/v1/")


# Whether it is of those, and how far it is tried then.
DEPTHS = {
    False: ("--phases", "examples,coverage,fuzzing", "--max-examples", "8"),
    True: ("--phases", "examples,fuzzing", "--max-examples", "3"),
}


def part_of(document: dict[str, Any], *, alike: bool) -> dict[str, Any]:
    """`document` with those paths alone, or without them."""
    paths = document["paths"].items()
    return document | {"paths": {p: item for p, item in paths if is_one_of_three(p) is alike}}


@pytest.mark.parametrize("alike", DEPTHS, ids=["Make and all else", "Zapier and plain HTTP"])
def test_whatever_is_sent_the_answer_is_documented(
    server: Server, tmp_path: Path, alike: bool
) -> None:
    """No 5xx, no status, header, kind of content or body that the document does not have."""
    whole = requests.get(f"{server.url}/openapi.json", timeout=60).json()
    document = part_of(whole, alike=alike)
    run = schemathesis(
        server,
        document,
        tmp_path,
        *DEPTHS[alike],
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
    )
    check_nothing_found(run, document, cases=200 if alike else 1500)


def test_what_fits_is_accepted(server: Server, tmp_path: Path) -> None:
    """Through JSON, either form and the query."""
    document = requests.get(f"{server.url}/openapi.json", timeout=60).json()
    narrowed = with_known_values(document)
    known = {"type": "string", "const": token_of_a_webhook(server)}
    for operation in narrowed["paths"]["/webhooks/{token}"].values():
        operation["parameters"][0]["schema"] = known
    narrowed = part_of(narrowed, alike=False)
    mode = ("--mode", "positive", "--checks", "all", "--max-examples", "3")
    run = schemathesis(server, narrowed, tmp_path, *DEPTHS[False][:2], *mode)
    check_nothing_found(run, narrowed, cases=300)


def token_of_a_webhook(server: Server) -> str:
    """Of one that may be fired as often as it takes."""
    key, _ = server.new_key(credits=10**9, rate_limit=10**9)
    limits = {"daily_credits": 10**9, "requests_per_minute": 6000}
    answer = requests.post(
        f"{server.url}/api/webhooks", json=limits, headers={"X-API-Key": key}, timeout=60
    )
    return str(answer.json()["url"]).rpartition("/")[2]


HANDLE = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_.]{0,20}[a-z0-9]$"}
KNOWN_QUERY = {
    "confirm": {"type": "string", "const": "true"},
    "handle": HANDLE,
    "handles": HANDLE,
    "thresholds": {"type": "string", "const": "1000,5000"},
    "watched_fields": {"type": "string", "const": "user_nickname,user_verified"},
    "statuses": {"type": "string", "const": "gone,back"},
    "what": {"type": "string", "enum": ["watching", "request"]},
    "since": {"type": "string", "enum": ["2026-11-01T00:00:00Z", "1700000000"]},
    "until": {"type": "string", "enum": ["2026-12-01T01:00:00+01:00", "1900000000"]},
    "state": {"type": "string", "enum": ["pending", "delivered", "dead"]},
    "max_age_seconds": {"type": "string", "const": "60"},
}
BODY = {"type": "object", "required": ["handle"], "properties": {"handle": HANDLE}}
KNOWN_TEXTS: dict[str, dict[str, Any]] = {
    "handle": HANDLE,
    "url": {"type": "string", "const": PATH},
    "method": {"type": "string", "enum": ["POST", "post"]},
    "body": {"type": "string", "const": '{"handle": "stoolpresidente"}'},
    "trigger": {"type": "string", "enum": [trigger.key for trigger in CATALOG.triggers]},
    "target_url": {"type": "string", "const": "https://hooks.example.com/1"},
    "inputs": {"type": "string", "const": '{"handles": ["ada"], "every": 1000}'},
    **{name: KNOWN_QUERY[name] for name in ("handles", "thresholds", "watched_fields", "statuses")},
    "what": KNOWN_QUERY["what"],
    "every": {"type": "string", "const": "1000"},
    "callback_url": {"type": "string", "const": "https://hooks.example.com/2"},
    "cursor": {"type": "string", "const": "1"},
    "dry_run": {"type": "string", "const": "true"},
    "max_age_seconds": {"type": "string", "const": "60"},
    "poll_interval_seconds": {"type": "string", "const": "900"},
    "mode": {"type": "string", "const": "forward"},
    "callers_choose": {"type": "string", "const": "false"},
    "signature_style": {"type": "string", "enum": ["github"]},
    "signature_header": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"},
    "daily_credits": {"type": "string", "const": "100"},
    "requests_per_minute": {"type": "string", "const": "60"},
}
# Beside what is required: the sample data knows nothing without them.
NEEDED = {
    "body": ["url", "body"],
    "inputs": ["trigger", "target_url", "inputs"],
    "thresholds": ["trigger", "target_url", "handles", "thresholds"],
    "mode": ["mode", "target_url", "signature_style"],
}
KNOWN_JSON = KNOWN_TEXTS | {
    "callers_choose": {"type": ["boolean", "null"], "enum": [False, None]},
    "dry_run": {"type": ["boolean", "integer"], "enum": [True, 1]},
    "method": {"type": ["string", "null"], "enum": ["POST", "post", None]},
    "body": BODY,
    "handles": {"type": "array", "items": HANDLE, "minItems": 1, "maxItems": 50},
    "thresholds": {"type": "array", "const": [1000, "5000"]},
    "watched_fields": {"type": "array", "const": ["user_nickname", "user_verified"]},
    "statuses": {"type": "array", "const": ["gone", "back"]},
    "every": {"type": ["integer", "string", "null"], "enum": [1000, "1000", None]},
}


def with_known_values(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with inputs whose values are not only of the right kind but there."""
    narrowed = deepcopy(document)
    for _, _, operation in operations(narrowed):
        # One that was used is good for one request only.
        said = operation.get("parameters", ())
        operation["parameters"] = [p for p in said if p != IDEMPOTENCY_KEY]
        for parameter in operation["parameters"]:
            if parameter.get("name") in KNOWN_QUERY:
                parameter["schema"] = KNOWN_QUERY[parameter["name"]]
                parameter["required"] = True
        for content in operation.get("requestBody", {}).get("content", {}).values():
            narrow(content["schema"], KNOWN_TEXTS)
    inputs = ("ProfileInput", "ProfilesInput", "RequestInput", "HookInput", "WatchProfileInput")
    inputs = (*inputs, "WebhookForm", "WebhookInput")
    for name in (*inputs, "ProfileApiRequest"):
        narrow(narrowed["components"]["schemas"][name], KNOWN_JSON)
    return narrowed


def narrow(schema: dict[str, Any], known: dict[str, dict[str, Any]]) -> None:
    """Only where the schema stands itself: one that is referred to is narrowed once, as JSON."""
    properties = schema.get("properties", {})
    properties |= {name: known[name] for name in properties if name in known}
    for name, needed in NEEDED.items():
        if name in properties:
            schema["required"] = needed


def without_a_status(document: dict[str, Any]) -> None:
    del document["paths"]["/make/actions/get_profile"]["post"]["responses"]["200"]


def with_a_wrong_kind(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["ProfileRow"]["properties"]["hearts"]["type"] = "boolean"


def with_one_key_too_many(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["ProfileRow"]["required"].append("invented")


def with_a_header_too_many(document: dict[str, Any]) -> None:
    document["components"]["headers"]["Retry-After"]["required"] = True
    ok = document["paths"]["/make/actions/get_profile"]["post"]["responses"]["200"]
    ok["headers"]["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}


def with_a_stricter_input(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["ProfileInput"]["additionalProperties"] = False


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (without_a_status, "Undocumented status code"),
        (with_a_wrong_kind, "Response violates schema"),
        (with_one_key_too_many, "Response violates schema"),
        (with_a_header_too_many, "Missing required response headers"),
        (with_a_stricter_input, "Schema-violating request accepted"),
    ],
)
def test_document_that_is_wrong_is_found_out(
    server: Server, tmp_path: Path, spoil: Callable[[dict[str, Any]], None], finding: str
) -> None:
    """Else the runs above would prove nothing."""
    document = published_document(CATALOG, with_endpoint=True)
    spoil(document)
    run = schemathesis(
        server,
        document,
        tmp_path,
        *("--include-path", "/make/actions/get_profile"),
        *("--phases", "examples,coverage"),
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
    )
    assert run.returncode == 1
    assert finding in run.stdout, run.stdout
