"""An operator's commands for API keys. Whoever mounts them says how to open the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from profile_api.keys import new_key
from profile_api.store import CREDITS_PER_REQUEST, DEFAULT_RATE_LIMIT, Store

MAX_CREDITS = 1_000_000_000
OPEN_STORE = "profile_api.open_store"
"""The key in `click.Context.meta` of a function that opens the `Store`."""


_KEY_ID = click.IntRange(1, 2**63 - 1)


def _readable(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise click.BadParameter("must be a line of readable text.")
    return value.strip()


def _pass_store(command: Callable[..., None]) -> Callable[..., None]:
    """Hands the store to `command`, opened as it runs: help needs none."""

    @wraps(command)
    def opened(**given: Any) -> None:
        command(click.get_current_context().meta[OPEN_STORE](), **given)

    return opened


@click.group()
def keys() -> None:
    """API keys of the embedded endpoint: create, list, top up, deactivate."""


@keys.command()
@click.option("--name", required=True, callback=_readable, help="Whose key it is.")
@click.option(
    "--credits",
    "amount",
    type=click.IntRange(0, MAX_CREDITS),
    default=1000,
    show_default=True,
    help=f"A successful look-up costs {CREDITS_PER_REQUEST}.",
)
@click.option(
    "--rate-limit",
    type=click.IntRange(1, 1_000_000),
    default=DEFAULT_RATE_LIMIT,
    show_default=True,
    help="Requests a minute.",
)
@_pass_store
def create(store: Store, name: str, amount: int, rate_limit: int) -> None:
    """Create a key and print it, this once."""
    key = new_key()
    key_id = store.create_key(
        key, name=name[:100], credits=amount, rate_limit=rate_limit, now=datetime.now(UTC)
    )
    click.echo(f"Key {key_id} for {name} with {amount} credits. It is not shown again:", err=True)
    click.echo(key)


@keys.command("list")
@_pass_store
def list_keys(store: Store) -> None:
    """List the keys with their credits; a key itself is not kept."""
    rows = [
        (row.id, row.hint, row.name, row.credits, f"{row.rate_limit}/min", _state(row.active))
        for row in store.list_keys()
    ]
    if not rows:
        click.echo("No keys yet. Create one: python -m connector keys create --name NAME")
        return
    _table(("ID", "KEY", "NAME", "CREDITS", "LIMIT", "STATE"), rows)


@keys.command("top-up")
@click.argument("key_id", type=_KEY_ID)
@click.argument("amount", metavar="CREDITS", type=click.IntRange(1, MAX_CREDITS))
@_pass_store
def top_up(store: Store, key_id: int, amount: int) -> None:
    """Add CREDITS to the key KEY_ID."""
    balance = store.top_up(key_id, amount, now=datetime.now(UTC))
    if balance is None:
        raise _no_such_key(key_id)
    click.echo(f"Key {key_id} has {balance} credits now.")


@keys.command()
@click.argument("key_id", type=_KEY_ID)
@_pass_store
def deactivate(store: Store, key_id: int) -> None:
    """Refuse the key KEY_ID from now on; `activate` takes it back."""
    _switch(store, key_id, active=False)


@keys.command()
@click.argument("key_id", type=_KEY_ID)
@_pass_store
def activate(store: Store, key_id: int) -> None:
    """Accept the key KEY_ID again."""
    _switch(store, key_id, active=True)


_LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="How many.",
)


@keys.command()
@_LIMIT
@_pass_store
def changes(store: Store, limit: int) -> None:
    """List the latest changes of keys: when, whose, what, and with how many credits."""
    rows = [
        (_moment(line.at), line.key_id, line.name, line.what, line.credits or "")
        for line in store.changes(limit)
    ]
    if not rows:
        click.echo("No changes yet.")
        return
    _table(("TIME", "ID", "NAME", "WHAT", "CREDITS"), rows)


@keys.command()
@_LIMIT
@_pass_store
def requests(store: Store, limit: int) -> None:
    """List the latest requests: when, whose, from where, for what, at what price."""
    rows = [
        (
            _moment(line.at),
            line.key_name,
            line.request_source,
            line.handle,
            line.status,
            line.credits,
        )
        for line in store.latest_requests(limit)
    ]
    if not rows:
        click.echo("No requests yet.")
        return
    _table(("TIME", "KEY", "SOURCE", "HANDLE", "STATUS", "CREDITS"), rows)


def _switch(store: Store, key_id: int, *, active: bool) -> None:
    if not store.set_active(key_id, active, now=datetime.now(UTC)):
        raise _no_such_key(key_id)
    click.echo(f"Key {key_id} is {_state(active)} now.")


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _state(active: bool) -> str:  # noqa: FBT001  # it is the value
    return "active" if active else "inactive"


def _no_such_key(key_id: int) -> click.ClickException:
    return click.ClickException(
        f"There is no key {key_id}; 'python -m connector keys list' shows them."
    )


def _table(head: tuple[str, ...], rows: list[Any]) -> None:
    cells = [head, *(tuple(map(_printable, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def _printable(value: object) -> str:
    """Without what would draw over the table: handles and names are whatever was typed."""
    return "".join(c if c.isprintable() else "?" for c in str(value))
