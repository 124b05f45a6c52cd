"""What the guide of incoming webhooks tells people to paste, in the order in which it does."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running import NODE, ROOT, Server, clean_environment
from tests.watched import database

GUIDE = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
LINES = re.findall(r"```sh\n(.*?)```", GUIDE, re.S)
FIRING = [line for line in LINES if "$WEBHOOK" in line and "openssl" not in line]
MAKING = [line for line in LINES if "/api/webhooks" in line]


def shell(line: str, server: Server, **environment: str) -> Any:
    line = line.replace("http://127.0.0.1:8000", server.url)
    return json.loads(
        subprocess.check_output(
            ["sh", "-ec", line], env={**os.environ, **environment}, text=True, timeout=60
        )
    )


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    """As the first line of the guide makes it."""
    return str(shell(MAKING[0], server)["url"])


@pytest.mark.parametrize("line", FIRING)
def test_lines_that_fire_it_answer_the_profile(server: Server, address: str, line: str) -> None:
    assert shell(line, server, WEBHOOK=address)["user_nickname"] == "Dave Portnoy"


def test_guide_shows_every_way() -> None:
    assert (len(FIRING), len(MAKING)) == (4, 3)


def test_forwarding_line_makes_one(server: Server) -> None:
    made = shell(MAKING[1], server)
    assert (made["mode"], made["target_url"]) == ("forward", "https://hooks.example.com/1")
    assert made["secret"].startswith("whsec_")


def test_signing_lines_pass_the_check(server: Server) -> None:
    """With openssl alone; without them the answer is 401."""
    (line,) = [line for line in LINES if "openssl" in line]
    (secret,) = re.findall(r'-hmac "([^"]*)"', line)
    made = requests.post(
        f"{server.url}/api/webhooks",
        json={"signature_style": "github", "signature_secret": secret},
        headers={"X-API-Key": "sk_test_demo"},
        timeout=60,
    ).json()
    assert shell(line, server, WEBHOOK=made["url"])["user_nickname"] == "Dave Portnoy"
    refused = shell(FIRING[0], server, WEBHOOK=made["url"])
    assert refused["error_code"] == "invalid_signature"


def test_form_of_the_guide_names_a_field_that_is_looked_for(server: Server, address: str) -> None:
    (form,) = re.findall(r"```html\n(.*?)```", GUIDE, re.S)
    (name,) = re.findall(r'<input name="(\w+)"', form)
    row = requests.post(address, data={name: "@stoolpresidente"}, timeout=60).json()
    assert row["user_nickname"] == "Dave Portnoy"


APPS_SCRIPT = """
import { execFileSync } from 'node:child_process';
const PropertiesService = { getScriptProperties: () => ({ getProperty: () => process.env.WEBHOOK }) };
const UrlFetchApp = { fetch: (url, { payload }) => {
  const text = execFileSync('curl', ['-sS', url, '-d', new URLSearchParams(payload).toString()]);
  return { getContentText: () => text.toString() };
} };
"""


def test_function_of_a_spreadsheet_answers_a_cell(address: str) -> None:
    """Its two services stand in for Google's; a payload goes as a form there, too."""
    (code,) = re.findall(r"```js\n(.*?)```", GUIDE, re.S)
    program = f"{APPS_SCRIPT}{code}\nconsole.log(FOLLOWERS('@stoolpresidente'), FOLLOWERS('a b'));"
    printed = subprocess.check_output(
        [NODE, "--input-type=module", "-e", program],
        env={**os.environ, "WEBHOOK": address},
        text=True,
        timeout=60,
    )
    assert printed == (
        "4100000 The handle holds white space or control characters. Use a single name.\n"
    )


def test_command_of_the_guide_makes_one(tmp_path: Path) -> None:
    """With the key from the environment; what it prints is what the address begins with."""
    (lines,) = [line for line in LINES if "connector webhooks create" in line]
    url = f"sqlite:///{tmp_path}/c.db"
    with database(url, new=True):
        pass
    printed = subprocess.check_output(
        ["sh", "-ec", lines.splitlines()[0]],
        cwd=ROOT,
        env=clean_environment(DATABASE_URL=url),
        text=True,
        timeout=60,
    )
    assert printed.startswith("url: http://127.0.0.1:8000/webhooks/wh_")
