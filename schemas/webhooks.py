"""Incoming webhooks: what making one takes, how it stands, and what firing it answers."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from schemas.fields import (
    Flag,
    Identifier,
    Secret,
    Text,
    Timestamp,
    Url,
    WholeNumber,
    declared_fields,
    field,
    secrets_of,
)
from schemas.hooks import HookEnd
from schemas.profile import SAMPLE_FETCHED_AT

ANSWER = "answer"
FORWARD = "forward"
CALLBACK = "callback"
MODES = {
    ANSWER: "Answer with the row",
    FORWARD: "Send the row to a target",
    CALLBACK: "Answer with a job, and call back",
}
STANDARD, GITHUB, STRIPE, SHOPIFY = "standard", "github", "stripe", "shopify"
STYLES = {STANDARD: "Standard Webhooks", GITHUB: "GitHub", STRIPE: "Stripe", SHOPIFY: "Shopify"}
_SAMPLE_ID = "6f1d2c3b4a5968778695a4b3c2d1e0f9"


class RotateInput(Schema):
    """What replacing a webhook's token takes."""

    class Meta:
        unknown = EXCLUDE

    signature_secret = field(
        Secret,
        label="Signature secret", sample="It's a Secret to Everybody", load_default=None,
        validate=validate.Length(8, 512),
        help="The secret that callers sign with, where they chose it. Empty: a new one is made.",
    )


def _style(*styles: str) -> fields.Field[Any]:
    return field(
        Text,
        label="Signature style", sample=GITHUB, load_default=None,
        choices={style: STYLES[style] for style in styles},
        help="How callers have to sign. Empty: whoever knows the address may fire it.",
    )


class WebhookForm(Schema):
    """A webhook to make with a form of a platform, which asks for no secrets: a new one is answered."""

    class Meta:
        unknown = EXCLUDE

    name = field(
        Text,
        label="Name", sample="Sign-up form", load_default=None, validate=validate.Length(max=100),
        help="What to call it in lists.",
    )
    mode = field(
        Text,
        label="Mode", sample=FORWARD, load_default=ANSWER, choices=MODES,
        help="`answer` gives the row to whoever fires it; `forward` sends it to the target; `callback`"
        " answers at once with a job, whose result is sent when it is there.",
    )
    target_url = field(
        Text,
        label="Target URL", sample="https://hooks.example.com/1", load_default=None,
        help="Where `forward` sends rows, and `callback` results: https, on a host that the internet can"
        " reach.",
    )
    callers_choose = field(
        Flag,
        label="Callers choose target", sample=False, load_default=False, allow_none=False,
        help="Whether a request may name another `callback_url`, only with the mode `callback`.",
    )
    handle_path = field(
        Text,
        label="Handle path", sample="data.user.name", load_default=None,
        validate=validate.Length(max=200),
        help="Where the handle stands in what is sent, such as data.user.name or items.0.handle."
        " Empty: it is looked for under the usual names.",
    )
    # The others give the secret rather than take it.
    signature_style = _style(STANDARD, GITHUB)
    signature_header = field(
        Text,
        label="Signature header", sample="X-Hub-Signature-256", load_default=None,
        validate=validate.Regexp(r"^[A-Za-z0-9-]{1,64}$", error="Not the name of a header."),
        help="The header that holds the signature. Empty: the one of the style.",
    )
    daily_credits = field(
        WholeNumber,
        label="Daily credits", sample=100, load_default=None,
        validate=validate.Range(0, 1_000_000_000),
        help="Credits that it may spend on one day (UTC). Empty: the connector's own limit.",
    )
    requests_per_minute = field(
        WholeNumber,
        label="Requests per minute", sample=60, load_default=60, validate=validate.Range(1, 6000),
        help="How often it may be fired in a minute.",
    )

    @validates_schema
    def _fits_together(self, data: dict[str, Any], **_: Any) -> None:
        mode, target, choose = data["mode"], data["target_url"], data["callers_choose"]
        if choose and mode != CALLBACK:
            raise ValidationError("Give it with the mode callback, and only then.", "callers_choose")
        if bool(target) == (mode == ANSWER) and not choose:
            raise ValidationError(f"Give it with the mode {FORWARD} or {CALLBACK}.", "target_url")
        for key in ("signature_header", "signature_secret"):
            if data.get(key) and not data["signature_style"]:
                raise ValidationError("Give a signature_style with it.", key)


class WebhookInput(WebhookForm):
    """A webhook to make."""

    class Meta:
        unknown = EXCLUDE

    signature_style = _style(*STYLES)
    signature_secret = declared_fields(RotateInput)["signature_secret"]


_INPUT = declared_fields(WebhookInput)


class Webhook(Schema):
    """A webhook as it stands."""

    id = field(Identifier, label="Webhook ID", sample=_SAMPLE_ID, help="Names the webhook, to end it.")
    name = _INPUT["name"]
    mode = field(Text, label="Mode", sample=FORWARD, help="`answer`, `forward` or `callback`.")
    target_url = field(
        Url, label="Target URL", sample="https://hooks.example.com/1", help="Where rows are sent.",
    )
    callers_choose = _INPUT["callers_choose"]
    handle_path = _INPUT["handle_path"]
    signature_style = field(
        Text, label="Signature style", sample=GITHUB, help="How callers have to sign, if at all.",
    )
    signature_header = field(
        Text, label="Signature header", sample="X-Hub-Signature-256",
        help="The header that holds the signature.",
    )
    daily_credits = field(
        WholeNumber, label="Daily credits", sample=100,
        help="Credits that it may spend on one day (UTC).",
    )
    credits_today = field(
        WholeNumber, label="Credits today", sample=4, help="Credits that it has spent today (UTC).",
    )
    requests_per_minute = field(
        WholeNumber, label="Requests per minute", sample=60,
        help="How often it may be fired in a minute.",
    )
    state = field(
        Text, label="State", sample="active",
        help="`active`, or `disabled` when the target wants no more or never answers.",
    )
    reason = field(Text, label="Reason", sample=None, help="Why it is disabled.")
    url = field(
        Url, label="Webhook URL", secret=True,
        sample="https://profiles.example.com/webhooks/wh_dGhpcy1pcy1hLXNhbXBsZS1hbmQtb3BlbnMtbm90aGluZw",
        help="The secret address that fires it. Shown once, when it is new.",
    )
    signature_secret = field(
        Text, label="Signature secret", sample="It's a Secret to Everybody", secret=True,
        help="What callers sign with. Shown once, when it is new.",
    )
    secret = field(
        Text, label="Signing secret", sample="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", secret=True,
        help="Verifies what is sent to the target by Standard Webhooks. Shown once, when it is new.",
    )
    created_at = field(
        Timestamp, label="Created at", sample=SAMPLE_FETCHED_AT, help="When the webhook was made.",
    )


_SHOWN_ONCE = secrets_of(Webhook)

ListedWebhook: type[Schema] = Schema.from_dict(
    {key: kind for key, kind in declared_fields(Webhook).items() if key not in _SHOWN_ONCE},
    name="ListedWebhook",
)


class WebhookCall(Schema):
    """One request to a webhook, and how it was answered."""

    called_at = field(
        Timestamp, label="Called at", sample=SAMPLE_FETCHED_AT, help="When the request came.",
    )
    handle = field(
        Text, label="Handle", sample="stoolpresidente",
        help="The handle that it asked for. Empty where none was understood.",
    )
    error_code = field(
        Text, label="Error code", sample=None, help="Why it failed, as a code. Empty: it went well.",
    )
    error = field(Text, label="Error", sample=None, help="Why it failed, as a sentence.")
    milliseconds = field(WholeNumber, label="Milliseconds", sample=320, help="How long it took.")


class WebhookToEnd(Schema):
    """The webhook to end."""

    class Meta:
        unknown = EXCLUDE

    id = field(
        Identifier,
        label="Webhook ID", sample=_SAMPLE_ID, required=True, allow_none=False,
        help="The ID that making the webhook answered. Ending it twice is no error.",
    )


class FindWebhooksInput(Schema):
    """Which webhooks to find."""

    class Meta:
        unknown = EXCLUDE

    name = field(
        Text,
        label="Name", sample="Sign-up form", load_default=None,
        help="Only those that are called so. Empty: all of them.",
    )


class WebhookEnd(Schema):
    """What ending a webhook answers, also when there was none left."""

    id = field(Identifier, label="Webhook ID", sample=_SAMPLE_ID, help="The webhook that was named.")
    deleted = declared_fields(HookEnd)["deleted"]


class Accepted(Schema):
    """What firing a webhook answers that does not answer the row."""

    id = field(
        Identifier, label="ID", sample="4711",
        help="The delivery that carries the row to the target, or the job that looks it up.",
    )
    state = field(
        Text, label="State", sample="pending",
        help="`pending`: the delivery is on its way; `running`: the job goes on.",
    )
    secret = field(
        Text, label="Signing secret", sample=None, secret=True,
        help="Verifies the callback to an address that the request named. Shown once.",
    )
