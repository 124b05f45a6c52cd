"""The settings: one declaration for reading them, refusing them and documenting them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, validate
from marshmallow import fields as kinds

from connector import setting_rules as rules


class SettingsError(RuntimeError):
    """A setting is wrong. The message names it, says why, and never repeats its value.

    gunicorn ends with the sentence of a `RuntimeError`, and of others with a traceback.
    """


def _setting(default: Any, kind: kinds.Field[Any], help: str) -> Any:  # noqa: A002  # as in schemas
    # Kept out of repr: a database address may hold a password, and a key is one.
    return field(default=default, repr=False, metadata={"kind": kind, "help": help})


def _whole(low: int, high: int) -> kinds.Field[Any]:
    return kinds.Integer(validate=validate.Range(low, high))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Read once, at start. Each field's environment variable is its name in capitals."""

    host: str = _setting(
        "127.0.0.1",
        kinds.String(validate=rules.host),
        "Address to listen on; 0.0.0.0 for every network interface.",
    )
    port: int = _setting(8000, _whole(1, 65535), "Port to listen on.")
    database_url: str = _setting(
        "sqlite:///var/connector.db",
        rules.DatabaseAddress(),
        "Where everything is kept: what is watched, and keys and credits of the embedded endpoint."
        " SQLite, or PostgreSQL as postgresql://user:password@host/name.",
    )
    profile_api_url: str | None = _setting(
        None,
        kinds.String(validate=rules.base_address),
        "Address of the profile API, without a path. Empty: the embedded endpoint answers.",
    )
    profile_service_url: str | None = _setting(
        None,
        kinds.String(validate=rules.address),
        "Full address of the service behind the embedded endpoint. Empty: sample data.",
    )
    profile_service_key: str | None = _setting(
        None, kinds.String(validate=rules.header), "Bearer key for that service."
    )
    connector_deadline_seconds: int = _setting(
        60,
        _whole(1, 60),
        "Longest that a look-up may take. Set 28 behind a router that cuts at 30 s, as Heroku's does.",
    )
    connector_base_url: str | None = _setting(
        None,
        kinds.String(validate=rules.address),
        "Public address of the connector, as https://connector.example.com; addresses of webhooks begin"
        " with it. Empty: the host that a request names.",
    )
    connector_encryption_keys: str | None = _setting(
        None,
        kinds.String(validate=rules.encryption_keys),
        "Keys that seal stored API keys, with commas; the first seals, each opens."
        " Needed unless sample data answers from SQLite.",
    )
    connector_allow_local_callbacks: bool = _setting(
        default=False,
        kind=kinds.Boolean(),
        help="For trials only: events may be sent to this machine, without TLS."
        " Never where others subscribe.",
    )
    connector_broker_url: str | None = _setting(
        None,
        kinds.String(validate=rules.broker_address),
        "Redis, as redis://:password@host:6379/0 or rediss:// for TLS: wakes workers on any number of"
        " machines through Celery. Needs PostgreSQL. Empty: workers poll the database.",
    )
    connector_denied_networks: str | None = _setting(
        None,
        kinds.String(validate=rules.networks),
        "Networks, with commas, that events are never sent to, beside those that are not public.",
    )
    watch_min_interval_seconds: int = _setting(
        900, _whole(1, 86400), "Least time between two looks at a watched profile, and the default."
    )
    watch_daily_credits: int = _setting(
        1000,
        _whole(0, 1_000_000_000),
        "Credits a day (UTC) that watching may spend for one API key; a look costs 2.",
    )
    webhook_daily_credits: int = _setting(
        100,
        _whole(0, 1_000_000_000),
        "Credits a day (UTC) that an incoming webhook may spend, unless it says otherwise.",
    )
    watch_history_days: int = _setting(
        365,
        _whole(1, 36500),
        "Days that looks, events and ended deliveries are kept.",
    )
    daily_credits: int | None = _setting(
        None,
        _whole(0, 1_000_000_000),
        "Credits a day (UTC) that one API key may spend here for everything. Empty: no limit.",
    )
    worker_threads: int = _setting(
        32, _whole(1, 1000), "Looks and deliveries that one worker does at a time."
    )
    web_workers: int = _setting(
        os.cpu_count() or 1, _whole(1, 64), "Web processes; one for each processor core."
    )
    web_worker_class: str = _setting(
        "gthread",
        kinds.String(validate=rules.worker_class),
        "What waits for look-ups in a web process: gthread, a thread for each; or gevent, greenlets, where"
        " more than 500 are in flight.",
    )
    web_threads: int = _setting(
        500,
        _whole(1, 5000),
        "With gthread: look-ups that one web process can hold at a time; a waiting one costs little.",
    )
    web_worker_connections: int = _setting(
        4000,
        _whole(2, 20000),
        "Connections that one web process holds, those kept open included; with gevent each may be a"
        " look-up.",
    )
    web_backlog: int = _setting(
        4096,
        _whole(64, 65535),
        "Connections that may wait to be accepted; the system's own limit may be lower.",
    )
    web_keepalive_seconds: int = _setting(
        65,
        _whole(1, 3600),
        "How long an idle connection is kept open; longer than a load balancer in front keeps it.",
    )
    web_graceful_timeout_seconds: int = _setting(
        70,
        _whole(6, 3600),
        "How long a stop waits for look-ups in flight; longer than they may take. Whoever kills what does"
        " not stop has to wait longer still.",
    )
    trusted_proxies: int = _setting(
        0,
        _whole(0, 10),
        "Proxies in front of the connector, each of which adds to X-Forwarded-For and -Proto what it sees."
        " 0: nobody's word is taken for where a request comes from, or for whether it came by https.",
    )
    rate_limit_per_key: int = _setting(
        3000,
        _whole(0, 1_000_000_000),
        "Requests a minute that one API key may make; 0 for any number. Each web process counts its own or,"
        " with CONNECTOR_BROKER_URL, all together in that Redis.",
    )
    rate_limit_per_address: int = _setting(
        12000,
        _whole(0, 1_000_000_000),
        "The same for one public address, whatever its keys; Zapier and Make call for everybody from few."
        " A private one is a proxy of your own: set TRUSTED_PROXIES.",
    )
    log_level: str = _setting(
        "INFO",
        kinds.String(validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])),
        "How much is logged: DEBUG, INFO, WARNING or ERROR.",
    )
    connector_metrics_token: str | None = _setting(
        None,
        kinds.String(validate=rules.header),
        "Who may read /metrics: whoever sends it as Authorization: Bearer. Empty: everybody where sample"
        " data answers, else nobody.",
    )
    worker_metrics_port: int | None = _setting(
        None,
        _whole(1, 65535),
        "Port on which a worker on a machine of its own answers /metrics, at HOST. Empty: none. Under"
        " 'connector serve' the web server answers for both.",
    )

    sentry_dsn: str | None = _setting(
        None,
        kinds.String(validate=rules.dsn),
        "Where errors are reported to, as https://key@sentry.example.com/1. Needs requirements-extras.txt.",
    )
    otel_exporter_otlp_endpoint: str | None = _setting(
        None,
        kinds.String(validate=rules.collector_address),
        "Address of an OpenTelemetry collector that takes OTLP over HTTP, as http://127.0.0.1:4318: traces"
        " go there. Needs requirements-extras.txt.",
    )

    @property
    def is_live(self) -> bool:
        """Whether real profiles are looked up, with keys that cost money."""
        return any((self.profile_api_url, self.profile_service_url, self.profile_service_key))

    @property
    def on_postgresql(self) -> bool:
        """Whether the database is a server, which other machines may share, and not a file."""
        return self.database_url.startswith(rules.POSTGRESQL)

    @property
    def on_gevent(self) -> bool:
        """Whether greenlets wait in web processes, and not threads."""
        return self.web_worker_class == rules.GEVENT

    @property
    def web_lookups(self) -> int:
        """Look-ups that one web process can hold at a time."""
        return self.web_worker_connections if self.on_gevent else self.web_threads

    @property
    def upstream(self) -> str | None:
        """Address of whoever is paid for look-ups; null for sample data."""
        return self.profile_api_url or self.profile_service_url

    @property
    def is_trial(self) -> bool:
        """Whether all stays on this machine: who answers look-ups, and the address that callers know.

        With sample data nothing is at stake either.
        """
        if not self.is_live:
            return True
        return _is_loopback(self.upstream) and _is_loopback(
            self.connector_base_url or f"http://{self.netloc}"
        )

    def check_live(self) -> None:
        """Raises `SettingsError` with every reason not to start with these settings."""
        if reasons := list(refusals(self)):
            raise SettingsError("\n".join(reasons))

    def _check_together(self) -> None:
        if self.worker_metrics_port and self.is_live and not self.connector_metrics_token:
            raise SettingsError(
                "The setting WORKER_METRICS_PORT is wrong: nobody could read there; set"
                " CONNECTOR_METRICS_TOKEN too."
            )
        if self.connector_broker_url and not self.on_postgresql:
            raise SettingsError(
                "The setting CONNECTOR_BROKER_URL is wrong: it needs a PostgreSQL server in"
                " DATABASE_URL, as several machines can't share a file."
            )
        if not self.on_gevent and self.web_worker_connections <= self.web_threads:
            raise SettingsError(
                "The setting WEB_WORKER_CONNECTIONS is wrong: it must be more than WEB_THREADS, as"
                " connections that are kept open count too."
            )

    @property
    def netloc(self) -> str:
        """Host and port as an address holds them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in `environ`; an empty variable counts as unset. Raises `SettingsError`."""
        given = {f.name: environ.get(f.name.upper(), "").strip() for f in fields(cls)}
        schema = Schema.from_dict({f.name: f.metadata["kind"] for f in fields(cls)})()
        try:
            settings = cls(**schema.load({name: text for name, text in given.items() if text}))
        except ValidationError as exc:
            raise SettingsError(_sentence(exc)) from exc
        settings._check_together()
        return settings


UNSAFE: Final[tuple[tuple[Callable[[Settings], bool], str], ...]] = (
    (
        lambda s: (s.is_live or s.on_postgresql) and not s.connector_encryption_keys,
        "The setting CONNECTOR_ENCRYPTION_KEYS is missing: it seals the API keys of those"
        " who watch profiles. Make one with 'python -m connector new-encryption-key', and"
        " keep it.",
    ),
    (
        lambda s: not s.is_trial and not _is_private(s.connector_base_url),
        "The setting CONNECTOR_BASE_URL is unsafe: it begins with http://, so API keys and secret"
        " addresses would travel in the clear. Put TLS in front, and begin it with https://.",
    ),
    (
        lambda s: not s.is_trial and s.connector_allow_local_callbacks,
        "The setting CONNECTOR_ALLOW_LOCAL_CALLBACKS is unsafe: whoever subscribes could reach this"
        " machine's own services. Leave it out; it is for trials with all on one machine.",
    ),
)
"""What web server and worker refuse to start with: when it holds, and what to do."""


def refusals(settings: Settings) -> Iterator[str]:
    """Why these settings are unsafe, as sentences."""
    return (sentence for holds, sentence in UNSAFE if holds(settings))


def _is_private(base_url: str | None) -> bool:
    return urlsplit(base_url or "").scheme != "http" or _is_loopback(base_url)


def _is_loopback(url: str | None) -> bool:
    host = urlsplit(url or "").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def documented() -> Iterator[tuple[str, str, str]]:
    """Every setting as (variable, default, help)."""
    for f in fields(Settings):
        default = "number of cores" if f.name == "web_workers" else f.default
        yield f.name.upper(), "" if default is None else str(default), f.metadata["help"]


def _sentence(exc: ValidationError) -> str:
    errors = exc.normalized_messages()  # type: ignore[no-untyped-call]  # untyped there
    name, messages = next(iter(errors.items()))
    return f"The setting {name.upper()} is wrong: {messages[0]}"
