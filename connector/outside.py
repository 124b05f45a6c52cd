"""Assembly of what the parts meet outside their database: the upstream, receivers, time, chance."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import requests
from sqlalchemy import Engine, make_url

from connector.adapters.clock import SystemClock
from connector.adapters.crypto import FernetVault, key_beside
from connector.adapters.measured import Measure, MeasuredProfiles, MeasuredSender
from connector.adapters.pictures import WebPictures
from connector.adapters.sender import WebhookSender
from connector.adapters.store.subscriptions import Subscriptions
from connector.adapters.wakeups import NoWakeups
from connector.config import Settings, SettingsError
from connector.domain.errors import Unreadable
from connector.domain.ports import Clock, PictureSource, Profiles, Sender, Vault, Wakeups
from connector.domain.targets import is_denied
from connector.setting_rules import networks_in
from wire.http import new_session

log = logging.getLogger(__name__)
_CLOSED = (
    "The setting CONNECTOR_ENCRYPTION_KEYS is wrong: it doesn't open the API keys that are"
    " stored. Where none was set, the key is in the file beside the database that ends in .key."
)
_LOST = (
    "Where that is lost for good, 'python -m connector connections' lists what is kept for each API key,"
    " and 'python -m connector delete-connection ID' deletes it; whoever needs it connects again."
)
# A few pages are looked at, not hundreds.
_PICTURES_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Outside:
    """`random` gives numbers from 0 up to 1; `forget_elsewhere` forgets what others keep from before."""

    profiles: Profiles
    sender: Sender
    pictures: PictureSource | None
    vault: Vault
    wakeups: Wakeups
    measure: Measure
    forget_elsewhere: Callable[[datetime], object]
    clock: Clock = field(default_factory=SystemClock)
    random: Callable[[], float] = random.random


def real_outside(
    settings: Settings,
    profiles: Profiles,
    measure: Measure,
    forget_elsewhere: Callable[[datetime], object],
) -> Outside:
    """What these settings name, measured. Raises `SettingsError`."""
    sender = WebhookSender(_guarded_session(settings, settings.worker_threads))
    return Outside(
        profiles=MeasuredProfiles(profiles, measure),
        sender=MeasuredSender(sender, measure),
        # Sample data names pictures that are nowhere.
        pictures=WebPictures(_guarded_session(settings, _PICTURES_AT_ONCE))
        if settings.is_live
        else None,
        vault=_vault(settings),
        wakeups=_wakeups(settings),
        measure=measure,
        forget_elsewhere=forget_elsewhere,
    )


def check_keys_open(settings: Settings, engine: Engine) -> None:
    """Raises `SettingsError` where a key that is stored there can't be opened with these settings."""
    vault = _vault(settings)
    if not all(_opens(vault, key) for key in Subscriptions(engine).sealed_keys()):
        raise SettingsError(_CLOSED)


def check_a_key_opens(vault: Vault, sealed_keys: Sequence[str]) -> None:
    """Raises `SettingsError` where there are keys, and none can be opened.

    Where only some can, the log says so: the others may be lost, and their owners connect again.
    """
    if closed := _closed(vault, sealed_keys):
        log.error("stored API keys can't be opened", extra={"keys": closed})


def check_worker_starts(settings: Settings, engine: Engine) -> None:
    """Raises `SettingsError` where none of the keys that are stored there can be opened."""
    _closed(_vault(settings), Subscriptions(engine).sealed_keys())


def _closed(vault: Vault, sealed_keys: Sequence[str]) -> int:
    closed = sum(not _opens(vault, key) for key in sealed_keys)
    if closed and closed == len(sealed_keys):
        raise SettingsError(f"{_CLOSED} {_LOST}")
    return closed


def _opens(vault: Vault, sealed_key: str) -> bool:
    try:
        vault.open(sealed_key)
    except Unreadable:
        return False
    return True


def _guarded_session(settings: Settings, pool_size: int) -> requests.Session:
    """A session for addresses that strangers name."""
    allow_local = settings.connector_allow_local_callbacks
    denied = networks_in(settings.connector_denied_networks)

    def may_dial(address: str) -> bool:
        return not is_denied(address, allow_local=allow_local, networks=denied)

    return new_session(pool_size=pool_size, may_dial=may_dial)


def _wakeups(settings: Settings) -> Wakeups:
    if not settings.connector_broker_url:
        return NoWakeups()
    # Where there is no broker, nobody waits for Celery to be imported.
    from connector.adapters.queue import Queue

    return Queue(settings.connector_broker_url, SystemClock())


def _vault(settings: Settings) -> FernetVault:
    if settings.connector_encryption_keys:
        return FernetVault(settings.connector_encryption_keys.split(","))
    settings.check_live()
    database = Path(str(make_url(settings.database_url).database))
    try:
        return FernetVault(key_beside(database).split(","))
    except OSError as exc:
        raise SettingsError(
            f"{database}.key, which opens stored API keys, can't be made or read ({exc.strerror}): let"
            " this user do so, or set CONNECTOR_ENCRYPTION_KEYS."
        ) from exc
    except ValueError:
        raise SettingsError(
            f"{database}.key must hold keys from 'python -m connector new-encryption-key', with commas"
            " in between. Without those that were in it, stored API keys stay closed."
        ) from None
