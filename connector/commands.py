"""What an operator's commands have in common: the settings, and a sentence where they are wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from connector.config import Settings, SettingsError
from connector.log import start_log


def read_settings() -> Settings:
    """The settings of the environment, with the log as they say. Raises `SettingsError`."""
    settings = Settings.from_env(os.environ)
    start_log(settings.log_level)
    return settings


def pass_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Hands the settings to `command`, and tells a `SettingsError` as one sentence."""

    @wraps(command)
    def told(**given: Any) -> None:
        try:
            # Not before: help, and what makes a missing setting, have to work with wrong ones.
            command(read_settings(), **given)
        except SettingsError as exc:
            raise click.ClickException(str(exc)) from exc

    return told
