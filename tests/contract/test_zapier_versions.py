"""The integration's versions are said once, in Python; npm's files and the guide follow."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from connector import __version__
from connector.exports.zapier import CORE_VERSION
from tests.running import NODE, ROOT
from tests.zapier.engine import PACKAGE

GUIDE = (ROOT / "docs" / "zapier.md").read_text("utf-8")
ENGINE = "platforms/zapier/node_modules/.package-lock.json"


def content(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PACKAGE / name).read_text("utf-8"))
    return found


def test_lock_is_of_this_version_with_this_engine() -> None:
    """`npm ci` installs what is locked, and refuses a lock that says otherwise than the package."""
    lock, package = content("package-lock.json"), content("package.json")
    mine = lock["packages"][""]
    assert lock["version"] == mine["version"] == package["version"] == __version__
    assert mine["dependencies"] == package["dependencies"]
    assert package["dependencies"]["zapier-platform-core"] == CORE_VERSION
    assert lock["packages"]["node_modules/zapier-platform-core"]["version"] == CORE_VERSION


def test_guide_reads_versions_from_the_package() -> None:
    """Typed ones would go on after the next update, and push or set up another version."""
    commands = re.findall(r'\$\(node -p "(.+?)"\)', GUIDE)
    read = [
        subprocess.check_output([NODE, "-p", code], cwd=PACKAGE, text=True) for code in commands
    ]
    assert [version.strip() for version in read] == [CORE_VERSION, __version__]
    assert not re.search(r"\d+\.\d+\.\d+", GUIDE)


def test_engine_is_installed_again_for_another_package() -> None:
    """Whatever of the two files changes, the tests run what would be pushed."""
    files = ["platforms/zapier/package.json", "platforms/zapier/package-lock.json"]
    old = [f"--old-file={name}" for name in (*files, ".venv/installed-dev")]
    plan = ["make", "--dry-run", ENGINE]
    assert "npm ci" not in subprocess.check_output([*plan, *old], cwd=ROOT, text=True)
    for changed in files:
        options = [option for option in old if not option.endswith(changed)]
        options.append(f"--what-if={changed}")
        assert "npm ci" in subprocess.check_output([*plan, *options], cwd=ROOT, text=True)
