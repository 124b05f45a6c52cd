"""Commands for an operator: serve, migrate, keys, export."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from connector import bootstrap
from connector.adapters.crypto import new_encryption_key
from connector.config import Settings, SettingsError
from connector.generated import KINDS, generated_files, removals
from connector.serve import serve_until_stopped


@click.group()
@click.pass_context
def cli(context: click.Context) -> None:
    """TikTok profile data for Zapier, Make and plain HTTP. Settings come from the environment."""
    try:
        context.obj = Settings.from_env(os.environ)
    except SettingsError as exc:
        raise click.ClickException(str(exc)) from exc
    bootstrap.prepare_operator_commands(context, context.obj)


@cli.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the shape that this version expects."""
    _migrate(settings)
    click.echo("The database is up to date.")


@cli.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Migrate, then serve everything on one port until Ctrl-C or SIGTERM."""
    try:
        settings.check_live()
    except SettingsError as exc:
        raise click.ClickException(str(exc)) from exc
    _migrate(settings)
    sys.exit(serve_until_stopped(settings, test_key=bootstrap.test_key(settings)))


@cli.command("new-encryption-key")
def encryption_key() -> None:
    """Print a new key for CONNECTOR_ENCRYPTION_KEYS."""
    click.echo(new_encryption_key())


@cli.command()
@click.argument("kind", type=click.Choice([*KINDS, "all"]), default="all")
@click.option("--allow-removal", is_flag=True, help="Also where published Zaps would break.")
def export(kind: str, *, allow_removal: bool) -> None:
    """Write again, below this folder, what is generated from the catalog: KIND, or all of it."""
    root = Path()
    kinds = KINDS if kind == "all" else [kind]
    files = {root / name: text for k in kinds for name, text in generated_files(k, root).items()}
    changed = {path: text for path, text in files.items() if _text_of(path) != text}
    lost = [line for path, text in changed.items() for line in removals(path, _text_of(path), text)]
    if lost and not allow_removal:
        raise click.ClickException(
            "\n".join(["Nothing was written, since Zaps would break:", *lost])
            + "\nIf it must be, run it with --allow-removal."
        )
    for path, text in changed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        click.echo(f"wrote {path}")
    click.echo(f"{len(files)} files are up to date; {len(changed)} had to be written.")


def _migrate(settings: Settings) -> None:
    try:
        bootstrap.migrate_database(settings)
    except SettingsError as exc:
        raise click.ClickException(str(exc)) from exc


def _text_of(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


bootstrap.add_operator_commands(cli)

if __name__ == "__main__":
    cli(prog_name="python -m connector")
