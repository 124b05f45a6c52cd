"""One HTTP request of the app: put together from the base and its own directives, sent, logged."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.make_app.app import UnknownToEmulator
from tests.make_app.form import MakeError
from tests.make_app.iml import evaluate, is_true

REQUEST_KEYS = {"url", "method", "headers", "qs", "body", "response", "pagination", "log"}
RESPONSE_KEYS = {"error", "valid", "iterate", "output", "limit", "metadata", "uid", "trigger"}
BASE_KEYS = {"baseUrl", "headers", "timeout", "response", "log"}
ERROR_TYPES = {
    *("RuntimeError", "DataError", "RateLimitError", "OutOfSpaceError", "ConnectionError"),
    *("InvalidConfigurationError", "InvalidAccessTokenError", "IncompleteDataError"),
    "DuplicateDataError",
}
DEFAULT_TIMEOUT_SECONDS = 40.0
SANITIZED = "[sanitized]"


@dataclass(frozen=True)
class Answer:
    """The variables that a response's directives can read."""

    body: Any
    headers: Mapping[str, str]
    statusCode: int  # noqa: N815  # as expressions spell it


@dataclass
class Wire:
    """Sends requests to `base_url` in place of the app's own `app_base_url`, and keeps Make's log."""

    base_url: str
    app_base_url: str
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    log: list[dict[str, Any]] = field(default_factory=list)

    def send(self, request: Mapping[str, Any], variables: Mapping[str, Any]) -> Answer:
        """The answer. Raises `MakeError` where the response's directives see an error in it."""
        refuse_unknown("request", request, REQUEST_KEYS)
        refuse_unknown("response", request.get("response", {}), RESPONSE_KEYS)
        names = ("url", "method", "headers", "qs", "body")
        sent = {name: evaluate(request[name], variables) for name in names if name in request}
        answer = self._answer(sent)
        self._keep(sent, answer, request.get("log", {}))
        _judge(request.get("response", {}), answer, variables)
        return answer

    def _answer(self, sent: Mapping[str, Any]) -> Answer:
        try:
            response = requests.request(
                sent.get("method", "GET"),
                self._address(sent["url"]),
                params={name: v for name, v in sent.get("qs", {}).items() if v is not None},
                headers=sent.get("headers", {}),
                json=sent.get("body"),
                timeout=self.timeout_seconds,
                allow_redirects=False,
            )
        except requests.Timeout as exc:
            raise MakeError("ConnectionError", "The request timed out.") from exc
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(_parsed(response), headers, response.status_code)

    def _address(self, url: str) -> str:
        if url.startswith(f"{self.app_base_url}/"):
            return self.base_url + url.removeprefix(self.app_base_url)
        if not url.startswith("/"):
            raise UnknownToEmulator(f"the address {url!r} is not below the base URL")
        return self.base_url + url

    def _keep(self, sent: Mapping[str, Any], answer: Answer, log: Mapping[str, Any]) -> None:
        refuse_unknown("log", log, {"sanitize"})
        headers = {name.lower(): value for name, value in sent.get("headers", {}).items()}
        line = {"request": {**sent, "headers": headers}, "response": {**vars(answer)}}
        line = copy.deepcopy(line)
        for path in log.get("sanitize", []):
            _blank(line, path.split("."))
        self.log.append(line)


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A request with what it inherits from the base: its own value wins, objects are joined."""
    refuse_unknown("base", base, BASE_KEYS)
    inherited = {key: base[key] for key in ("headers", "response", "log") if key in base}
    return {**inherited, **own} | {
        key: {**inherited[key], **own[key]} for key in inherited if key in own
    }


def refuse_unknown(place: str, found: Mapping[str, Any], known: set[str]) -> None:
    """Raises for a directive that would be skipped in silence."""
    if unknown := set(found) - known:
        raise UnknownToEmulator(f"in {place}: {sorted(unknown)}")


def _parsed(response: requests.Response) -> Any:
    if 300 <= response.status_code < 400:
        raise UnknownToEmulator("a redirect: a POST would lose its body")
    if "json" in response.headers.get("Content-Type", ""):
        return response.json()
    return response.text


def _judge(response: Mapping[str, Any], answer: Answer, variables: Mapping[str, Any]) -> None:
    scope = {**variables, **vars(answer)}
    if answer.statusCode >= 400:
        error = response["error"]
        entry = {**error, **error.get(str(answer.statusCode), {})}
        raise _error(entry["type"], entry["message"], scope)
    valid = response.get("valid", {"condition": True})
    refuse_unknown("valid", valid, {"condition", "type", "message"})
    if not is_true(evaluate(valid["condition"], scope)):
        raise _error(valid["type"], valid["message"], scope)


def _error(kind: str, message: str, scope: Mapping[str, Any]) -> MakeError:
    if kind not in ERROR_TYPES:
        raise UnknownToEmulator(f"the error type {kind!r}")
    return MakeError(kind, str(evaluate(message, scope)))


def _blank(line: dict[str, Any], path: list[str]) -> None:
    *parents, last = path
    if parents[:1] not in (["request"], ["response"]):
        raise UnknownToEmulator(f"the log has no {path[0]!r}")
    for name in parents:
        line = line.get(name, {})
    # A proxy's answer may be plain text.
    if isinstance(line, dict) and last in line:
        line[last] = SANITIZED
