"""`check`: each thing that is wrong or unsafe has its sentence, which says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from connector.config import Settings
from connector.findings import RULES, Facts, Level, findings

KEY = "SgzyCyNw8b6ZEEqEcvzvuUGsCXiWwI_PzhLs9xGGYNk="
LIVE = {
    "PROFILE_API_URL": "https://api.example.com",
    "CONNECTOR_ENCRYPTION_KEYS": KEY,
    "CONNECTOR_BASE_URL": "https://connector.example.com",
    "TRUSTED_PROXIES": "1",
}
SERVER = "postgresql://u:p@h/d"
WELL = Facts(
    worker_is_alive=True,
    upstream_answers=True,
    skews={"api.example.com": -1.5},
    open_files=65536,
    free_bytes=50_000_000_000,
)
Given = dict[str, str]
Seen = dict[str, Any]


def said(level: Level, given: Given, seen: Seen) -> list[str]:
    settings = Settings.from_env(LIVE | given)
    found = findings(settings, Facts(**{**vars(WELL), **seen}))
    return [finding.sentence for finding in found if finding.level is level]


ERRORS: dict[str, tuple[Given, Seen]] = {
    "The setting CONNECTOR_ENCRYPTION_KEYS is missing: it seals the API keys of those who watch profiles."
    " Make one with 'python -m connector new-encryption-key', and keep it.": (
        {"CONNECTOR_ENCRYPTION_KEYS": ""},
        {},
    ),
    "The setting CONNECTOR_BASE_URL is unsafe: it begins with http://, so API keys and secret addresses"
    " would travel in the clear. Put TLS in front, and begin it with https://.": (
        {"CONNECTOR_BASE_URL": "http://connector.example.com"},
        {},
    ),
    "The setting CONNECTOR_ALLOW_LOCAL_CALLBACKS is unsafe: whoever subscribes could reach this machine's"
    " own services. Leave it out; it is for trials with all on one machine.": (
        {"CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true"},
        {},
    ),
    "The database is not migrated.": ({}, {"database_problem": "The database is not migrated."}),
    "The key doesn't open.": ({}, {"keys_problem": "The key doesn't open."}),
    "DATABASE_URL is a SQLite file, and Heroku's disks last a day at most and are not shared; add"
    " PostgreSQL, which sets DATABASE_URL.": (
        {"CONNECTOR_DEADLINE_SECONDS": "28"},
        {"variables": frozenset({"DYNO"})},
    ),
    "Heroku's router ends a request after 30 seconds, and a look-up that goes on is paid for; set"
    " CONNECTOR_DEADLINE_SECONDS=28.": (
        {"DATABASE_URL": SERVER},
        {"variables": frozenset({"DYNO"})},
    ),
    "Redis at CONNECTOR_BROKER_URL can't be used, so events go out some seconds late; check its address"
    " and password, and that it runs.": ({}, {"broker_answers": False}),
    "The host in PROFILE_API_URL doesn't answer; check the address, and that this machine may go out to"
    " it.": ({}, {"upstream_answers": False}),
    "The host in PROFILE_SERVICE_URL doesn't answer; check the address, and that this machine may go out"
    " to it.": (
        {"PROFILE_API_URL": "", "PROFILE_SERVICE_URL": "https://p.example.com"},
        {"upstream_answers": False},
    ),
    "PROFILE_SERVICE_KEY is set without PROFILE_SERVICE_URL, so every look-up fails; set that too.": (
        {"PROFILE_API_URL": "", "PROFILE_SERVICE_KEY": "s3cret"},
        {"upstream_answers": None},
    ),
}
WARNINGS: dict[str, tuple[Given, Seen]] = {
    "DATABASE_URL is a SQLite file on Kubernetes: keep it on a volume that lasts and run all on one"
    " machine, or set DATABASE_URL to PostgreSQL.": (
        {},
        {"variables": frozenset({"KUBERNETES_SERVICE_HOST", "CONNECTOR_SERVICE_HOST"})},
    ),
    "Only 499 MB are free on the disk of the database; make room, or set WATCH_HISTORY_DAYS to fewer"
    " days.": ({}, {"free_bytes": 499_999_999}),
    "Every user of this machine can read /var/c.db.key; run 'chmod 600 /var/c.db.key'.": (
        {},
        {"readable_files": ("/var/c.db.key",)},
    ),
    "A newer version has migrated the database; this one runs beside it during an upgrade, and should be"
    " stopped then.": ({}, {"database_is_newer": True}),
    "No worker is alive, so nothing is watched or delivered; start 'python -m connector work', or the"
    " service that runs it.": ({}, {"worker_is_alive": False}),
    "This machine's clock is 11 seconds behind PostgreSQL's; turn time synchronisation on, as with"
    " 'timedatectl set-ntp true'.": ({}, {"skews": {"PostgreSQL": 11.2}}),
    "This machine's clock is 60 seconds ahead of api.example.com's; turn time synchronisation on, as with"
    " 'timedatectl set-ntp true'.": ({}, {"skews": {"api.example.com": -60.0}}),
    "Sample data answers, and anybody may ask with sk_test_demo; set PROFILE_API_URL or PROFILE_SERVICE_URL"
    " for real profiles.": ({"PROFILE_API_URL": ""}, {"upstream_answers": None}),
    "CONNECTOR_BASE_URL says https, so a proxy stands in front, but none is believed about who calls: all"
    " seem to come from one address; set TRUSTED_PROXIES=1, or as many as there are.": (
        {"TRUSTED_PROXIES": "0"},
        {},
    ),
    "CONNECTOR_BASE_URL is empty, so addresses of webhooks begin with whatever host a request names; set it"
    " to the public address, as https://connector.example.com.": ({"CONNECTOR_BASE_URL": ""}, {}),
    "CONNECTOR_ALLOW_LOCAL_CALLBACKS is on: whoever subscribes can reach this machine's own services; leave"
    " it out when the trial is over.": (
        {
            "PROFILE_API_URL": "http://localhost:9",
            "CONNECTOR_BASE_URL": "http://[::1]:8000",
            "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true",
        },
        {},
    ),
    "A process may open 1024 files here, and a web process needs 1100 for 500 look-ups; raise it"
    " ('ulimit -n 1100') or lower WEB_THREADS.": ({}, {"open_files": 1024}),
    "A process may open 1024 files here, and a web process needs 8100 for 4000 look-ups; raise it"
    " ('ulimit -n 8100') or lower WEB_WORKER_CONNECTIONS.": (
        {"WEB_WORKER_CLASS": "gevent"},
        {"open_files": 1024},
    ),
    "A stop cuts look-ups off that are paid for; set WEB_GRACEFUL_TIMEOUT_SECONDS to more than"
    " CONNECTOR_DEADLINE_SECONDS, which is 60.": ({"WEB_GRACEFUL_TIMEOUT_SECONDS": "60"}, {}),
    "CONNECTOR_BASEURL is no setting and counts for nothing; did you mean CONNECTOR_BASE_URL?": (
        {},
        {"variables": frozenset({"CONNECTOR_BASEURL", "WEB_CONCURRENCY", "WEB_THREADS", "HOME"})},
    ),
    "CONNECTOR_PORT is no setting and counts for nothing; take it out, or see README.md.": (
        {},
        {"variables": frozenset({"CONNECTOR_PORT"})},
    ),
    "WEB_X is no setting and counts for nothing; take it out, or see README.md.": (
        {},
        {"variables": frozenset({"WEB_X"})},
    ),
}


@pytest.mark.parametrize("sentence", ERRORS)
def test_what_does_not_work_or_is_unsafe_is_an_error(sentence: str) -> None:
    assert said(Level.ERROR, *ERRORS[sentence]) == [sentence]


@pytest.mark.parametrize("sentence", WARNINGS)
def test_what_works_but_for_how_long_is_a_warning(sentence: str) -> None:
    given, seen = WARNINGS[sentence]
    assert said(Level.ERROR, given, seen) == []
    assert said(Level.WARNING, given, seen) == [sentence]


def test_all_is_well_where_all_is_well() -> None:
    """A live deployment on SQLite or PostgreSQL has nothing but good news, in one line each."""
    assert said(Level.FINE, {"DATABASE_URL": SERVER}, {"broker_answers": True}) == [
        "Nothing in the settings keeps web server and worker from starting.",
        "The database (PostgreSQL) can be used and is migrated.",
        "50000 MB are free on the disk of the database.",
        "The host in PROFILE_API_URL answers.",
        "Redis answers.",
        "A worker is alive.",
        "The clock agrees with api.example.com's.",
        "A process may open 65536 files.",
    ]
    assert said(Level.ERROR, {}, {}) == said(Level.WARNING, {}, {}) == []


def test_every_rule_has_a_sentence_here() -> None:
    """A rule without one could say anything."""
    for rule in RULES:
        spoken = set()
        for given, seen in (ERRORS | WARNINGS).values():
            settings = Settings.from_env(LIVE | given)
            facts = Facts(**{**vars(WELL), **seen})
            spoken |= {f.sentence for f in rule(settings, facts) if f.level is not Level.FINE}
        assert spoken & (ERRORS | WARNINGS).keys(), rule
