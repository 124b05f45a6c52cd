"""Commands for an operator: serve, migrate, keys, export."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from connector import bootstrap
from connector.config import Settings, SettingsError
from connector.exports.readme import render_readme
from connector.readme_tables import readme_tables
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
    bootstrap.migrate_database(settings)
    click.echo("The database is up to date.")


@cli.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Migrate, then serve everything on one port until Ctrl-C or SIGTERM."""
    bootstrap.migrate_database(settings)
    sys.exit(serve_until_stopped(settings, test_key=bootstrap.test_key(settings)))


@cli.group()
def export() -> None:
    """Write again what is generated from the catalog."""


@export.command("readme")
def export_readme() -> None:
    """Renew the generated tables of README.md in this folder."""
    readme = Path("README.md")
    readme.write_text(render_readme(readme.read_text("utf-8"), readme_tables()), "utf-8")
    click.echo("README.md is up to date.")


bootstrap.add_operator_commands(cli)

if __name__ == "__main__":
    cli(prog_name="python -m connector")
