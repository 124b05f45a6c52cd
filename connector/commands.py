"""What an operator's commands have in common: the settings, and a sentence where it can't be done."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from connector.config import Settings, SettingsError
from connector.databases import OUTAGES
from connector.log import start_log


class Commands(click.Group):
    """Tells in a sentence what keeps a command from being carried out."""

    def invoke(self, ctx: click.Context) -> Any:
        """Called by click once it knows which."""
        try:
            return super().invoke(ctx)
        except SettingsError as exc:
            raise click.ClickException(str(exc)) from exc
        except OUTAGES as exc:
            reason = " ".join(str(getattr(exc, "orig", None) or type(exc).__name__).split())
            raise click.ClickException(
                f"The database can't be used ({reason}); 'python -m connector check' may say more."
            ) from exc


def read_settings() -> Settings:
    """The settings of the environment, with the log as they say. Raises `SettingsError`."""
    settings = Settings.from_env(os.environ)
    start_log(settings.log_level)
    return settings


def pass_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Hands the settings to `command`."""

    @wraps(command)
    def given_them(**given: Any) -> None:
        # Not before: help, and what makes a missing setting, have to work with wrong ones.
        command(read_settings(), **given)

    return given_them
