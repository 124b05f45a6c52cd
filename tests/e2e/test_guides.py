"""What the guides tell people to paste does what they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import NODE, ROOT, Server

GUIDES = sorted((ROOT / "docs").glob("*.md"))
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


@pytest.mark.parametrize("guide", [*GUIDES, ROOT / "README.md"], ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", guide.read_text("utf-8")):
        assert target.startswith("https://") or (guide.parent / target).exists(), target
