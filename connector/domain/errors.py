"""Every way a request can fail, by what the caller does next. Knows no HTTP status."""

from __future__ import annotations

from typing import ClassVar, Final

from connector.domain.answers import RateLimit

_CHARGED = "The call may have been charged: check your credits before you repeat it."

_TODAY: Final = "credits for today (UTC)."


class ConnectorError(Exception):
    """The root. `message` is safe to show; `code` is stable; `advice` says what to do next."""

    code: ClassVar[str]
    advice: ClassVar[str]
    default: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after_seconds: int | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.message = message or self.default
        self.retry_after_seconds = retry_after_seconds
        self.rate_limit = rate_limit
        super().__init__(self.message)


class Unreadable(Exception):
    """A sealed secret can't be opened: the encryption key that sealed it is gone."""


class InvalidInput(ConnectorError):
    """The caller changes the request."""

    code = "invalid_input"
    default = "The request could not be understood."
    advice = "Correct the request and send it again; nothing was charged."


class InvalidHandle(InvalidInput):
    """The caller changes the handle."""

    code = "invalid_handle"
    default = "The handle is not valid."
    advice = "Use the name after the @ on the profile; nothing was charged."


class Permanent(ConnectorError):
    """Repeating does not help until something else changes."""


class InvalidApiKey(Permanent):
    """The caller connects the account again."""

    code = "invalid_api_key"
    default = "API key is invalid or missing."
    advice = "Send an active key as 'Authorization: Bearer YOUR_KEY' or 'X-API-Key: YOUR_KEY'."


class InvalidSignature(Permanent):
    """The caller signs the request as the webhook asks for."""

    code = "invalid_signature"
    default = "The request is not signed as this webhook asks for."
    advice = "Sign the body as it is sent, with the webhook's own secret; nothing was charged."


class WebhookDisabled(Permanent):
    """The owner of the webhook mends what it depends on; nothing was done."""

    code = "webhook_disabled"
    default = "This webhook is disabled."
    advice = "Its owner finds the reason in the list of webhooks; nothing was charged."


class InsufficientCredits(Permanent):
    """The account's owner tops it up."""

    code = "insufficient_credits"
    default = "Insufficient credits. Please top up your account."
    advice = "Top up the account that the API key belongs to; the key itself is good."


class NotFound(Permanent):
    """The caller asked for something of its own that is not there."""

    code = "not_found"
    default = "There is no such thing."
    advice = "Check the id; what was deleted stays deleted."


class NotWatched(Permanent):
    """The caller watches the profile first."""

    code = "not_watched"
    default = "The profile is not watched with this API key."
    advice = "Poll a trigger with its handle, or subscribe to one: looks are kept from then on."


class BudgetExceeded(Permanent):
    """The connector's own limit on what is spent in a day; the upstream was not asked."""

    code = "budget_exceeded"
    default = "The credits for today are spent."
    advice = (
        "It goes on at midnight UTC. DAILY_CREDITS limits a key, WATCH_DAILY_CREDITS watching,"
        " daily_credits a webhook."
    )

    @classmethod
    def of(cls, who: str, credits: int | None) -> BudgetExceeded:
        """The budget of `who` is spent."""
        return cls(f"{who} has spent its {credits} {_TODAY}")

    @classmethod
    def said(cls, problem: str | None) -> BudgetExceeded | None:
        """The same again, where it is the problem that was kept of it."""
        return cls(problem) if problem and problem.endswith(_TODAY) else None


class IdempotencyKeyReused(Permanent):
    """The caller takes another key."""

    code = "idempotency_key_reused"
    default = "This Idempotency-Key was sent with another request."
    advice = "Send a new key with each new request; nothing was charged."


class ProfileNotFound(Permanent):
    """There is nothing to look up; a search answers an empty list."""

    code = "profile_not_found"
    default = "TikTok profile not found."
    advice = "Check the spelling; the account may have been renamed, removed or deactivated."


class UpstreamInvalid(Permanent):
    """The upstream answered something that is not its contract."""

    code = "upstream_invalid"
    default = "The profile API sent an answer that is not in its documented form."
    advice = _CHARGED


class UpstreamTimeout(Permanent):
    """Not retriable without a look, since the upstream may have done its work."""

    code = "upstream_timeout"
    default = "The profile API did not answer in time."
    advice = _CHARGED


class Unavailable(Permanent):
    """The caller waits until the connector's own database is there again."""

    code = "unavailable"
    default = "The connector can't use its database just now."
    advice = (
        "Try again in a minute; a look-up that was under way may have been charged, and what was being"
        " made may be there. Whoever runs the connector finds the reason at /readyz."
    )


class Retriable(ConnectorError):
    """The same request may succeed later, and the failed one was not charged."""

    retryable = True


class BeingDeleted(Retriable):
    """The caller waits until what was kept for the key is gone, or leaves it at that."""

    code = "being_deleted"
    default = "What is kept for this API key is just being deleted."
    advice = "Where you want to begin anew, send it again in a minute; nothing was charged."


class RateLimited(Retriable):
    """The caller waits `retry_after_seconds`."""

    code = "rate_limited"
    default = "Rate limit exceeded. Please try again later."
    advice = "Wait as long as Retry-After says, then send the request again; nothing was charged."


class IdempotencyKeyBusy(Retriable):
    """The caller waits for the first request."""

    code = "idempotency_key_busy"
    default = "A request with this Idempotency-Key is being done."
    advice = (
        "Send it again when Retry-After has passed, to get its answer; nothing was charged twice."
    )


class UpstreamUnavailable(Retriable):
    """The upstream is down or failing."""

    code = "upstream_unavailable"
    default = "The profile API is currently unavailable."
    advice = "Try again in a few minutes; a failed look-up is not charged."


# What may have cost credits although it failed: repeating it may pay twice.
MAYBE_CHARGED: Final = (UpstreamTimeout, UpstreamInvalid)
