"""Settings: a wrong value stops the start with a sentence that names it."""

from __future__ import annotations

import sys

import pytest

from connector.config import Settings, SettingsError, documented, refusals


def test_nothing_has_to_be_set() -> None:
    settings = Settings.from_env({})
    assert (settings.port, settings.profile_api_url) == (8000, None)
    assert settings == Settings()


def test_empty_variable_counts_as_unset() -> None:
    assert Settings.from_env({"PORT": " ", "PROFILE_API_URL": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("WEB_THREADS", "-1"),
        ("WEB_WORKER_CLASS", "eventlet"),
        ("WEB_WORKER_CONNECTIONS", "1"),
        ("WEB_WORKER_CONNECTIONS", "500"),
        ("WEB_BACKLOG", "63"),
        ("WEB_KEEPALIVE_SECONDS", "0"),
        ("WEB_GRACEFUL_TIMEOUT_SECONDS", "5"),
        ("CONNECTOR_DEADLINE_SECONDS", "61"),
        ("LOG_LEVEL", "LOUD"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d"),
        ("DATABASE_URL", "postgresql+psycopg2://u:s3cret@h/d"),
        ("DATABASE_URL", "postgres:u:s3cret@h/d"),
        ("DATABASE_URL", "postgres://u:s3cret@h"),
        ("DATABASE_URL", "postgres://u:s3cret@/d"),
        ("DATABASE_URL", "postgres://u:s3cret@h:port/d"),
        ("DATABASE_URL", "postgres://u:s3cret@h:0/d"),
        ("DATABASE_URL", "postgres://u:s3cret@x@h/d"),
        ("DATABASE_URL", "postgres://u:12/s3cret@h/d"),
        ("DATABASE_URL", "postgres://u:12?s3cret@h/d"),
        ("DATABASE_URL", "postgres://u:12#s3cret@h/d"),
        ("DATABASE_URL", "postgres://u:s3cret[@h/d"),
        ("DATABASE_URL", "postgres://u:s3cret@h/d#x"),
        ("DATABASE_URL", "postgres://u:s3 s3cret@h/d"),
        ("CONNECTOR_BROKER_URL", "amqp://u:s3cret@h"),
        ("CONNECTOR_BROKER_URL", "redis:s3cret@h"),
        ("CONNECTOR_BROKER_URL", "redis://:s3cret@h:port/0"),
        ("CONNECTOR_BROKER_URL", "redis://:s3cret@h:0/0"),
        ("CONNECTOR_BROKER_URL", "redis://:s3cret@x@h/0"),
        ("CONNECTOR_BROKER_URL", "redis://:12/s3cret@h/0"),
        ("CONNECTOR_BROKER_URL", "redis://:12#s3cret@h/0"),
        ("CONNECTOR_BROKER_URL", "redis://:s3 cret@h/0"),
        ("CONNECTOR_BROKER_URL", "redis://h/s3cret"),
        ("CONNECTOR_BROKER_URL", "redis://h/0?password=s3cret"),
        ("CONNECTOR_BROKER_URL", "redis://h/0?ssl_cert_reqs=none"),
        ("CONNECTOR_BROKER_URL", "redis://:s3cret@h/0"),
        ("PROFILE_API_URL", "api.example.com"),
        ("PROFILE_API_URL", "ftp://api.example.com"),
        ("PROFILE_API_URL", "https://s3cret@api.example.com"),
        ("PROFILE_API_URL", "https://api.example.com/api/v1/get-tiktok-profile"),
        ("PROFILE_API_URL", "https://[bad"),
        ("PROFILE_API_URL", "https://x:99999999"),
        ("PROFILE_SERVICE_URL", "https://x/?key=s3cret"),
        ("PROFILE_SERVICE_URL", "https://exa mple.com"),
        ("PROFILE_SERVICE_KEY", "s3cret ключ"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("HOST", "[::1]"),
        ("CONNECTOR_ENCRYPTION_KEYS", "s3cret"),
        ("CONNECTOR_ENCRYPTION_KEYS", "c2VjcmV0,"),
        ("HOST", "a b"),
        ("CONNECTOR_DENIED_NETWORKS", "10.0.0.0/8,"),
        ("CONNECTOR_DENIED_NETWORKS", "10.0.0.1/8"),
        ("CONNECTOR_METRICS_TOKEN", "s3cret and more"),
        ("WORKER_METRICS_PORT", "0"),
        ("SENTRY_DSN", "https://sentry.example.com/1"),
        ("SENTRY_DSN", "https://s3cret@sentry.example.com/"),
        ("SENTRY_DSN", "https://s3cret@[bad/1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
    ],
)
def test_wrong_value_is_named_but_not_repeated(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"The setting {name} is wrong: ") as refused:
        Settings.from_env({name: value})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SENTRY_DSN", "https://key@o1.ingest.sentry.io/42"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ],
)
def test_missing_extras_are_named_with_the_command(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than a traceback at the start."""
    assert Settings.from_env({name: value}) != Settings()
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    for package in ("sentry_sdk", "opentelemetry"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(SettingsError, match=r"pip install -r requirements-extras\.txt"):
        Settings.from_env({name: value})


def test_nobody_could_read_a_live_worker_without_a_token() -> None:
    live = {"WORKER_METRICS_PORT": "9100", "PROFILE_API_URL": "https://api.example.com"}
    with pytest.raises(SettingsError, match="set CONNECTOR_METRICS_TOKEN too"):
        Settings.from_env(live)
    assert Settings.from_env({**live, "CONNECTOR_METRICS_TOKEN": "t"}).worker_metrics_port == 9100


@pytest.mark.parametrize("name", ["postgres", "postgresql", "postgresql+psycopg", "Postgres"])
@pytest.mark.parametrize(
    "rest", ["u:p%40ss@h:5433/d?sslmode=require", "u@/d?host=/var/run/postgresql", "[::1]/d"]
)
def test_postgresql_is_known_by_every_name_that_hosts_give_it(name: str, rest: str) -> None:
    settings = Settings.from_env({"DATABASE_URL": f"{name}://{rest}"})
    assert settings.database_url == f"postgresql+psycopg://{rest}"
    assert settings.on_postgresql


def test_broker_needs_a_database_that_machines_can_share() -> None:
    broker = {"CONNECTOR_BROKER_URL": "rediss://:p%40ss@h:6380/1?ssl_cert_reqs=none"}
    with pytest.raises(SettingsError, match="needs a PostgreSQL server in DATABASE_URL"):
        Settings.from_env(broker)
    settings = Settings.from_env({**broker, "DATABASE_URL": "postgres://u:p@h/d"})
    assert settings.connector_broker_url == broker["CONNECTOR_BROKER_URL"]


@pytest.mark.parametrize(("worker_class", "lookups"), [("gthread", 500), ("gevent", 400)])
def test_class_of_worker_says_what_limits_lookups(worker_class: str, lookups: int) -> None:
    """Threads, or connections, of which there may then be fewer than threads."""
    few = {"WEB_WORKER_CLASS": worker_class, "WEB_WORKER_CONNECTIONS": "400"}
    given = few if worker_class == "gevent" else {"WEB_WORKER_CLASS": worker_class}
    assert Settings.from_env(given).web_lookups == lookups


KEYS = {"CONNECTOR_ENCRYPTION_KEYS": "SgzyCyNw8b6ZEEqEcvzvuUGsCXiWwI_PzhLs9xGGYNk="}
LOCAL = {**KEYS, "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true"}
HERE, HOSTED = "http://127.0.0.1:9", "https://api.example.com"


@pytest.mark.parametrize(
    ("given", "unsafe"),
    [
        ({}, []),
        ({"CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true"}, []),
        ({**LOCAL, "PROFILE_API_URL": HERE}, []),
        ({**LOCAL, "PROFILE_API_URL": HERE, "CONNECTOR_BASE_URL": "http://localhost:8000"}, []),
        ({**KEYS, "PROFILE_API_URL": HOSTED, "CONNECTOR_BASE_URL": "HTTPS://c.example.com"}, []),
        ({**KEYS, "PROFILE_API_URL": HOSTED}, []),
        ({"PROFILE_API_URL": HERE}, ["CONNECTOR_ENCRYPTION_KEYS"]),
        ({"DATABASE_URL": "postgres://u:p@h/d"}, ["CONNECTOR_ENCRYPTION_KEYS"]),
        ({**LOCAL, "PROFILE_API_URL": HOSTED}, ["CONNECTOR_ALLOW_LOCAL_CALLBACKS"]),
        ({**LOCAL, "PROFILE_SERVICE_KEY": "x"}, ["CONNECTOR_ALLOW_LOCAL_CALLBACKS"]),
        (
            {**LOCAL, "PROFILE_SERVICE_URL": HERE, "HOST": "0.0.0.0"},
            ["CONNECTOR_ALLOW_LOCAL_CALLBACKS"],
        ),
        (
            {**LOCAL, "PROFILE_API_URL": HERE, "CONNECTOR_BASE_URL": "http://c.example.com"},
            ["CONNECTOR_BASE_URL", "CONNECTOR_ALLOW_LOCAL_CALLBACKS"],
        ),
    ],
    ids=str,
)
def test_unsafe_settings_refuse_a_start_unless_all_stays_on_this_machine(
    given: dict[str, str], unsafe: list[str]
) -> None:
    """A trial has its upstream and its public address on this machine; all else is somebody's money."""
    settings = Settings.from_env(given)
    assert [sentence.split()[2] for sentence in refusals(settings)] == unsafe
    if unsafe:
        with pytest.raises(SettingsError, match=f"^The setting {unsafe[0]} is "):
            settings.check_live()
    else:
        settings.check_live()


@pytest.mark.parametrize(
    ("host", "netloc"), [("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000")]
)
def test_address_holds_the_host_as_addresses_do(host: str, netloc: str) -> None:
    assert Settings.from_env({"HOST": host}).netloc == netloc


def test_secrets_do_not_show_in_repr() -> None:
    assert "s3cret" not in repr(Settings.from_env({"PROFILE_SERVICE_KEY": "s3cret"}))


def test_every_setting_is_documented() -> None:
    rows = list(documented())
    assert [name for name, _, _ in rows][:2] == ["HOST", "PORT"]
    assert all(text.endswith(".") for _, _, text in rows)
