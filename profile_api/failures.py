"""The documented failures, word for word. Statuses and messages are the contract."""

from __future__ import annotations


class Failure(Exception):
    """Ends a request with a documented status and message; no credits are charged."""

    def __init__(
        self, status: int, message: str, *, retry_after_seconds: int | None = None
    ) -> None:
        self.status = status
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


def invalid_json() -> Failure:
    """The body is not JSON."""
    return Failure(400, "Invalid JSON in request body")


def invalid_request_source(known: tuple[str, ...]) -> Failure:
    """Not in the document, which says only which sources there are."""
    return Failure(400, f"'requestSource' must be one of {', '.join(known)}.")


def handle_required() -> Failure:
    """The body holds no handle."""
    return Failure(400, "'handle' parameter is required and must be a non-empty string.")


def handle_not_processed() -> Failure:
    """The service can't make sense of the handle."""
    return Failure(400, "The profile service could not process the handle.")


def issue_reported() -> Failure:
    """The service refused for a reason of its own."""
    return Failure(400, "The profile service reported an issue.")


def invalid_key() -> Failure:
    """No key, an unknown one or an inactive one: deliberately the same words."""
    return Failure(401, "API key is invalid or missing.")


def insufficient_credits() -> Failure:
    """Fewer credits than one request costs."""
    return Failure(403, "Insufficient credits. Please top up your account.")


def profile_not_found(handle: str) -> Failure:
    """There is no such profile, or it was deactivated."""
    return Failure(404, f"TikTok profile not found for handle: {handle}")


def key_rate_limited(retry_after_seconds: int) -> Failure:
    """The key's own limit, which the document's table leaves out."""
    return Failure(
        429,
        "Rate limit exceeded. Please try again later.",
        retry_after_seconds=retry_after_seconds,
    )


def service_not_configured() -> Failure:
    """An operator has to set the service's address."""
    return Failure(500, "Service not configured. Please contact support.")


def service_authentication_failed() -> Failure:
    """The service refused our own key."""
    return Failure(500, "Service authentication failed. Please contact support.")


def unexpected(what: str) -> Failure:
    """A fault of ours."""
    return Failure(
        500, f"An unexpected server error occurred while fetching the TikTok profile: {what}"
    )


def service_unavailable() -> Failure:
    """The service is down, or did not answer in time."""
    return Failure(502, "The profile service is currently unavailable.")


def invalid_format() -> Failure:
    """The service answered something that is not a profile."""
    return Failure(502, "Received invalid data format from profile service.")


def service_error() -> Failure:
    """The service failed."""
    return Failure(502, "Error fetching profile data from the upstream service.")


def service_rate_limited() -> Failure:
    """The service refuses more requests for now."""
    return Failure(503, "Rate limit exceeded with the profile service. Please try again later.")
