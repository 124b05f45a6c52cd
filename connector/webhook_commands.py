"""An operator's commands for incoming webhooks."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import click

from connector import bootstrap
from connector.adapters.clock import SystemClock
from connector.commands import pass_settings
from connector.config import Settings
from connector.domain.callers import Caller
from connector.domain.deadlines import Deadline
from connector.domain.errors import ConnectorError
from connector.domain.platforms import PLATFORMS
from connector.watching import Watching
from connector.web.inputs import checked
from schemas.fields import choices_of, declared_fields, help_of
from schemas.webhooks import WebhookInput

KEY_VARIABLE: Final = "PROFILE_API_KEY"
SECRET_VARIABLE: Final = "SIGNATURE_SECRET"  # noqa: S105  # its name, not its value
_PLATFORMS: Final = {platform.key: platform for platform in PLATFORMS}
_FIELDS: Final = declared_fields(WebhookInput)
# A secret in an argument is seen by everybody on the machine.
_OPTIONS: Final = [name for name in _FIELDS if name != "signature_secret"]


@click.group()
def webhooks() -> None:
    """Incoming webhooks: make them, list them, end them."""


def _with_inputs(command: Any) -> Any:
    for name in reversed(_OPTIONS):
        said = help_of(_FIELDS[name]).replace("`", "")
        if choices := choices_of(_FIELDS[name]):
            said = f"{said} One of {', '.join(choices)}."
        command = click.option(f"--{name.replace('_', '-')}", name, help=said)(command)
    return command


@webhooks.command()
@click.option("--platform", type=click.Choice(list(_PLATFORMS)), default="api", show_default=True)
@_with_inputs
@pass_settings
def create(settings: Settings, /, platform: str, **given: str | None) -> None:
    """Make a webhook and print its address and secrets, this once.

    The API key that its look-ups are charged to comes from PROFILE_API_KEY or, without it, from the
    standard input; the secret that callers sign with from SIGNATURE_SECRET, or is new.
    """
    watching = _watching(settings)
    secret = {"signature_secret": os.environ.get(SECRET_VARIABLE)}
    try:
        asked = checked(WebhookInput(), given | secret)
        made = watching.webhooks.create(asked, _caller(settings, platform))
    except ConnectorError as exc:
        raise click.ClickException(exc.message) from exc
    click.echo(f"Webhook {made['id']}. What follows is not shown again:", err=True)
    for name in ("url", "signature_secret", "secret"):
        if made[name]:
            click.echo(f"{name}: {made[name]}")


@webhooks.command("list")
@pass_settings
def list_webhooks(settings: Settings) -> None:
    """List the webhooks of all connections; their addresses are not kept."""
    found = _watching(settings).stores.webhooks.listed(None)
    if not found:
        click.echo("No webhooks.")
    for one in found:
        kept = one.webhook
        signed = kept.signature_style or "unsigned"
        name = "".join(c if c.isprintable() else "?" for c in kept.name or "")
        click.echo(
            f"{kept.id}  {one.platform}  {kept.mode}  {signed}  {one.state}  {name}".rstrip()
        )


@webhooks.command()
@click.argument("webhook_id")
@pass_settings
def revoke(settings: Settings, webhook_id: str) -> None:
    """End the webhook WEBHOOK_ID; its address is unknown from now on."""
    now = SystemClock().now()
    if not _watching(settings).stores.webhooks.delete(None, webhook_id, now):
        raise click.ClickException("There is no such webhook.")
    click.echo(f"Webhook {webhook_id} is ended.")


def _watching(settings: Settings) -> Watching:
    settings.check_live()
    return bootstrap.open_watching(settings)


def _caller(settings: Settings, platform: str) -> Caller:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        if sys.stdin.isatty():
            key = click.prompt("API key", hide_input=True, err=True)
        else:
            key = sys.stdin.readline()
    if not (key := key.strip()):
        raise click.ClickException("Give the API key in PROFILE_API_KEY or on the standard input.")
    deadline = Deadline(settings.connector_deadline_seconds, SystemClock().monotonic)
    root = settings.connector_base_url or f"http://{settings.netloc}"
    return Caller(_PLATFORMS[platform], deadline, key, root)
