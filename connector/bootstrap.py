"""Assembly: the only place that picks implementations, and that knows both halves of the house."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import click
import requests
from werkzeug.middleware.proxy_fix import ProxyFix

import profile_api.app
import profile_api.commands
import profile_api.description
from connector import __version__
from connector.adapters.clock import SystemClock
from connector.adapters.counts import MemoryCounts
from connector.adapters.in_process import WSGIAdapter
from connector.adapters.measured import Measure, measured_application
from connector.adapters.metrics import Metrics
from connector.adapters.store.deliveries import Deliveries
from connector.config import Settings, SettingsError
from connector.databases import is_newer, is_outage, open_database, problem_of, usable_database
from connector.domain.rows import profile_row
from connector.exports.openapi import openapi_document
from connector.exports.openapi.responses import Door
from connector.facts import gather
from connector.findings import Finding, findings
from connector.log import start_log
from connector.observing import answer_scrapes, client, measure_of, scrape, start_reports
from connector.outside import (
    check_a_key_opens,
    check_keys_open,
    check_worker_starts,
    real_outside,
)
from connector.services.account import describe_account
from connector.services.handlers import BATCHES, LOOK_UPS, SUBSCRIPTIONS, USAGE, WEBHOOKS, Handlers
from connector.services.history import BATCH
from connector.services.universal import call_api
from connector.services.working import Worker
from connector.watching import Watching
from connector.web.app import MAX_BODY_BYTES, create_app, single_slashes
from connector.web.errors import REFUSALS, STATUSES
from connector.web.headers import secure_headers
from connector.web.rates import Counts, Rates
from connector.web.routes import UseCase, UseCases
from connector.web.viewer import FILE_KINDS
from profile_api.keys import TEST_KEY
from profile_api.services import ProfileService
from profile_api.services.embedded import RESERVED, SLOW_HANDLE, SLOW_SECONDS, EmbeddedService
from profile_api.services.http import HTTPService
from profile_api.services.samples import DOCUMENTED, SAMPLE_HANDLES
from profile_api.store import Store
from schemas.catalog import CATALOG, Catalog
from wire.body import whole_bodies
from wire.heaps import share_heaps
from wire.http import new_session
from wire.in_time import InTime

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from sqlalchemy import Engine

log = logging.getLogger(__name__)
_EMBEDDED_HOST = "http://profile-api.embedded"
_API_ROOT = "/api/v1"
# As long as load balancers and scrapers wait, or less; a database that is well takes milliseconds.
_CHECK_SECONDS = 5.0
# A reading of 100,000 watches and 200,000 deliveries takes a quarter of a second; scrapers may be several.
_FRESH_SECONDS = 10.0


def build(environ: Mapping[str, str]) -> WSGIApplication:
    """The whole product as one WSGI application: the connector and, unless turned off, the endpoint."""
    settings = Settings.from_env(environ)
    share_heaps()
    start_log(settings.log_level)
    session = new_session(pool_size=settings.web_lookups)
    engine = open_database(settings)
    metrics = Metrics()
    measure = measure_of(settings, metrics)
    if settings.profile_api_url:
        address = settings.profile_api_url
        application = _connector(settings, session, engine, address, metrics, measure)
    else:
        endpoint = _endpoint(settings, engine, session)
        session.mount(_EMBEDDED_HOST, WSGIAdapter(endpoint))
        connector = _connector(settings, session, engine, _EMBEDDED_HOST, metrics, measure)
        application = _either(connector, endpoint)
    return measured_application(_guarded(application, settings), measure)


def published_document(catalog: Catalog, *, with_endpoint: bool) -> dict[str, Any]:
    """What the connector serves as OpenAPI, with the embedded endpoint's own description or not."""
    door = Door(statuses=STATUSES, refusals=REFUSALS, viewer_files=FILE_KINDS)
    document = openapi_document(catalog, version=__version__, door=door)
    if with_endpoint:
        endpoint = profile_api.description.described()
        document["tags"] += endpoint["tags"]
        document["paths"] |= endpoint["paths"]
        document["components"]["schemas"] |= endpoint["components"]["schemas"]
    return document


_OTHER_KEYS: Final = (
    "Nobody needs these keys while PROFILE_API_URL is set: callers bring those of that API."
)


def add_operator_commands(cli: click.Group) -> None:
    """Gives `cli` the commands for API keys."""
    cli.add_command(profile_api.commands.keys)


def prepare_operator_commands(
    context: click.Context, read_settings: Callable[[], Settings]
) -> None:
    """Tells the commands for API keys how to open their store."""
    context.meta[profile_api.commands.OPEN_STORE] = partial(_open_store, read_settings)


def _open_store(read_settings: Callable[[], Settings]) -> Store:
    settings = read_settings()
    if settings.profile_api_url:
        click.echo(_OTHER_KEYS, err=True)
    return Store(usable_database(settings))


def checked(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """What is wrong or unsafe about a deployment with these settings."""
    facts = gather(
        settings,
        environ,
        open_database=partial(open_database, settings, must_exist=True),
        problem=problem_of,
        is_newer=is_newer,
        clock=SystemClock(),
    )
    return findings(settings, facts)


def make_worker(settings: Settings) -> Worker:
    """A worker on this database, in front of the same upstream as the connector."""
    share_heaps()
    start_log(settings.log_level)
    start_reports(settings)
    metrics = Metrics()
    watching = open_watching(settings, measure_of(settings, metrics))
    check_a_key_opens(watching.vault, watching.stores.subscriptions.sealed_keys())
    worker = watching.worker()
    # Else the web server beside it answers for both.
    if settings.worker_metrics_port and not metrics.shared:
        answer_scrapes(settings, settings.worker_metrics_port, metrics)
    return worker


def check_serving(settings: Settings) -> None:
    """Raises `SettingsError` where the worker would not start, and so end the web server beside it."""
    engine = usable_database(settings)
    try:
        check_worker_starts(settings, engine)
    finally:
        engine.dispose()


def tell_of_closed_keys(settings: Settings) -> None:
    """Logs that stored keys can't be opened: the web server serves those all the same who bring theirs."""
    engine = open_database(settings)
    try:
        if problem_of(engine) is None:
            check_keys_open(settings, engine)
    except SettingsError as exc:
        log.error("stored API keys can't be opened", extra={"problem": str(exc)})
    finally:
        engine.dispose()


def open_watching(settings: Settings, measure: Measure | None = None) -> Watching:
    """What a worker, or an operator's commands, are made of. Raises `SettingsError`."""
    session = new_session(pool_size=settings.worker_threads)
    engine = usable_database(settings)
    address = settings.profile_api_url or _EMBEDDED_HOST
    if not settings.profile_api_url:
        session.mount(_EMBEDDED_HOST, WSGIAdapter(_endpoint(settings, engine, session)))
    return _watching(settings, session, engine, address, measure or Metrics())


def _watching(
    settings: Settings,
    session: requests.Session,
    engine: Engine,
    profile_api_url: str,
    measure: Measure,
) -> Watching:
    profiles = client(settings, profile_api_url, session)
    forget = partial(Store(engine).forget_requests, limit=BATCH)
    return Watching(settings, engine, real_outside(settings, profiles, measure, forget))


def delivery_store(settings: Settings) -> Deliveries:
    """What is on its way, for an operator's commands. Raises `SettingsError`."""
    return Deliveries(usable_database(settings))


def reserved_handles() -> Iterator[tuple[str, str]]:
    """Handles that fail on purpose where sample data answers, as (handle, what it does)."""
    for handle, reserved in RESERVED.items():
        yield handle, reserved.what
    yield SLOW_HANDLE, f"the service takes {SLOW_SECONDS:g} seconds, longer than any platform waits"


def sample_handles() -> tuple[str, ...]:
    """Handles with a fixed sample each, one for every way in which real answers differ."""
    return SAMPLE_HANDLES


def sample_answer() -> dict[str, Any]:
    """What looking up the first sample handle on Zapier answered once."""
    handle = SAMPLE_HANDLES[0]
    fetched_at = datetime(2026, 11, 24, 3, 15, 24, tzinfo=UTC)
    return profile_row(DOCUMENTED, handle=handle, request_source="ZAPIER", fetched_at=fetched_at)


def test_key(settings: Settings) -> str | None:
    """The key that works as pasted, where sample data answers; null elsewhere."""
    return None if settings.is_live else TEST_KEY


def _service(settings: Settings, session: requests.Session) -> ProfileService:
    if _has_service(settings):
        return HTTPService(
            settings.profile_service_url, settings.profile_service_key, session=session
        )
    return EmbeddedService(now=SystemClock().now)


def _has_service(settings: Settings) -> bool:
    # A key alone means that somebody meant to have a service: it answers "not configured".
    return bool(settings.profile_service_url or settings.profile_service_key)


def _endpoint(settings: Settings, engine: Engine, session: requests.Session) -> WSGIApplication:
    return profile_api.app.create_app(
        store=Store(engine), service=_service(settings, session), now=SystemClock().now
    )


def _connector(
    settings: Settings,
    session: requests.Session,
    engine: Engine,
    profile_api_url: str,
    metrics: Metrics,
    measure: Measure,
) -> WSGIApplication:
    clock = SystemClock()
    watching = _watching(settings, session, engine, profile_api_url, measure)
    known = InTime(watching.standing.read, seconds=_CHECK_SECONDS, fresh_seconds=_FRESH_SECONDS)
    use_cases = UseCases(
        handlers={
            **_handed(LOOK_UPS, lookups=watching.lookups),
            **_handed(SUBSCRIPTIONS, hooks=watching.hooks),
            **_handed(BATCHES, jobs=watching.jobs),
            **_handed(USAGE, usage=watching.usage),
            **_handed(WEBHOOKS, webhooks=watching.webhooks),
        },
        poll=watching.polling.poll,
        hooks=watching.hooks,
        jobs=watching.jobs,
        idempotency=watching.idempotency,
        call_api=partial(call_api, profiles=watching.profiles, meter=watching.meter),
        usage=watching.usage.of,
        describe_account=partial(describe_account, subscribing=watching.subscribing),
        history=watching.history,
        webhooks=watching.webhooks,
        firing=watching.firing,
        visits=watching.visits,
        deleting=watching.deleting,
        watched=watching.watched,
        picture_of=watching.pictures.of,
        usage_by_day=watching.usage.by_day,
    )
    embedded = not settings.profile_api_url
    return create_app(
        use_cases,
        document=cache(partial(published_document, CATALOG, with_endpoint=embedded)),
        checks={"database": _in_time(partial(problem_of, engine))},
        notes={"worker": _in_time(watching.worker_problem)},
        scrape=scrape(settings, partial(metrics.text, known)),
        clock=clock,
        rates=_rates(settings, clock),
        is_outage=partial(is_outage, engine),
        max_deadline_seconds=settings.connector_deadline_seconds,
        base_url=settings.connector_base_url,
        test_key=test_key(settings),
    )


def _in_time(check: Callable[[], str | None]) -> InTime[str | None]:
    return InTime(check, seconds=_CHECK_SECONDS)


def _rates(settings: Settings, clock: SystemClock) -> Rates:
    counts: Counts = MemoryCounts()
    if settings.connector_broker_url:
        from connector.adapters.shared_counts import RedisCounts

        counts = RedisCounts(settings.connector_broker_url, clock)
    limits = {
        "per_key": settings.rate_limit_per_key,
        "per_address": settings.rate_limit_per_address,
    }
    return Rates(counts=counts, clock=clock, **limits)


def _handed(handlers: Handlers, **collaborators: object) -> dict[str, UseCase]:
    return {key: partial(handler, **collaborators) for key, handler in handlers.items()}


def _guarded(application: WSGIApplication, settings: Settings) -> WSGIApplication:
    whole = whole_bodies(single_slashes(application), longest=MAX_BODY_BYTES)
    secured = secure_headers(whole)
    hops = settings.trusted_proxies
    # Never the host: whoever may name it chooses where addresses of webhooks lead.
    return ProxyFix(secured, x_for=hops, x_proto=hops, x_host=0) if hops else secured


def _either(connector: WSGIApplication, endpoint: WSGIApplication) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_api = environ["PATH_INFO"].startswith(f"{_API_ROOT}/")
        return (endpoint if is_api else connector)(environ, start_response)

    return application
