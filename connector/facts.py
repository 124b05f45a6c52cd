"""What `check` looks at: this machine, database, broker, and the upstream's clock. Judges nothing."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from sqlalchemy import Engine, make_url

from connector.adapters.store.subscriptions import Subscriptions
from connector.adapters.store.workers import Workers
from connector.config import Settings, SettingsError
from connector.domain.ports import Clock
from connector.findings import Facts
from connector.outside import check_keys_open
from wire.database import clock_of
from wire.http import ExchangeError, exchange, new_session

_PATIENCE_SECONDS: Final = 3.0


def gather(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    open_database: Callable[[], Engine],
    problem: Callable[[Engine], str | None],
    is_newer: Callable[[Engine], bool],
    clock: Clock,
) -> Facts:
    """Everything there is to see; within seconds, and writing nothing, whatever is out of reach.

    `open_database` raises `SettingsError` where there is none to open; `problem` says why it can't
    be used.
    """
    # At the same time, as each may be out of reach and is waited for.
    with ThreadPoolExecutor() as pool:
        database = pool.submit(_of_database, settings, open_database, problem, is_newer, clock)
        broker = pool.submit(_broker_answers, settings.connector_broker_url)
        upstream = _of_upstream(settings.upstream, clock)
    seen = database.result()
    return Facts(
        variables=frozenset(name for name, value in environ.items() if value),
        broker_answers=broker.result(),
        open_files=_open_files(),
        readable_files=tuple(_readable(_files(settings))),
        skews=seen.pop("skews", {}) | upstream.pop("skews", {}),
        **seen,
        **upstream,
    )


def _of_database(
    settings: Settings,
    open_database: Callable[[], Engine],
    problem: Callable[[Engine], str | None],
    is_newer: Callable[[Engine], bool],
    clock: Clock,
) -> dict[str, Any]:
    seen: dict[str, Any] = {"free_bytes": _free_bytes(settings)}
    try:
        engine = open_database()
    except SettingsError as exc:
        return seen | {"database_problem": str(exc)}
    try:
        return seen | _seen_in(engine, settings, problem, is_newer, clock)
    finally:
        engine.dispose()


def _seen_in(
    engine: Engine,
    settings: Settings,
    problem: Callable[[Engine], str | None],
    is_newer: Callable[[Engine], bool],
    clock: Clock,
) -> dict[str, Any]:
    if reason := problem(engine):
        return {"database_problem": reason}
    there = clock_of(engine)
    return {
        "database_is_newer": is_newer(engine),
        "skews": {"PostgreSQL": (there - clock.now()).total_seconds()} if there else {},
        "keys_problem": _keys_problem(settings, engine),
        "worker_is_alive": Workers(engine).are_alive(clock.now()),
    }


def _free_bytes(settings: Settings) -> int | None:
    for file in _files(settings):
        for folder in filter(os.path.exists, file.parents):
            return shutil.disk_usage(folder).free
    return None


def _keys_problem(settings: Settings, engine: Engine) -> str | None:
    # Without any, opening the vault would make a key for the file.
    if not Subscriptions(engine).sealed_keys():
        return None
    try:
        check_keys_open(settings, engine)
    except SettingsError as exc:
        return str(exc)
    return None


def _of_upstream(url: str | None, clock: Clock) -> dict[str, Any]:
    """What the root of its host says to HEAD; never the route that costs credits."""
    if not url:
        return {}
    parts = urlsplit(url)
    request = requests.Request("HEAD", f"{parts.scheme}://{parts.netloc}/")
    with new_session(pool_size=1) as session:
        try:
            reply = exchange(
                session, request, deadline_seconds=_PATIENCE_SECONDS, max_bytes=0, cut=True
            )
        except ExchangeError:
            return {"upstream_answers": False}
    skews = {}
    # Not everybody says what time it is, or in the way that is asked for.
    with suppress(KeyError, ValueError):
        there = _aware(parsedate_to_datetime(reply.headers["Date"]))
        skews[parts.hostname] = (there - clock.now()).total_seconds()
    return {"upstream_answers": True, "skews": skews}


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _broker_answers(url: str | None) -> bool | None:
    if not url:
        return None
    # Where there is no broker, nobody waits for Celery to be imported.
    from connector.adapters.queue import answers

    return answers(url)


def _files(settings: Settings) -> list[Path]:
    """The database file, and where its key would be; none on a server."""
    if settings.on_postgresql:
        return []
    path = Path(str(make_url(settings.database_url).database)).absolute()
    return [path, path.with_name(f"{path.name}.key")]


def _readable(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        try:
            mode, above = path.stat().st_mode, path.parent.stat().st_mode
        except OSError:
            continue
        if mode & stat.S_IROTH and above & stat.S_IXOTH:
            yield str(path)


def _open_files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 2**31
