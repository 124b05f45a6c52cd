"""Commands for an operator, from `check` to `export`; each says itself what it does."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import click

from connector import bootstrap, databases
from connector.adapters.crypto import new_encryption_key
from connector.backup_commands import backup, restore
from connector.commands import Commands, pass_settings, read_settings
from connector.config import Settings
from connector.domain.acting import OPERATOR, WORKER, acts
from connector.domain.deliveries import DEAD, DELIVERED, PENDING
from connector.findings import Level
from connector.generated import KINDS, generated_files, removals
from connector.keep_commands import KEEPING
from connector.serve import serve_until_stopped
from connector.webhook_commands import webhooks


@click.group(cls=Commands)
@click.pass_context
def cli(context: click.Context) -> None:
    """TikTok profile data for Zapier, Make and plain HTTP. Settings come from the environment."""
    bootstrap.prepare_operator_commands(context, read_settings)
    acts(OPERATOR)


@cli.command()
@pass_settings
def migrate(settings: Settings) -> None:
    """Bring the database to the shape that this version expects."""
    databases.migrate_database(settings)
    click.echo("The database is up to date.")


@cli.command("copy-database")
@click.option(
    "--from", "source", required=True, metavar="ADDRESS", help="As DATABASE_URL names the old one."
)
@pass_settings
def copy_database(settings: Settings, source: str) -> None:
    """Copy everything from another database into the one at DATABASE_URL, which must be empty.

    Stop the web server and the workers first: what they keep meanwhile would stay behind.
    """
    copied = databases.copy_database(settings, source)
    click.echo(f"{copied} rows were copied.")


@cli.command()
@pass_settings
def check(settings: Settings) -> None:
    """Say what is wrong or unsafe about this deployment, and what to do; end with 1 on errors."""
    found = bootstrap.checked(settings, os.environ)
    for level, group in groupby(found, key=lambda finding: finding.level):
        click.secho(level.value, bold=True)
        for finding in group:
            click.echo(f"  {finding.sentence}")
    sys.exit(any(finding.level is Level.ERROR for finding in found))


@cli.command()
@pass_settings
def serve(settings: Settings) -> None:
    """Migrate, then serve everything on one port until Ctrl-C or SIGTERM."""
    settings.check_live()
    databases.migrate_database(settings)
    bootstrap.check_serving(settings)
    sys.exit(serve_until_stopped(settings, test_key=bootstrap.test_key(settings)))


@cli.command()
@pass_settings
def work(settings: Settings) -> None:
    """Look at watched profiles and deliver events until Ctrl-C or SIGTERM."""
    settings.check_live()
    worker = bootstrap.make_worker(settings)
    acts(WORKER)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


@cli.group()
def deliveries() -> None:
    """Events on their way to receivers: list them, send them again."""


@deliveries.command("list")
@click.option("--state", type=click.Choice([PENDING, DELIVERED, DEAD]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@pass_settings
def list_deliveries(settings: Settings, state: str | None, limit: int) -> None:
    """List the newest deliveries."""
    found = bootstrap.delivery_store(settings).listed(None, state=state, limit=limit)
    if not found:
        click.echo("No deliveries.")
    for one in found:
        said = one.last_error or (f"answered {one.last_status}" if one.last_status else "")
        click.echo(f"{one.id}  {one.state}  {one.attempts} tries  {one.trigger}  {said}".rstrip())


@deliveries.command()
@click.argument("delivery_id", type=click.IntRange(1, 2**63 - 1))
@pass_settings
def replay(settings: Settings, delivery_id: int) -> None:
    """Send the delivery DELIVERY_ID again, with the same id."""
    now = datetime.now(UTC)
    if not bootstrap.delivery_store(settings).replay(delivery_id, now):
        raise click.ClickException(f"There is no delivery {delivery_id} that has ended.")
    click.echo(f"Delivery {delivery_id} is sent again.")


@cli.command("new-encryption-key")
def encryption_key() -> None:
    """Print a new key for CONNECTOR_ENCRYPTION_KEYS."""
    click.echo(new_encryption_key())


@cli.command()
@click.argument("kind", type=click.Choice([*KINDS, "all"]), default="all")
@click.option("--allow-removal", is_flag=True, help="Also where Zaps or scenarios would break.")
def export(kind: str, *, allow_removal: bool) -> None:
    """Write again, below this folder, what is generated from the catalog: KIND, or all of it."""
    root = Path()
    kinds = KINDS if kind == "all" else [kind]
    files = {root / name: text for k in kinds for name, text in generated_files(k, root).items()}
    changed = {path: text for path, text in files.items() if _text_of(path) != text}
    lost = [line for path, text in changed.items() for line in removals(path, _text_of(path), text)]
    if lost and not allow_removal:
        raise click.ClickException(
            "\n".join(["Nothing was written, since Zaps or scenarios would break:", *lost])
            + "\nIf it must be, run it with --allow-removal."
        )
    for path, text in changed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        click.echo(f"wrote {path}")
    click.echo(f"{len(files)} files are up to date; {len(changed)} had to be written.")


def _text_of(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


bootstrap.add_operator_commands(cli)
cli.add_command(backup)
cli.add_command(restore)
cli.add_command(webhooks)
for command in KEEPING:
    cli.add_command(command)

if __name__ == "__main__":
    cli(prog_name="python -m connector")
