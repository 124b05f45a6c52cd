"""What the guides tell people to paste does what they say."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.running import NODE, ROOT, Server

GUIDES = sorted((ROOT / "docs").glob("*.md"))
TRIGGERS = (ROOT / "docs" / "triggers.md").read_text("utf-8")
HTTP = (ROOT / "docs" / "http.md").read_text("utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", HTTP, re.S)


def run(command: list[str], code: str, server: Server) -> str:
    code = code.replace("http://127.0.0.1:8000", server.url)
    return subprocess.check_output([*command, code], text=True, timeout=60)


@pytest.mark.parametrize("code", examples("sh"))
def test_curl_lines_answer_the_profile(server: Server, code: str) -> None:
    answer = json.loads(run(["sh", "-ec"], code, server))
    row = answer[0] if isinstance(answer, list) else answer
    assert row["user_nickname"] == "Dave Portnoy"


def test_python_prints_what_was_found(server: Server) -> None:
    (code,) = examples("python")
    assert run([sys.executable, "-c"], code, server) == "Dave Portnoy 4100000 190400000\n"


def test_javascript_prints_what_was_found(server: Server) -> None:
    (code,) = examples("js")
    printed = run([NODE, "--input-type=module", "-e"], code, server)
    assert printed == "[ 'Dave Portnoy', 4100000, 190400000 ]\n"


def test_history_lines_answer_what_the_poll_above_saw(server: Server) -> None:
    """As JSON, and as a table whose only look comes under its keys."""
    lines = re.findall(r"```sh\n(curl [^`]*?)```", TRIGGERS)
    poll, as_json, as_csv = (line for line in lines if "ada.bakes" in line and "-d" not in line)
    run(["sh", "-ec"], poll, server)
    (row,) = json.loads(run(["sh", "-ec"], as_json, server))
    assert (row["handle"], row["status"]) == ("ada.bakes", "found")
    (read,) = csv.DictReader(io.StringIO(run(["sh", "-ec"], as_csv, server), newline=""))
    assert read == {key: str(value) for key, value in row.items()}


SECRET = "whsec_" + "QUFB" * 8
EVENT = '{"event_type": "new_video", "latest_video_desc": "Blüten 🌸"}'
VERIFY = {
    "python": (
        [sys.executable, "-c"],
        "{code}\nimport json, sys\nprint(verified(*json.loads(sys.argv[1]))['event_type'])",
    ),
    "js": (
        [NODE, "--input-type=module", "-e"],
        "{code}\nconsole.log(verified(...JSON.parse(process.argv[1])).event_type);",
    ),
}


@pytest.mark.parametrize("language", VERIFY)
def test_receivers_tell_our_deliveries_from_others(language: str) -> None:
    """As the guide writes it: what was signed passes; a flipped byte, or an old one, does not."""
    command, program = VERIFY[language]
    (code,) = re.findall(rf"```{language}\n(.*?)```", TRIGGERS, re.S)

    def verify(body: str, age: int) -> subprocess.CompletedProcess[str]:
        at = datetime.now(UTC) - timedelta(seconds=age)
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": f"v1,AAAA {Webhook(SECRET).sign('msg_1', at, EVENT)}",
        }
        given = json.dumps([SECRET, headers, body])
        words = [*command, program.replace("{code}", code), given]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert verify(EVENT, 0).stdout == "new_video\n"
    assert verify(EVENT, 200).stdout == "new_video\n"
    for forged in (verify(EVENT.replace("video", "vidoe"), 0), verify(EVENT, 400)):
        assert (forged.returncode, forged.stdout) == (1, "")


@pytest.mark.parametrize("guide", [*GUIDES, ROOT / "README.md"], ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", guide.read_text("utf-8")):
        assert target.startswith("https://") or (guide.parent / target).exists(), target
