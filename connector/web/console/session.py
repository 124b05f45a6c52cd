"""Who is signed in to the console, and that each form was asked for by one of its own pages.

The browser holds a random token and nothing of the key. A form carries what only that token gives.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final, Protocol

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from connector.domain.callers import Caller

VISIT: Final = "console_visit"
# Of who is not signed in yet: for the form that signs in.
GUEST: Final = "console_guest"
CSRF_FIELD: Final = "form_token"
_PATH: Final = "/console"
# What needs no visit.
_OPEN: Final = ("console.sign_in", "console.begin", "console.asset")


class Visits(Protocol):
    """Visits, by their tokens."""

    def begin(self, caller: Caller) -> str:
        """The token of a new visit."""

    def api_key(self, token: str) -> str | None:
        """The key with which a visit was begun."""

    def check(self, token: str, caller: Caller) -> None:
        """Ends the visit of a key that works no more."""

    def end(self, token: str) -> None:
        """Ends a visit."""


def guard(
    routes: Blueprint,
    visits: Visits,
    *,
    caller: Callable[[], Caller],
    secure: Callable[[], bool],
) -> None:
    """Lets in who is signed in, and shows others the way; a form of another site gets no further.

    Nothing is done with a key that works no more.
    """

    def admit() -> AnyResponse | None:
        g.console_token = _read(VISIT, secure=secure())
        g.console_key = visits.api_key(g.console_token) if g.console_token else None
        g.console_guest = _read(GUEST, secure=secure())
        if g.console_key is None and request.endpoint not in _OPEN:
            return _to_the_door()
        if g.console_key is not None and request.endpoint == "console.begin":
            # As after a second press of the button.
            return redirect(way_back(request.form.get("next", "")), 303)
        if request.method == "POST":
            _check_form()
            if g.console_key is not None and request.endpoint != "console.sign_out":
                visits.check(g.console_token, caller())
        return None

    def keep_guest(response: Response) -> Response:
        if g.get("console_guest_is_new"):
            _set(response, GUEST, g.console_guest, secure=secure())
        return response

    routes.before_request(admit)
    routes.after_request(keep_guest)


def _to_the_door() -> AnyResponse:
    if request.method == "POST":
        # What the form said is lost, and its address is no page.
        return redirect(url_for("console.sign_in", notice="expired"), 303)
    return redirect(
        url_for("console.sign_in", next=way_back(request.full_path.removesuffix("?"))), 303
    )


def form_token() -> str:
    """What the forms of this page carry; a guest without a token gets one with the answer."""
    if g.console_key is None and not g.console_guest:
        g.console_guest, g.console_guest_is_new = secrets.token_urlsafe(32), True
    return _given_by(_token())


def welcome(response: AnyResponse, token: str, *, secure: bool) -> AnyResponse:
    """Gives the browser the token of its visit."""
    _set(response, VISIT, token, secure=secure)
    return _take(response, GUEST, secure=secure)


def farewell(response: AnyResponse, *, secure: bool) -> AnyResponse:
    """Takes it back."""
    return _take(response, VISIT, secure=secure)


def way_back(path: str) -> str:
    """`path` where it is a page of the console, else its first page: no way leads elsewhere."""
    inside = path.startswith(f"{_PATH}/") and "//" not in path and "\\" not in path
    return path if inside else f"{_PATH}/"


def _place(name: str, *, secure: bool) -> tuple[str, str]:
    """A cookie's name and path: by TLS one that no other host of the domain can set."""
    return (f"__Host-{name}", "/") if secure else (name, _PATH)


def _read(name: str, *, secure: bool) -> str:
    return request.cookies.get(_place(name, secure=secure)[0], "")


def _set(response: AnyResponse, name: str, value: str, *, secure: bool) -> None:
    key, path = _place(name, secure=secure)
    # Until the browser is closed; the server ends a visit after some hours all the same.
    response.set_cookie(key, value, path=path, httponly=True, samesite="Lax", secure=secure)


def _take(response: AnyResponse, name: str, *, secure: bool) -> AnyResponse:
    key, path = _place(name, secure=secure)
    response.delete_cookie(key, path=path, secure=secure)
    return response


def _check_form() -> None:
    given = request.form.get(CSRF_FIELD, "")
    if not _token() or not hmac.compare_digest(given.encode(), _given_by(_token()).encode()):
        raise Forbidden("This form is too old, or another site has sent it: open its page again.")


def _token() -> str:
    token: str = g.console_guest if g.console_key is None else g.console_token
    return token


def _given_by(token: str) -> str:
    return hashlib.sha256(f"form {token}".encode()).hexdigest()
