"""Responses that operations share: each failure's status with the error codes it carries there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from apispec import APISpec

from connector.domain.errors import ConnectorError, IdempotencyKeyBusy, RateLimited, Unavailable
from connector.exports.openapi.headers import RATE_LIMIT, sent
from schemas.errors import ErrorBody
from schemas.fields import sample_of

# What any route may be answered with, whatever it does.
EVERYWHERE: Final = (405, 408, 414, 431, 500)
_EXTRA_HEADERS: Final = {401: ("WWW-Authenticate",), 405: ("Allow",)}


@dataclass(frozen=True)
class Door:
    """What only the web door knows: its statuses, its own refusals, the files of its viewer.

    `refusals` is by status, as (error code, advice); `viewer_files` by name, as the content's type.
    """

    statuses: Mapping[type[ConnectorError], int]
    refusals: Mapping[int, tuple[str, str]]
    viewer_files: Mapping[str, str]


@dataclass(frozen=True)
class _Case:
    code: str
    message: str
    advice: str
    retryable: bool
    headers: tuple[str, ...]


class Responses:
    """Puts each distinct response once among the components; `body` is the schema of every failure."""

    def __init__(self, spec: APISpec, door: Door, body: Mapping[str, Any]) -> None:
        self._components = spec.components
        self._door = door
        self._body = body

    def of(
        self, *refusals: int, errors: Iterable[type[ConnectorError]] = ()
    ) -> dict[str, dict[str, str]]:
        """Responses by status, for what the door refuses and for the `errors` of a use case.

        Any route may find its database gone.
        """
        cases: defaultdict[int, dict[str, _Case]] = defaultdict(dict)
        kinds: list[type[ConnectorError]] = [*errors, Unavailable]
        for kind in kinds:
            cases[self._door.statuses[kind]][kind.code] = _raised(kind)
        for status in refusals:
            code, advice = self._door.refusals[status]
            cases[status].setdefault(code, _refused(code, advice))
        return {
            str(status): self._reference(status, list(cases[status].values()))
            for status in sorted(cases)
        }

    def shared(self, name: str, response: dict[str, Any]) -> dict[str, str]:
        """A reference to the component `name`, which is `response`."""
        if name not in self._components.responses:
            self._components.response(name, response)
        return {"$ref": f"#/components/responses/{name}"}

    def _reference(self, status: int, cases: list[_Case]) -> dict[str, str]:
        name = "Or".join(case.code.title().replace("_", "") for case in cases)
        return self.shared(name, self._response(status, cases))

    def _response(self, status: int, cases: list[_Case]) -> dict[str, Any]:
        codes = {"properties": {"error_code": {"enum": [case.code for case in cases]}}}
        headers = {header for case in cases for header in case.headers}
        return {
            "description": "\n".join(f"- `{case.code}`: {case.advice}" for case in cases),
            "headers": sent(*sorted(headers | set(_EXTRA_HEADERS.get(status, ())))),
            "content": {
                "application/json": {
                    "schema": {"allOf": [self._body, codes]},
                    "examples": {case.code: {"value": _example(case)} for case in cases},
                }
            },
        }


def _raised(kind: type[ConnectorError]) -> _Case:
    waits = issubclass(kind, (RateLimited, IdempotencyKeyBusy))
    headers = (*RATE_LIMIT, "Retry-After") if waits else RATE_LIMIT
    return _Case(kind.code, kind.default, kind.advice, kind.retryable, headers)


def _refused(code: str, advice: str) -> _Case:
    message = f"{code.replace('_', ' ').capitalize()}."
    return _Case(code, message, advice, retryable=False, headers=())


def _example(case: _Case) -> dict[str, Any]:
    return sample_of(ErrorBody) | {
        "error": case.message,
        "error_code": case.code,
        "retryable": case.retryable,
        "advice": case.advice,
    }
