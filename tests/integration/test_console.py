"""What the console promises without a browser: cookies, ways back, visits that end, pictures."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from werkzeug.test import Client, TestResponse

from connector.adapters.pictures import MAX_BYTES, WebPictures
from connector.adapters.store.tables import Visit
from connector.adapters.store.visits import KeptVisits
from connector.bootstrap import build
from connector.config import Settings
from connector.databases import migrate_database
from connector.domain.errors import InvalidApiKey, UpstreamUnavailable
from connector.domain.pictures import Picture
from connector.services.pictures import Pictures
from connector.services.visits import AT_ONCE, LASTS, Visits
from tests.running import FakeUpstream, reply
from tests.watched import Watching, profile
from wire.database import reading
from wire.http import new_session

JPEG = b"\xff\xd8\xff\xe0 a picture"
# What the fake upstream takes for the handle of a request without a body.
NO_BODY = "None"


def client(folder: Path, **settings: str) -> Client:
    environment = {"DATABASE_URL": f"sqlite:///{folder}/connector.db", **settings}
    migrate_database(Settings.from_env(environment))
    return Client(build(environment))


def sign_in(to: Client, key: str = "sk_test_demo", **given: str) -> TestResponse:
    page = to.get("/console/sign-in").text
    token = re.search(r'name="form_token" value="(\w+)"', page)
    assert token
    return to.post("/console/sign-in", data={"form_token": token[1], "api_key": key, **given})


@pytest.mark.parametrize(
    ("base_url", "secure"), [("https://connector.example.com", True), ("http://10.0.0.7", False)]
)
def test_cookie_is_secure_where_people_come_by_tls(
    tmp_path: Path, base_url: str, secure: bool
) -> None:
    cookies = sign_in(client(tmp_path, CONNECTOR_BASE_URL=base_url)).headers.getlist("Set-Cookie")
    name, path = ("__Host-console_visit", "/") if secure else ("console_visit", "/console")
    (visit,) = [cookie for cookie in cookies if cookie.startswith(f"{name}=")]
    assert ("; Secure" in visit) is secure
    assert "; HttpOnly" in visit
    assert visit.endswith("; SameSite=Lax")
    assert f"; Path={path};" in f"{visit};"


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/console/jobs", "/console/jobs"),
        ("https://evil.example/console/", "/console/"),
        ("//evil.example", "/console/"),
        ("/console//evil.example", "/console/"),
        ("/console/\\evil.example", "/console/"),
        ("/docs", "/console/"),
    ],
)
def test_signing_in_leads_to_pages_of_the_console_only(
    tmp_path: Path, asked: str, led: str
) -> None:
    answer = sign_in(client(tmp_path), next=asked)
    assert (answer.status_code, answer.headers["Location"]) == (303, led)


def test_page_leads_to_the_door_and_back(tmp_path: Path) -> None:
    browser = client(tmp_path)
    answer = browser.get("/console/jobs")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/console/sign-in?next=/console/jobs",
    )
    assert 'value="/console/jobs"' in browser.get(answer.headers["Location"]).text
    sign_in(browser)
    assert browser.get("/console/jobs").status_code == 200
    assert browser.get("/console/nowhere").status_code == 404
    assert browser.get("/console/static/passwords.txt").status_code == 404


def test_form_after_the_visit_is_not_done_and_says_so(tmp_path: Path) -> None:
    answer = client(tmp_path).post("/console/watched/api/ada/pause", data={"form_token": "x"})
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/console/sign-in?notice=expired",
    )


def test_second_press_signs_nobody_out(tmp_path: Path) -> None:
    browser = client(tmp_path)
    sign_in(browser)
    again = browser.post("/console/sign-in", data={"form_token": "old", "next": "/console/jobs"})
    assert (again.status_code, again.headers["Location"]) == (303, "/console/jobs")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/console/jobs", 405),
        ("POST", "/console/usage", 405),
        ("GET", "/console/nowhere", 404),
        ("GET", "/console/deliveries/api/" + "9" * 5000, 404),
    ],
)
def test_what_is_refused_is_a_page(tmp_path: Path, method: str, path: str, status: int) -> None:
    browser = client(tmp_path)
    sign_in(browser)
    answer = browser.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert "Content-Security-Policy" in answer.headers


def test_rows_of_a_job_begin_where_there_are_some(tmp_path: Path) -> None:
    browser = client(tmp_path)
    sign_in(browser)
    token = re.search(r'name="form_token" value="(\w+)"', browser.get("/console/jobs").text)
    assert token
    began = browser.post(
        "/console/jobs",
        data={"form_token": token[1], "handles": "stoolpresidente", "max_age_seconds": "60"},
    )
    job = began.headers["Location"]
    assert "stoolpresidente" in browser.get(job).text
    for after in ("-1", "9" * 25, "x"):
        assert browser.get(f"{job}?after={after}").status_code == 200
    assert "callback" not in browser.get("/console/jobs").text.lower()


@pytest.mark.parametrize("key", ["", "two words", "sk_nobody", "ключ", "x" * 1000])
def test_bad_key_does_not_come_in(tmp_path: Path, key: str) -> None:
    answer = sign_in(client(tmp_path), key)
    assert (answer.status_code, "console_visit" in str(answer.headers)) == (401, False)


def test_pages_are_not_kept_by_browsers(tmp_path: Path) -> None:
    """Nor told to others: they hold what belongs to a key."""
    browser = client(tmp_path)
    sign_in(browser)
    headers = browser.get("/console/jobs").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/console/deliveries/api/99999999999999999999999",
        "/console/deliveries/api/0",
        "/console/deliveries?state=%00",
        "/console/jobs/api/%00",
        "/console/jobs/api/x?after=999999999999999999999",
        "/console/jobs/elsewhere/x",
        "/console/subscriptions/api/%F0%9F%98%80",
        "/console/webhooks/make/..",
        "/console/watched/api/%00",
        "/console/watched/api/nobody?days=-1",
        "/console/pictures/api/%00",
        "/console/?notice=<script>",
    ],
)
def test_whatever_an_address_holds_is_answered(tmp_path: Path, path: str) -> None:
    browser = client(tmp_path)
    sign_in(browser)
    answer = browser.get(path, buffered=True)
    assert answer.status_code in (200, 400, 404), answer.text
    assert "<script>" not in answer.text.replace("<script src=", "")


def visits_of(watching: Watching, engine: Engine) -> Visits:
    return Visits(
        store=KeptVisits(engine),
        subscribing=watching.subscribing,
        vault=watching.vault,
        clock=watching.clock,
    )


def test_visit_is_known_by_its_token_until_it_ends(watching: Watching, engine: Engine) -> None:
    visits = visits_of(watching, engine)
    token, other = (visits.begin(watching.caller()) for _ in range(2))
    assert visits.api_key(token) == watching.caller().api_key
    assert visits.api_key("made up") is None
    visits.end(token)
    assert visits.api_key(token) is None
    assert visits.api_key(other) is not None
    watching.clock.time += LASTS
    assert visits.api_key(other) is None


def test_neither_token_nor_key_is_kept_as_it_is(watching: Watching, engine: Engine) -> None:
    visits = visits_of(watching, engine)
    token = visits.begin(watching.caller())
    with reading(engine) as session:
        (kept,) = session.execute(select(Visit.__table__)).all()
    assert token not in str(kept)
    assert kept.sealed_key == f"sealed {watching.caller().api_key}"


def test_visit_of_a_key_that_works_no_more_is_ended(watching: Watching, engine: Engine) -> None:
    """As of one that was stolen and deactivated; while the upstream is gone, nobody knows."""
    visits, caller = visits_of(watching, engine), watching.caller()
    token = visits.begin(caller)
    watching.profiles.bad_keys[caller.api_key] = UpstreamUnavailable()
    visits.check(token, caller)
    assert visits.api_key(token)
    watching.profiles.bad_keys[caller.api_key] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        visits.check(token, caller)
    assert visits.api_key(token) is None


def test_visits_that_are_over_go(watching: Watching, engine: Engine) -> None:
    visits = visits_of(watching, engine)
    visits.begin(watching.caller())
    watching.clock.time += LASTS + timedelta(seconds=1)
    visits.begin(watching.caller())
    with reading(engine) as session:
        assert session.execute(select(func.count()).select_from(Visit)).scalar_one() == 1


def test_oldest_of_many_visits_with_one_key_ends(watching: Watching, engine: Engine) -> None:
    visits = visits_of(watching, engine)
    other = visits.begin(watching.caller(api_key="sk_other"))
    tokens = []
    for _ in range(AT_ONCE + 2):
        tokens.append(visits.begin(watching.caller()))
        watching.clock.move(seconds=1)
    known = [visits.api_key(token) is not None for token in tokens]
    assert known == [False, False] + [True] * AT_ONCE
    assert visits.api_key(other) == "sk_other"


def test_visit_needs_a_key_that_works(watching: Watching, engine: Engine) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        visits_of(watching, engine).begin(watching.caller(api_key="sk_bad"))


def pictures_of(watching: Watching, *, allow_local: bool = True) -> Pictures:
    source = WebPictures(new_session(pool_size=1))
    return Pictures(store=watching.lookups.store, source=source, allow_local=allow_local)


def looked_up(watching: Watching, address: Any) -> None:
    answer = profile()
    answer["user"]["avatarThumb"] = address
    watching.profiles.answers["ada"] = answer
    watching.lookups.fetch("ada", watching.caller(), max_age_seconds=60, what="get_profile")


@pytest.mark.parametrize(
    ("answer", "picture"),
    [
        (reply(200, JPEG), Picture(JPEG, "image/jpeg")),
        (reply(200, b"<svg onload=alert(1)>", {"Content-Type": "image/png"}), None),
        (reply(404, JPEG), None),
        (reply(302, b"", {"Location": "http://169.254.169.254/"}), None),
        (reply(200, JPEG + b"x" * MAX_BYTES), None),
        (b"nonsense", None),
    ],
    ids=["picture", "script", "missing", "redirect", "huge", "nonsense"],
)
def test_picture_is_what_begins_like_one(
    watching: Watching, upstream: FakeUpstream, answer: bytes, picture: Picture | None
) -> None:
    upstream.answers(NO_BODY, answer)
    looked_up(watching, f"{upstream.url}/avatar.jpeg")
    assert pictures_of(watching).of("@Ada", watching.caller()) == picture


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x", "https://localhost/x", "javascript:alert(1)", "", None, 7]
)
def test_picture_is_fetched_from_public_addresses_only(watching: Watching, address: Any) -> None:
    looked_up(watching, address)
    assert pictures_of(watching, allow_local=False).of("ada", watching.caller()) is None


def test_picture_of_what_nobody_looked_up_is_none(watching: Watching) -> None:
    assert pictures_of(watching).of("ada", watching.caller()) is None
    assert pictures_of(watching).of("no handle at all", watching.caller()) is None
