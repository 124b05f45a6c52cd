"""docs/deploy.md, followed word for word on one small server: TLS in front, services, first key."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from base64 import urlsafe_b64decode
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from profile_api.keys import TEST_KEY
from tests.children import binary, child
from tests.running import ROOT, clean_environment, copy_part, free_port, until

GUIDE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
BLOCKS = re.findall(r"<!-- run by tests/e2e/test_deploy_guide.py -->\n```sh\n(.*?)```", GUIDE, re.S)
# More than the web server looks up itself.
BATCH = 11
AS_CONNECTOR = "setpriv --reuid connector --regid connector --init-groups "
FOLDERS = (
    *("srv/connector/1", "etc/caddy", "var/lib", "usr/local/bin"),
    "run/connector",
)
PARTS = ("app.py", "gunicorn.conf.py", "connector", "profile_api", "schemas", "wire", "deploy")


class Machine:
    """A folder that stands for the root of a server's disk, and for its only user."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port, self.web_port = free_port(), free_port()
        self.domain = f"localhost:{self.port}"
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True)
        (root / "srv/connector/current").symlink_to("1")
        for name in PARTS:
            copy_part(name, root / "srv/connector/1")
        (root / "srv/connector/1/.venv").symlink_to(sys.prefix)
        command = root / "srv/connector/1/deploy/connector"
        command.write_text(self.here(command.read_text("utf-8")))

    def here(self, text: str) -> str:
        """`text` with its paths in the folder, and without the other user."""
        text = re.sub(r"(?<=[\s'/\"=])/(srv|etc|var|run|usr/local)/", rf"{self.root}/\1/", text)
        return text.replace("-o connector -g connector ", "").replace(AS_CONNECTOR, "")

    def environment(self, **more: str) -> dict[str, str]:
        given = clean_environment(DOMAIN=self.domain, **more)
        return {**given, "PATH": f"{self.root}/usr/local/bin:{given['PATH']}"}

    def run(self, block: str) -> str:
        code = f"cd {self.root}/srv/connector/current\n{self.here(block)}"
        environment = self.environment(CURL_CA_BUNDLE=str(self.authority))
        result = subprocess.run(
            ["sh", "-ec", code], env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    @property
    def authority(self) -> Path:
        """Of Caddy's own certificates, where there is no public name."""
        return self.root / "caddy/pki/authorities/local/root.crt"

    def service(self, unit: str) -> list[str]:
        """What systemd would start, with the settings in the unit's file, and the socket that it names."""
        lines = self.here((ROOT / "deploy" / unit).read_text("utf-8").replace("%i", "1"))
        said = dict(re.findall(r"^(\w+)=(.*)$", lines, re.M))
        folder, settings = said["WorkingDirectory"], said["EnvironmentFile"]
        start = f"set -a; . {settings}; cd {folder}; exec {said['ExecStart']}"
        command = ["sh", "-ec", start]
        if "Sockets" in said:
            variable = said["Environment"].partition("=")[0]
            listen = [f"--listen=127.0.0.1:{self.web_port}", f"--setenv={variable}"]
            command = ["systemd-socket-activate", *listen, *command]
        return ["env", "-i", "PATH=/usr/bin:/bin", said["Environment"], *command]

    def looked_up(self) -> int:
        """How many look-ups `/metrics` of the web server tells of."""
        told = requests.get(f"http://127.0.0.1:{self.web_port}/metrics", timeout=60).text
        counts = re.findall(
            r'^connector_upstream_call_seconds_count\{.*"look_up".*\} (.*)$', told, re.M
        )
        return sum(map(round, map(float, counts)))

    def caddy(self) -> list[str]:
        """Caddy with the guide's file; on any port, and with nothing put into the system's trust."""
        wrapper = self.root / "etc/caddy/wrapper"
        wrapper.write_text(
            "{\nadmin off\nauto_https disable_redirects\nskip_install_trust\n"
            f"storage file_system {self.root}/caddy\n}}\nimport {self.root}/etc/caddy/Caddyfile\n"
        )
        settings = [f"UPSTREAM=127.0.0.1:{self.web_port}", f"HOME={self.root}"]
        run = [binary("caddy"), "run", "--adapter", "caddyfile", "--config", str(wrapper)]
        return ["env", *settings, *run]

    def says(self, word: str) -> bool:
        """Whether it is in what /readyz answers through Caddy."""
        asked = ["curl", "-sS", f"https://{self.domain}/readyz"]
        environment = self.environment(CURL_CA_BUNDLE=str(self.authority))
        answer = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
        return word in answer.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def nightly() -> str:
    """What the timer has systemd run, whose own marks stand twice."""
    unit = (ROOT / "deploy" / "connector-backup.service").read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.M)
    return str(command.replace("$$", "$").replace("%%", "%"))


def log_folder(machine: Machine, name: str) -> Path:
    folder = machine.root / "log" / name
    folder.mkdir(parents=True)
    return folder


def test_one_small_server_answers_over_tls(machine: Machine) -> None:
    """Every block that needs neither systemd nor a package, in order, and the units' own commands.

    What the worker does is counted where the web server tells it.
    """
    settings, prepare, tls, first = BLOCKS
    machine.run(settings)
    kept = machine.root / "etc/connector.env"
    assert kept.stat().st_mode & 0o777 == 0o600
    with kept.open("a") as file:
        file.write("WEB_WORKERS=1\n")
    told = machine.run(prepare)
    assert "Errors" not in told
    assert "No worker is alive" in told
    machine.run(tls)
    with ExitStack() as running:
        for unit in ("connector@.service", "connector-worker@.service"):
            command, folder = machine.service(unit), log_folder(machine, unit)
            running.enter_context(child(command, folder, ready=lambda: True))
        folder = log_folder(machine, "caddy")
        ready = '"worker":"ok"'
        running.enter_context(child(machine.caddy(), folder, ready=lambda: machine.says(ready)))
        key, answered = machine.run(first).splitlines()
        assert key.startswith("sk_")
        row = json.loads(answered)
        assert (row["handle"], row["request_source"]) == ("stoolpresidente", "ZAPIER")
        requests.post(
            f"http://127.0.0.1:{machine.web_port}/api/actions/get_profiles",
            json={"handles": [f"p{number}" for number in range(BATCH)]},
            headers={"X-API-Key": TEST_KEY},
            timeout=60,
        ).raise_for_status()
        until(lambda: machine.looked_up() == 1 + BATCH)
        again = machine.run("connector check")
        assert "A worker is alive." in again
        assert "can read" not in again
        machine.run(nightly())
        (kept,) = (machine.root / "var/lib/connector").glob("backup-?.db")
        assert kept.stat().st_mode & 0o777 == 0o600


def test_upgrade_that_fails_leaves_the_old_version_alone(machine: Machine) -> None:
    """Pasted as a whole, where the new version can't even be had."""
    (upgrade,) = re.findall(r"```sh\n(\(\n.*?)```", GUIDE, re.S)
    systemctl = machine.root / "usr/local/bin/systemctl"
    systemctl.write_text(f"#!/bin/sh\ntouch {machine.root}/called\n")
    systemctl.chmod(0o755)
    names = {"OLD": "1", "VERSION": "2", "REPOSITORY": str(machine.root / "nowhere")}
    # As an interactive shell goes on, so does this one.
    given = ["sh", "-c", f"{machine.here(upgrade)}\nreadlink srv/connector/current"]
    environment = machine.environment(**names)
    answer = subprocess.run(
        given, cwd=machine.root, env=environment, capture_output=True, text=True, check=False
    )
    assert "nowhere" in answer.stderr
    assert answer.stdout == "1\n"
    assert not (machine.root / "called").exists()


def test_key_made_without_the_product_is_one_that_it_takes() -> None:
    """Before anything is deployed, there is nothing else to make it with."""
    (line,) = re.findall(r"\"\$\((python3 -c .*?)\)\" \\", GUIDE)
    printed = subprocess.check_output([sys.executable, *shlex.split(line)[1:]], text=True)
    assert len(urlsafe_b64decode(printed)) == 32


def test_blocks_of_the_guide_are_shell() -> None:
    """Those that can't be run here can at least be read by one."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.S)
    assert len(blocks) > len(BLOCKS) == 4
    for block in blocks:
        subprocess.run(["sh", "-n"], input=block, text=True, check=True)
