"""The files that hosts read say what the product is: commands, settings, and all that it consists of."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.adapters.crypto import new_encryption_key
from connector.config import Settings, documented
from connector.findings import HEROKU, Facts, Level, findings
from connector.serve import PARTS
from tests.running import ROOT, Server, clean_environment, copy_part, free_port

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SOCKET = ROOT / "deploy" / "connector.socket"
BACKUP = [ROOT / "deploy" / f"connector-backup.{kind}" for kind in ("service", "timer")]
UNITS = [ROOT / "deploy" / f"{name}@.service" for name in ("connector", "connector-worker")]


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_compose_runs_what_the_procfile_runs() -> None:
    """The same commands, but that a host tells gunicorn its port."""
    commands = {name: service["command"] for name, service in OURS.items()}
    wanted = procfile()
    web = wanted["web"].replace("--bind 0.0.0.0:$PORT ", "")
    assert commands == {"migrate": wanted["release"], "web": web, "worker": wanted["worker"]}
    assert re.findall(r"^CMD (.*)", DOCKERFILE, re.M) == [str(web.split()).replace("'", '"')]
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize(
    ("command", "elsewhere"),
    [(procfile()["web"].split()[1:], False), (PARTS[0][1:], True)],
    ids=["Procfile", "serve"],
)
def test_every_number_of_the_web_server_is_a_setting(
    tmp_path: Path, command: list[str], *, elsewhere: bool
) -> None:
    """However it is started: as the Procfile does, or by `serve`, which may be called in any folder."""
    given = {
        "WEB_WORKERS": ("workers", "3"),
        "WEB_WORKER_CLASS": ("worker_class", "gevent"),
        "WEB_THREADS": ("threads", "7"),
        "WEB_WORKER_CONNECTIONS": ("worker_connections", "11"),
        "WEB_BACKLOG": ("backlog", "77"),
        "WEB_KEEPALIVE_SECONDS": ("keepalive", "13"),
        "WEB_GRACEFUL_TIMEOUT_SECONDS": ("graceful_timeout", "17"),
    }
    assert {name for name, _, _ in documented() if name.startswith("WEB_")} == set(given)
    result = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--print-config", *command],
        cwd=tmp_path if elsewhere else ROOT,
        env=clean_environment(
            DATABASE_URL=f"sqlite:///{tmp_path}/connector.db",
            PYTHONPATH=str(ROOT),
            **{variable: value for variable, (_, value) in given.items()},
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    printed = dict(re.findall(r"^(\w+) += (.*)$", result.stdout, re.M))
    assert printed["worker_class"] == "connector.web.gevent_worker.DiscreetGeventWorker"
    numbers = {name: value for name, value in given.values() if value.isdigit()}
    assert {name: printed[name] for name in numbers} == numbers
    assert printed["control_socket_disable"] == "True"


@pytest.mark.parametrize("name", OURS)
def test_compose_sets_what_the_connector_reads(name: str) -> None:
    given = {"POSTGRES_PASSWORD": "pw", "CONNECTOR_ENCRYPTION_KEYS": new_encryption_key()}
    environment = {
        key: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: given.get(found[1], ""), value)
        for key, value in OURS[name]["environment"].items()
    }
    assert set(environment) <= {variable for variable, _, _ in documented()}
    settings = Settings.from_env(environment)
    settings.check_live()
    assert settings.on_postgresql
    hosts = re.findall(r"@(\w+)/|//(\w+):", " ".join(environment.values()))
    assert {a or b for a, b in hosts} - {"connector"} == {"postgres", "redis"}


def test_compose_starts_nothing_before_its_tables_are_there() -> None:
    for name, service in SERVICES.items():
        for other, needs in service.get("depends_on", {}).items():
            ends = SERVICES[other].get("restart") == "no"
            wanted = "service_completed_successfully" if ends else "service_healthy"
            assert needs["condition"] == wanted, (name, other)
    assert {name: list(service["depends_on"]) for name, service in OURS.items()} == {
        "migrate": ["postgres"],
        "web": ["migrate"],
        "worker": ["migrate"],
    }


def test_image_holds_all_that_its_commands_need(tmp_path: Path) -> None:
    """What the Dockerfile copies, alone in a folder, migrates, and serves; it doesn't run as root."""
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for words in re.findall(r"COPY (.*) \S+", DOCKERFILE):
        for name in shlex.split(words):
            assert f"!{name}" in ignored
            copy_part(name, tmp_path)
    for command in (
        "connector migrate",
        "gunicorn --check-config app:app",
        "connector work --help",
    ):
        result = subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
    (user,) = re.findall(r"^USER (.*)", DOCKERFILE, re.M)
    assert f"useradd --system --uid {user} connector" in DOCKERFILE


def test_dockerfile_pleases_its_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_image_knows_whether_it_serves(server: Server) -> None:
    """Its health check, run as it is: well on a port that serves, ill on one that doesn't."""
    (words,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*?\])$", DOCKERFILE, re.M | re.S)
    command = [sys.executable, *json.loads(words)[1:]]
    for port, ends in ((server.url.rpartition(":")[2], 0), (str(free_port()), 1)):
        result = subprocess.run(
            command, env=clean_environment(PORT=port), capture_output=True, check=False
        )
        assert result.returncode == ends, result.stderr


def test_every_host_has_the_same_python() -> None:
    """Heroku reads it from a file, the image says it; the newest would be whatever it is that day."""
    version = (ROOT / ".python-version").read_text("utf-8").strip()
    assert re.findall(r"^FROM (.*)", DOCKERFILE, re.M) == [f"python:{version}-slim"]


def test_heroku_runs_what_the_procfile_runs_with_settings_that_there_are() -> None:
    app = json.loads((ROOT / "app.json").read_text("utf-8"))
    assert set(app["formation"]) == set(procfile()) - {"release"}
    given = {name: said["value"] for name, said in app["env"].items() if "value" in said}
    needed = {name for name, said in app["env"].items() if said.get("required")}
    assert needed == {"CONNECTOR_ENCRYPTION_KEYS", "CONNECTOR_BASE_URL"}
    owner = {
        "CONNECTOR_ENCRYPTION_KEYS": new_encryption_key(),
        "CONNECTOR_BASE_URL": "https://connector.example.com",
        # Of the add-on.
        "DATABASE_URL": "postgres://u:p@h/d",
    }
    facts = Facts(variables=frozenset({HEROKU, *given, *owner}), open_files=10_000)
    found = findings(Settings.from_env(given | owner), facts)
    assert [f.sentence for f in found if f.level is not Level.FINE] == []


def test_units_are_what_systemd_takes_and_give_little_away(tmp_path: Path) -> None:
    """Both are shut in alike, and count in one folder; a stop waits longer than gunicorn does."""
    files = [SOCKET, *UNITS, *BACKUP]
    for file in files:
        text = file.read_text("utf-8")
        (tmp_path / file.name).write_text(text.replace("/srv/connector/%i/.venv", sys.prefix))
    checked = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / file.name for file in files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    shut = [unit.read_text("utf-8").partition("# Where web server and worker")[2] for unit in UNITS]
    assert shut[0] == shut[1]
    # Of 10.0; what is left is the network, which it is there for.
    weighed = ["systemd-analyze", "security", "--offline=true", "--threshold=15", UNITS[0]]
    subprocess.run(weighed, stdout=subprocess.DEVNULL, check=True)
    for unit in UNITS:
        (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text("utf-8"), re.M)
        assert int(stop) > Settings().web_graceful_timeout_seconds


def test_units_run_what_the_procfile_runs() -> None:
    """But that systemd listens, where Caddy looks."""
    wanted = procfile()
    started = [
        re.findall(r"^ExecStart=/srv/connector/%i/.venv/bin/(.*)$", unit.read_text("utf-8"), re.M)
        for unit in UNITS
    ]
    assert started == [[wanted["web"].replace("--bind 0.0.0.0:$PORT ", "")], [wanted["worker"]]]
    (port,) = re.findall(r"^ListenStream=(.*)$", SOCKET.read_text("utf-8"), re.M)
    assert f"UPSTREAM:{port}" in (ROOT / "deploy" / "Caddyfile").read_text("utf-8")
    assert f"Backlog={Settings().web_backlog}\n" in SOCKET.read_text("utf-8")
