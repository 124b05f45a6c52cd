"""What is wrong or unsafe about a deployment. Pure rules on settings and facts; asks nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from connector.config import Settings, refusals

HEROKU: Final = "DYNO"
KUBERNETES: Final = "KUBERNETES_SERVICE_HOST"
# A variable that each of these sets by itself, and its name.
CLOUDS: Final = {
    HEROKU: "Heroku",
    KUBERNETES: "Kubernetes",
    "FLY_MACHINE_ID": "Fly",
    "K_SERVICE": "Cloud Run",
}
ROUTER_SECONDS: Final = 28
FEW_BYTES: Final = 500_000_000
# Leases are measured in minutes, and receivers take signatures of the last five.
SKEW_SECONDS: Final = 10
# Beside look-ups: the database, the log, what Python itself holds, calls of health checks.
SPARE_FILES: Final = 100
_OURS: Final = ("CONNECTOR_", "WEB_")
# Heroku sets it, and nothing reads it.
_FOREIGN: Final = "WEB_CONCURRENCY"
# How Kubernetes describes its services, which may be named like us.
_SERVICE: Final = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d\w*)")


class Level(StrEnum):
    """How bad it is, as the heading that a finding stands under."""

    ERROR = "Errors"
    WARNING = "Warnings"
    FINE = "Fine"


@dataclass(frozen=True)
class Finding:
    """One line for the operator."""

    level: Level
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was seen of the machine and of what the settings name; null where it couldn't be seen."""

    variables: frozenset[str] = frozenset()
    """Names in the environment."""
    database_problem: str | None = None
    database_is_newer: bool = False
    """Whether a later version than this one has migrated it."""
    keys_problem: str | None = None
    worker_is_alive: bool | None = None
    broker_answers: bool | None = None
    upstream_answers: bool | None = None
    skews: Mapping[str, float] = field(default_factory=dict)
    """Seconds that a clock is ahead of this machine's, by whose it is."""
    open_files: int = 1_000_000
    """How many a process may have open."""
    free_bytes: int | None = None
    """Left on the disk of the database file."""
    readable_files: tuple[str, ...] = ()
    """Files with secrets that every user of this machine can read."""


Rule = Callable[[Settings, Facts], Iterator[Finding]]


def findings(settings: Settings, facts: Facts) -> list[Finding]:
    """Everything that can be said, errors first."""
    found = [finding for rule in RULES for finding in rule(settings, facts)]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))


def _start(settings: Settings, _facts: Facts) -> Iterator[Finding]:
    unsafe = list(refusals(settings))
    yield from (Finding(Level.ERROR, sentence) for sentence in unsafe)
    if not unsafe:
        yield Finding(
            Level.FINE, "Nothing in the settings keeps web server and worker from starting."
        )


def _sample_data(settings: Settings, _facts: Facts) -> Iterator[Finding]:
    if not settings.is_live:
        yield Finding(
            Level.WARNING,
            "Sample data answers, and anybody may ask with sk_test_demo; set PROFILE_API_URL or"
            " PROFILE_SERVICE_URL for real profiles.",
        )


def _public_address(settings: Settings, _facts: Facts) -> Iterator[Finding]:
    if settings.is_live and not settings.connector_base_url:
        yield Finding(
            Level.WARNING,
            "CONNECTOR_BASE_URL is empty, so addresses of webhooks begin with whatever host a request"
            " names; set it to the public address, as https://connector.example.com.",
        )


def _proxies(settings: Settings, _facts: Facts) -> Iterator[Finding]:
    if (settings.connector_base_url or "").startswith("https") and not settings.trusted_proxies:
        yield Finding(
            Level.WARNING,
            "CONNECTOR_BASE_URL says https, so a proxy stands in front, but none is believed about who"
            " calls: all seem to come from one address; set TRUSTED_PROXIES=1, or as many as there are.",
        )


def _local_callbacks(settings: Settings, _facts: Facts) -> Iterator[Finding]:
    if settings.connector_allow_local_callbacks and settings.is_trial:
        yield Finding(
            Level.WARNING,
            "CONNECTOR_ALLOW_LOCAL_CALLBACKS is on: whoever subscribes can reach this machine's own"
            " services; leave it out when the trial is over.",
        )


def _database(settings: Settings, facts: Facts) -> Iterator[Finding]:
    if facts.database_problem:
        yield Finding(Level.ERROR, facts.database_problem)
        return
    kind = "PostgreSQL" if settings.on_postgresql else "SQLite"
    yield Finding(Level.FINE, f"The database ({kind}) can be used and is migrated.")
    if facts.database_is_newer:
        yield Finding(
            Level.WARNING,
            "A newer version has migrated the database; this one runs beside it during an upgrade, and"
            " should be stopped then.",
        )
    if facts.keys_problem:
        yield Finding(Level.ERROR, facts.keys_problem)


def _lasting(settings: Settings, facts: Facts) -> Iterator[Finding]:
    cloud = next((CLOUDS[name] for name in CLOUDS if name in facts.variables), None)
    if settings.on_postgresql or not cloud:
        return
    if HEROKU in facts.variables:
        yield Finding(
            Level.ERROR,
            "DATABASE_URL is a SQLite file, and Heroku's disks last a day at most and are not shared;"
            " add PostgreSQL, which sets DATABASE_URL.",
        )
    else:
        yield Finding(
            Level.WARNING,
            f"DATABASE_URL is a SQLite file on {cloud}: keep it on a volume that lasts and run all on"
            " one machine, or set DATABASE_URL to PostgreSQL.",
        )


def _disk(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    if facts.free_bytes is None:
        return
    free = f"{facts.free_bytes // 1_000_000} MB are free on the disk of the database"
    if facts.free_bytes < FEW_BYTES:
        yield Finding(
            Level.WARNING, f"Only {free}; make room, or set WATCH_HISTORY_DAYS to fewer days."
        )
    else:
        yield Finding(Level.FINE, f"{free}.")


def _secrecy(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    for name in facts.readable_files:
        yield Finding(
            Level.WARNING,
            f"Every user of this machine can read {name}; run 'chmod 600 {name}'.",
        )


def _broker(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    if facts.broker_answers:
        yield Finding(Level.FINE, "Redis answers.")
    elif facts.broker_answers is not None:
        yield Finding(
            Level.ERROR,
            "Redis at CONNECTOR_BROKER_URL can't be used, so events go out some seconds late; check"
            " its address and password, and that it runs.",
        )


def _worker(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    if facts.worker_is_alive:
        yield Finding(Level.FINE, "A worker is alive.")
    elif facts.worker_is_alive is not None:
        yield Finding(
            Level.WARNING,
            "No worker is alive, so nothing is watched or delivered; start"
            " 'python -m connector work', or the service that runs it.",
        )


def _upstream(settings: Settings, facts: Facts) -> Iterator[Finding]:
    name = "PROFILE_API_URL" if settings.profile_api_url else "PROFILE_SERVICE_URL"
    if settings.is_live and not settings.upstream:
        yield Finding(
            Level.ERROR,
            "PROFILE_SERVICE_KEY is set without PROFILE_SERVICE_URL, so every look-up fails; set that too.",
        )
    elif facts.upstream_answers:
        yield Finding(Level.FINE, f"The host in {name} answers.")
    elif facts.upstream_answers is not None:
        yield Finding(
            Level.ERROR,
            f"The host in {name} doesn't answer; check the address, and that this machine may go"
            " out to it.",
        )


def _clocks(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    for whose, seconds in facts.skews.items():
        if abs(seconds) < SKEW_SECONDS:
            yield Finding(Level.FINE, f"The clock agrees with {whose}'s.")
            continue
        way = "behind" if seconds > 0 else "ahead of"
        yield Finding(
            Level.WARNING,
            f"This machine's clock is {abs(seconds):.0f} seconds {way} {whose}'s; turn time"
            " synchronisation on, as with 'timedatectl set-ntp true'.",
        )


def _open_files(settings: Settings, facts: Facts) -> Iterator[Finding]:
    # The limit is each process's own, so the number of processes doesn't count.
    needed = 2 * settings.web_lookups + SPARE_FILES
    if facts.open_files < needed:
        name = "WEB_WORKER_CONNECTIONS" if settings.on_gevent else "WEB_THREADS"
        yield Finding(
            Level.WARNING,
            f"A process may open {facts.open_files} files here, and a web process needs {needed} for"
            f" {settings.web_lookups} look-ups; raise it ('ulimit -n {needed}') or lower {name}.",
        )
    else:
        yield Finding(Level.FINE, f"A process may open {facts.open_files} files.")


def _deadlines(settings: Settings, facts: Facts) -> Iterator[Finding]:
    deadline = settings.connector_deadline_seconds
    if HEROKU in facts.variables and deadline > ROUTER_SECONDS:
        yield Finding(
            Level.ERROR,
            "Heroku's router ends a request after 30 seconds, and a look-up that goes on is paid for;"
            f" set CONNECTOR_DEADLINE_SECONDS={ROUTER_SECONDS}.",
        )
    if settings.web_graceful_timeout_seconds <= deadline:
        yield Finding(
            Level.WARNING,
            "A stop cuts look-ups off that are paid for; set WEB_GRACEFUL_TIMEOUT_SECONDS to more than"
            f" CONNECTOR_DEADLINE_SECONDS, which is {deadline}.",
        )


def _typing_errors(_settings: Settings, facts: Facts) -> Iterator[Finding]:
    known = [f.name.upper() for f in fields(Settings)]
    described = KUBERNETES in facts.variables
    for name in sorted(facts.variables.difference(known, {_FOREIGN})):
        if name.startswith(_OURS) and not (described and _SERVICE.fullmatch(name)):
            near = get_close_matches(name, known, n=1, cutoff=0.8)
            meant = f"did you mean {near[0]}?" if near else "take it out, or see README.md."
            yield Finding(Level.WARNING, f"{name} is no setting and counts for nothing; {meant}")


RULES: Final[tuple[Rule, ...]] = (
    _start,
    _database,
    _lasting,
    _disk,
    _secrecy,
    _upstream,
    _broker,
    _worker,
    _clocks,
    _sample_data,
    _public_address,
    _proxies,
    _local_callbacks,
    _open_files,
    _deadlines,
    _typing_errors,
)
