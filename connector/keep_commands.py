"""An operator's commands for what is kept: sealed anew, looked through, deleted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

import click

from connector import bootstrap
from connector.adapters.clock import SystemClock
from connector.commands import pass_settings
from connector.config import Settings
from connector.watching import Watching

_PASSES: Final = 5
_COUNTED: Final = ("watches", "subscriptions", "webhooks", "jobs", "deliveries")


@click.command("rotate-encryption-keys")
@pass_settings
def rotate(settings: Settings) -> None:
    """Seal everything again with the first of CONNECTOR_ENCRYPTION_KEYS, while others work on.

    \b
    1. Make a key with new-encryption-key. Set OLD,NEW everywhere, and restart.
    2. Set NEW,OLD everywhere, and restart: what is kept from now on is sealed
       with the new key. On one machine, where all restarts at once, begin here.
    3. Run this. It may be ended at any time, and begun again.
    4. When it says so, set NEW alone, and restart.

    Where no keys are set, the one in the file beside the database is used, whose
    name ends in .key: write NEW,OLD into that file, and at last NEW.

    Nothing is lost: what none of the keys opens stays as it is. Backups made
    before need the old keys still.
    """  # noqa: D301  # click's own mark for lines that stay as they are
    watching = _watching(settings)
    sealed_anew = 0
    for _ in range(_PASSES):
        renewed, lost, changed = _pass(watching)
        sealed_anew += renewed
        # Another pass sees whether all of it is as it should be.
        if not renewed and not changed:
            break
    click.echo(f"{sealed_anew} were sealed anew.")
    if lost:
        raise click.ClickException(
            f"{lost} could not be opened with any of the keys, and stay as they are: put the key that"
            " sealed them behind the others, and run this again."
        )
    if renewed or changed:
        raise click.ClickException(
            "Others still seal with an older key: restart the web server and every worker with the new"
            " key in front, and run this again."
        )
    # What others seal from now on can't be seen from here.
    click.echo(
        "Everything is sealed with the first key: the others can be taken out now, if web server and"
        " workers were restarted with it in front."
    )


def _pass(watching: Watching) -> tuple[int, int, int]:
    """How many were sealed anew, could not be opened, or were just changed by others."""
    seen: dict[str, int] = {}
    renewed = lost = changed = 0
    for piece in watching.renew_sealed():
        seen[piece.column] = seen.get(piece.column, 0) + piece.seen
        renewed, lost = renewed + piece.renewed, lost + piece.lost
        changed += piece.changed
        click.echo(f"{piece.column}: {seen[piece.column]}, {renewed} sealed anew so far", err=True)
    return renewed, lost, changed


@click.command()
@click.option("--since", type=click.DateTime(), help="Only from this moment on, in UTC.")
@click.option("--connection", help="Only of this connection, by its id.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
@pass_settings
def audit(
    settings: Settings, since: datetime | None, connection: str | None, limit: int, *, as_json: bool
) -> None:
    """List who changed what, newest first: keys, subscriptions, webhooks, pauses, deletions."""
    from_then = since and since.replace(tzinfo=UTC)
    found = _watching(settings).stores.audit_log.lines(
        since=from_then, connection_id=connection, limit=limit
    )
    if not found and not as_json:
        click.echo("Nothing was changed.")
    for line in found:
        at = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {"at": at, **{name: value for name, value in vars(line).items() if name != "at"}}
        if as_json:
            click.echo(json.dumps(shown))
        else:
            click.echo("  ".join(value or "-" for value in shown.values()))


@click.command()
@pass_settings
def connections(settings: Settings) -> None:
    """List whose keys are kept: by id, never the key, with the number of things for each."""
    found = _watching(settings).stores.connections.listed()
    if not found:
        click.echo("No connections.")
    for one in found:
        counted = ", ".join(f"{getattr(one, name)} {name}" for name in _COUNTED)
        ending = "  is being deleted" if one.ending else ""
        click.echo(f"{one.id}  since {one.created_at:%Y-%m-%d}  {counted}{ending}")


@click.command("delete-connection")
@click.argument("connection_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@pass_settings
def delete_connection(settings: Settings, connection_id: str, *, yes: bool) -> None:
    """Delete all that is kept for the connection ID, as 'connections' lists it.

    It may be ended at any time: a worker goes on with it, as does the same command.
    """
    watching = _watching(settings)
    if not yes:
        click.confirm(f"Delete all that is kept for {connection_id}, for good?", abort=True)
    platform = connection_id.partition(":")[0]
    if not watching.deleting.begin(connection_id, platform):
        raise click.ClickException(
            "Nothing is kept for it; 'python -m connector connections' lists what is."
        )
    deleted = 0
    while (rows := watching.deleting.piece(connection_id)) is not None:
        deleted += rows
        click.echo(f"{deleted} rows so far", err=True)
        if not rows:
            # Somebody just looks at one of its profiles; it takes seconds, or two minutes where a
            # process was killed.
            SystemClock().sleep(1)
    click.echo(f"Everything that was kept for {connection_id} is deleted.")


def _watching(settings: Settings) -> Watching:
    settings.check_live()
    return bootstrap.open_watching(settings)


KEEPING: Final = (rotate, audit, connections, delete_connection)
