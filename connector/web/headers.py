"""Security headers, said once, for every answer of the web door and of what shares it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# No Access-Control-Allow-Origin: pages of other sites read nothing here, as keys are for servers.
# No Permissions-Policy: no page that may run a script is anybody else's.
ALWAYS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""By name. A page that says something else of itself has the last word."""
# A year, for this host alone: what else its domain holds is not ours to promise for.
_BY_HTTPS: Final = {**ALWAYS, "Strict-Transport-Security": "max-age=31536000"}


def secure_headers(application: WSGIApplication) -> WSGIApplication:
    """`application`, whose answers have the headers, and one more where the request came by https."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        wanted = _BY_HTTPS if environ["wsgi.url_scheme"] == "https" else ALWAYS

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            said = {name.lower() for name, _ in headers}
            missing = [item for item in wanted.items() if item[0].lower() not in said]
            return start_response(status, headers + missing, *error)

        return application(environ, start)

    return wrapped
