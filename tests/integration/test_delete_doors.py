"""The ways to have everything deleted, and that none does it by mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from werkzeug.test import Client

from tests.integration.test_console import client, sign_in

KEY = {"X-API-Key": "sk_test_demo"}


@pytest.fixture
def door(tmp_path: Path) -> Client:
    """Of somebody who watches, by way of Zapier and by way of plain HTTP."""
    door = client(tmp_path)
    for platform in ("zapier", "api"):
        hook = {"trigger": "new_video", "target_url": "https://a.example.com/1", "handles": "ada"}
        assert door.post(f"/{platform}/hooks", json=hook, headers=KEY).status_code == 201
    return door


def hooks(door: Client, platform: str) -> int:
    return len(door.get(f"/{platform}/hooks", headers=KEY).json)


@pytest.mark.parametrize("asked", [{}, {"confirm": False}, {"confirm": "perhaps"}])
def test_nothing_is_deleted_without_a_word_of_confirmation(
    door: Client, asked: dict[str, object]
) -> None:
    answer = door.delete("/api/me", json=asked, headers=KEY)
    assert answer.status_code == 400
    assert answer.json["error"].startswith("confirm: ")
    assert hooks(door, "api") == 1


def test_owner_deletes_what_one_platform_keeps(door: Client) -> None:
    """Twice is no error; by the query too, as some send no body with DELETE."""
    for sent in ({"query_string": {"confirm": "true"}}, {"json": {"confirm": True}}):
        answer = door.delete("/api/me", headers=KEY, **sent)
        assert (answer.status_code, answer.json["deleted"]) == (200, True)
        assert answer.json["id"] == door.get("/api/me", headers=KEY).json["id"]
    assert (hooks(door, "api"), hooks(door, "zapier")) == (0, 1)
    bad = door.delete("/api/me?confirm=true", headers={"X-API-Key": "sk_unknown"})
    assert bad.status_code == 401


def test_console_deletes_what_all_platforms_keep_and_ends_the_visit(door: Client) -> None:
    sign_in(door)
    page = door.get("/console/your-data").text
    assert page.count('<th scope="row">') == 2
    (token,) = set(re.findall(r'name="form_token" value="(\w+)"', page))
    delete = "/console/your-data/delete"
    assert door.post(delete, data={"confirm": "true"}).status_code == 403
    unconfirmed = door.post(delete, data={"form_token": token})
    assert unconfirmed.status_code == 400
    assert "tick the box" in unconfirmed.text
    done = door.post(delete, data={"form_token": token, "confirm": "true"})
    assert done.headers["Location"] == "/console/sign-in?notice=deleted"
    assert "is deleted" in door.get(done.headers["Location"]).text
    assert door.get("/console/your-data").status_code == 303
    assert (hooks(door, "api"), hooks(door, "zapier")) == (0, 0)
