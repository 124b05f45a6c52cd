"""What a newcomer types: `make run`, the README's curl line, the endpoint's own examples, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from profile_api.services.samples import DOCUMENTED
from tests.make_app.breaking import put
from tests.running import (
    NODE,
    PLATFORM_SOURCES,
    ROOT,
    FakeUpstream,
    Server,
    clean_environment,
    free_port,
    reply,
    until,
)

README = (ROOT / "README.md").read_text("utf-8")
EXAMPLE = re.search(r"<!-- example.*?```sh\n(.*?)```.*?```json\n(.*?)```", README, re.S)


@contextmanager
def make_run(folder: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`make run` in a process group of its own, and what it prints up to its last hint."""
    with (folder / "errors.log").open("w") as errors:
        process = subprocess.Popen(
            ["make", "--no-print-directory", "run"],
            cwd=ROOT,
            # A proxy for the outside must not keep it from seeing itself.
            env=clean_environment(
                DATABASE_URL=f"sqlite:///{folder}/run.db",
                http_proxy="http://127.0.0.1:9",
                **settings,
            ),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C" in line:
            break
    try:
        yield process, printed
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def processes_with(text: str) -> list[str]:
    """Command lines and environments of running processes that hold `text`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().decode())
        except OSError:
            continue  # it ended meanwhile, or is not ours
    return found


def shell(command: str) -> Any:
    return json.loads(subprocess.check_output(["sh", "-ec", command], text=True))


@pytest.mark.parametrize("ending", ["SIGINT", "SIGHUP", "SIGTERM to make"])
def test_make_run_serves_says_so_and_ends_with_all_it_started(tmp_path: Path, ending: str) -> None:
    """Its curl line works as printed; afterwards the port is free and no process is left."""
    port = free_port()
    folder = {"TMPDIR": str(tmp_path)}
    with make_run(tmp_path, PORT=str(port), WEB_WORKERS="2", **folder) as (process, printed):
        assert f"Ready on http://127.0.0.1:{port}" in printed
        curl = printed[printed.index("curl") : printed.index("Next:")]
        assert shell(curl)["handle"] == "stoolpresidente"
        # What the worker counts is read from the web server, whose processes begin one by one.
        until(lambda: len(processes_with(f"{tmp_path}/connector-metrics-")) == 4)
        assert len(processes_with(str(tmp_path))) >= 4
        # A terminal signals the whole group; a process manager only what it started.
        if ending == "SIGTERM to make":
            process.send_signal(signal.SIGTERM)
        else:
            os.killpg(process.pid, signal.Signals[ending])
        process.wait(90)
    assert processes_with(str(tmp_path)) == []
    assert not list(tmp_path.glob("connector-metrics-*"))
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
    assert "Traceback" not in (tmp_path / "errors.log").read_text()


def test_taken_port_is_explained(tmp_path: Path, server: Server) -> None:
    port = server.url.rpartition(":")[2]
    result = subprocess.run(
        ["make", "--no-print-directory", "run"],
        cwd=ROOT,
        env=clean_environment(DATABASE_URL=f"sqlite:///{tmp_path}/run.db", PORT=port),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert f"Can't listen on 127.0.0.1:{port}" in result.stderr
    assert "PORT=8001 make run" in result.stderr


def test_answer_in_the_readme_is_the_real_one(server: Server) -> None:
    """Pasted, it answers what the README shows; only the moment differs."""
    assert EXAMPLE is not None
    command, shown = EXAMPLE.groups()
    assert "http://127.0.0.1:8000/" in command
    assert "Bearer sk_test_demo'" in command
    # Another test may have looked the same up with that key: then the row says that it is cached.
    command = command.replace("sk_test_demo", server.new_key()[0])
    row = shell(command.replace("http://127.0.0.1:8000", server.url))
    expected = json.loads(shown)
    assert list(row) == list(expected)
    assert {**row, "fetched_at": None} == {**expected, "fetched_at": None}


def test_endpoint_answers_curl(server: Server) -> None:
    """A POST with two headers and a JSON body, as any client sends it."""
    command = (
        f"curl -sS -X POST {server.url}/api/v1/get-tiktok-profile"
        " -H 'Authorization: Bearer sk_test_demo' -H 'Content-Type: application/json'"
        """ -d '{ "handle": "stoolpresidente" }'"""
    )
    assert shell(command) == DOCUMENTED


def test_endpoint_answers_node(server: Server) -> None:
    """Node's own fetch, with a good and a bad key."""
    script = """
        const [url, ...keys] = process.argv.slice(1);
        for (const key of keys) {
          const response = await fetch(url, {
            method: 'POST',
            headers: {'Content-Type': 'application/json', Authorization: `Bearer ${key}`},
            body: JSON.stringify({handle: 'stoolpresidente'}),
          });
          const data = await response.json();
          console.log(JSON.stringify([response.status, data.error ?? data.user.uniqueId]));
        }
    """
    url = f"{server.url}/api/v1/get-tiktok-profile"
    output = subprocess.check_output(
        [NODE, "--input-type=module", "-e", script, url, "sk_test_demo", "sk_wrong"], text=True
    )
    assert [json.loads(line) for line in output.splitlines()] == [
        [200, "stoolpresidente"],
        [401, "API key is invalid or missing."],
    ]


def test_hosted_api_replaces_the_embedded_endpoint(front: Server, upstream: FakeUpstream) -> None:
    """With PROFILE_API_URL there is no endpoint of our own, and the test key opens nothing here."""
    endpoint = requests.post(f"{front.url}/api/v1/get-tiktok-profile", timeout=60)
    assert endpoint.status_code == 404
    upstream.answers("hosted", reply(200, DOCUMENTED))
    for platform, source in PLATFORM_SOURCES.items():
        row = requests.get(
            f"{front.url}/{platform}/searches/find_profile",
            params={"handle": "hosted"},
            headers={"X-API-Key": "sk_mine"},
            timeout=60,
        )
        assert "Dave Portnoy" in row.text
        assert upstream.asked_for("hosted")[-1].body["requestSource"] == source


@pytest.mark.parametrize(
    "setting", [{"PROFILE_API_URL": "nonsense"}, {"DATABASE_URL": "sqlite:////dev/null/no/file"}]
)
def test_wrong_setting_stops_the_web_server(setting: dict[str, str]) -> None:
    """With a sentence, also where it is started without our own command, as a Procfile does."""
    result = subprocess.run(
        [ROOT / ".venv/bin/gunicorn", "app:app"],
        cwd=ROOT,
        env=clean_environment(**setting),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode != 0
    assert f"The setting {next(iter(setting))} is wrong" in result.stderr
    assert "Traceback" not in result.stderr


PUBLISHED = {
    "zapier": (
        "definition.json",
        "creates/older_step",
        {"display": {}, "operation": {}},
        "C001: creates.older_step is gone or hidden.",
    ),
    "make": (
        "makecomapp.json",
        "components/module/olderModule",
        {"moduleType": "action"},
        "The module olderModule is gone.",
    ),
}


@pytest.mark.parametrize("platform", PUBLISHED)
def test_export_asks_before_it_breaks_what_was_built(tmp_path: Path, platform: str) -> None:
    """What was published stays, unless somebody says that it may go; then the file is whole again."""
    name, place, older, sentence = PUBLISHED[platform]
    current = ROOT / "platforms" / platform / name
    published = json.loads(current.read_text("utf-8"))
    put(place, older)(published)
    target = tmp_path / "platforms" / platform / name
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(published))
    command = [sys.executable, "-m", "connector", "export", platform]

    def export(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *options],
            cwd=tmp_path,
            env=clean_environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    refused = export()
    assert refused.returncode != 0
    assert sentence in refused.stderr
    assert "--allow-removal" in refused.stderr
    assert json.loads(target.read_text()) == published
    assert list(tmp_path.rglob("*.json")) == [target]
    assert export("--allow-removal").returncode == 0
    assert target.read_text() == current.read_text()
