"""The worked examples of CONTRIBUTING.md: applied to a copy of the project, each is everywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT, clean_environment

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"^### (.+?)\n.*?^```diff\n(.*?)^```", PAGE, re.S | re.M))
# Installed, kept or made again at any time; the rest is what one clones.
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "var", "node_modules", ".*_cache", ".hypothesis", "images", "*.pyc.*"
)
# By example: what of each generated file tells of it.
EVERYWHERE = {
    "Add an output field": {
        "README.md": "| `user_pronouns` | Pronouns |",
        "docs/zapier.md": "`user_pronouns`",
        "docs/make.md": "`user_pronouns`",
        "platforms/zapier/definition.json": '"key": "user_pronouns"',
        "platforms/make/modules/getProfile/getProfile.interface.iml.json": '"user_pronouns"',
        "platforms/openapi.json": '"user_pronouns": {',
    },
    "Add an action": {
        "README.md": "`POST /{platform}/actions/compare_profiles`",
        "docs/zapier.md": "Compare Two Profiles",
        "docs/make.md": "Compare two profiles",
        "platforms/zapier/definition.json": '"compare_profiles": {',
        "platforms/make/makecomapp.json": '"compareProfiles": {',
        "platforms/openapi.json": '"/zapier/actions/compare_profiles": {',
    },
    "Add a trigger": {
        "README.md": "`GET /{platform}/triggers/went_live`",
        "docs/zapier.md": "Went Live (Instant)",
        "docs/make.md": "Watch who goes live (instant)",
        "platforms/zapier/definition.json": '"went_live_instant": {',
        "platforms/make/makecomapp.json": '"wentLiveInstant": {',
        "platforms/openapi.json": '"/make/triggers/went_live": {',
    },
    "Add a platform": {
        "README.md": "| `n8n` | n8n | `API` | 60 s | bare |",
        "platforms/openapi.json": '"/n8n/me": {',
    },
}
# Promises that follow from what is declared, and then the new things over HTTP.
HOLD = (
    "tests/contract/test_catalog.py",
    "tests/contract/test_make_app.py",
    "tests/contract/test_make_checks.py::test_app_has_no_fault",
    "tests/contract/test_openapi.py::test_document_is_openapi[whole]",
    "tests/contract/test_openapi.py::test_every_route_is_documented_and_nothing_else",
    "tests/contract/test_zapier_checks.py::test_our_definition_passes",
    "tests/e2e/test_get_profile.py::test_pronouns_are_told",
    "tests/e2e/test_get_profile.py::test_two_profiles_are_compared",
    "tests/e2e/test_get_profile.py::test_connection_test_is_free[n8n]",
    "tests/e2e/test_get_profile.py::test_source_is_recorded_upstream[n8n]",
    "tests/integration/test_documented_answers.py::test_polls_fit[went_live-n8n]",
    "tests/unit/test_events.py::test_stream_is_told_once",
)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def apply(diff: str, folder: Path, *options: str) -> None:
    """Raises with git's own words, which name the hunk that the code has moved away from."""
    command = ["git", "apply", *options]
    done = subprocess.run(
        command, cwd=folder, input=diff, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"CONTRIBUTING.md: {done.stderr}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with every example applied, and what is generated written again."""
    folder = tmp_path_factory.mktemp("project") / "copy"
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
    # Or it would be part of a repository around it, where git applies nothing.
    subprocess.check_call(["git", "init", "--quiet"], cwd=folder)
    for diff in EXAMPLES.values():
        apply(diff, folder, "--check")
    for diff in EXAMPLES.values():
        apply(diff, folder)
    run(folder, "connector", "export")
    return folder


def test_examples_are_the_four() -> None:
    assert list(EXAMPLES) == list(EVERYWHERE)


@pytest.mark.xdist_group("contributing")
@pytest.mark.parametrize("example", EVERYWHERE)
def test_example_is_everywhere(copy: Path, example: str) -> None:
    for name, text in EVERYWHERE[example].items():
        assert text not in (ROOT / name).read_text("utf-8"), name
        assert text in (copy / name).read_text("utf-8"), name


@pytest.mark.xdist_group("contributing")
def test_contracts_hold_with_the_examples_and_new_things_answer(copy: Path) -> None:
    """Over HTTP from real processes, by the examples' own tests and those that walk what is declared."""
    run(copy, "pytest", "-n0", "-p", "no:cacheprovider", *HOLD)


def test_hunk_that_no_longer_applies_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\n")
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,3 @@\n one\n+more\n gone\n"
    with pytest.raises(AssertionError, match=r"a.py:1"):
        apply(diff, tmp_path)


def test_json_is_what_is_looked_for() -> None:
    """The texts above are of files that are written with this spacing."""
    definition = (ROOT / "platforms/zapier/definition.json").read_text("utf-8")
    assert definition == json.dumps(json.loads(definition), indent=2, ensure_ascii=False) + "\n"
