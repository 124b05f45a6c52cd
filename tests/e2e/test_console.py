"""The console in Debian's Chromium, walked as its users walk it: no complaint, no other host."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import insert, select

from connector.adapters.store.tables import Snapshot, Watch
from tests.browsing import Seen, chromium, tab
from tests.e2e.test_instant import KEY, Product, running_product
from tests.running import FakeUpstream, fake_upstream, reply, until
from tests.visiting import Visit
from tests.watched import MISSING_HANDLE, profile

FIRST_PAINT_BYTES = 100_000
PHONE = {"width": 375, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def receiver() -> Iterator[FakeUpstream]:
    with fake_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def product(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running_product(tmp_path_factory.mktemp("console"), upstream) as product, product.worker():
        yield product


def console_tab(browser: Browser, product: Product, **options: Any) -> AbstractContextManager[Seen]:
    return tab(browser, f"{product.server.url}/console", **options)


def sign_in(seen: Seen, key: str = KEY) -> None:
    seen.page.goto(f"{seen.root}/")
    seen.look()
    seen.page.get_by_label("API key").fill(key)
    seen.page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def console(browser: Browser, product: Product) -> Iterator[Seen]:
    with console_tab(browser, product) as seen:
        sign_in(seen)
        yield seen


def test_only_a_good_key_comes_in_and_never_comes_out(
    browser: Browser, product: Product, upstream: FakeUpstream
) -> None:
    """The browser holds a token that no script reads; signed out, it opens nothing."""
    with console_tab(browser, product) as seen:
        upstream.answers("None", reply(401, {"error": "API key is invalid or missing"}))
        sign_in(seen, "sk_wrong")
        expect(seen.page.get_by_role("alert")).to_have_text("API key is invalid or missing")
        seen.complaints.clear()  # a 401 is one of the browser's complaints
        upstream.answers("None", reply(400, MISSING_HANDLE))
        sign_in(seen)
        expect(seen.page.get_by_role("heading", name="Try it")).to_be_visible()
        seen.look()
        assert KEY not in seen.page.content()
        cookies = {c["name"]: c for c in seen.page.context.cookies()}
        visit = cookies["console_visit"]
        assert (visit["httpOnly"], visit["sameSite"], visit["path"]) == (True, "Lax", "/console")
        assert KEY not in str(cookies)
        seen.page.get_by_role("button", name="Sign out").click()
        expect(seen.page.get_by_role("status")).to_have_text("You are signed out.")
        seen.page.context.add_cookies([visit])
        seen.page.goto(f"{seen.root}/jobs")
        expect(seen.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert KEY not in product.server.log.read_text()


def test_profile_is_tried_and_shown_as_platforms_see_it(
    console: Seen, upstream: FakeUpstream
) -> None:
    page = console.page
    upstream.answers("tried", reply(200, profile("tried", stats={"followerCount": 4321})))
    page.get_by_label("Handle").fill("@Tried")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator(".counts")).to_contain_text("4,321")
    console.look()
    row = page.locator("#rows tr", has_text="stats_follower_count").first
    expect(row.locator("th :visible")).to_have_text("Followers")
    page.get_by_text("As Make sees it").click()
    expect(row.locator("code :visible")).to_have_text("{{1.stats_follower_count}}")
    page.get_by_label("Find fields").fill("follower")
    expect(page.locator("#rows tr:visible")).not_to_have_count(0)
    expect(page.get_by_text("user_region", exact=True)).to_be_hidden()
    page.get_by_text("Raw JSON").click()
    expect(page.locator("#json")).to_contain_text('"stats_follower_count": 4321')
    expect(page.locator("#curl")).to_contain_text("YOUR_KEY")
    console.look()


SCRIPT = "</script><script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'


def test_what_strangers_wrote_is_text_wherever_it_is_shown(
    console: Seen, product: Product, upstream: FakeUpstream
) -> None:
    """Names, bios, captions, addresses and errors: none of them is markup, script or a link to run."""
    page = console.page
    hostile = profile("hostile", videos=1)
    hostile["user"] |= {
        "nickname": IMAGE,
        "signature": SCRIPT,
        "bioLink": {"link": "javascript:alert(3)"},
        "avatarThumb": "javascript:alert(4)",
    }
    upstream.answers("hostile", reply(200, hostile))
    page.get_by_label("Handle").fill("hostile")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("heading", name=IMAGE)).to_be_visible()
    expect(page.locator(".bio")).to_have_text(SCRIPT)
    expect(page.locator("#rows")).to_contain_text("javascript:alert(3)")
    console.look()
    page.get_by_role("button", name="Watch this profile").click()
    # Until then the page loads itself again now and then.
    until(lambda: product.call("GET", "/api/profiles/hostile/history"))
    console.go("/watched/api/hostile")
    expect(page.get_by_text(IMAGE).first).to_be_visible()
    console.go("/watched")
    webhook = product.call("POST", "/api/webhooks", name=IMAGE)
    assert page.request.post(webhook["url"], form={"handle": SCRIPT}).status == 400
    console.go("/webhooks")
    page.get_by_role("link", name=IMAGE).click()
    expect(page.locator("tbody")).to_contain_text("invalid_handle")
    console.look()
    for path in ("/watched", "/webhooks", "/"):
        console.go(path)
        assert page.locator("a[href^='javascript']").count() == 0
    page.get_by_label("Handle").fill(IMAGE)
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_label("Handle")).to_have_value(IMAGE)
    expect(page.get_by_role("alert")).to_contain_text("invalid_handle")


def test_policy_lets_no_inline_script_run(console: Seen) -> None:
    """So that a mistake in a template is none that strangers can use."""
    answer = console.page.goto(f"{console.root}/")
    assert answer
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    console.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p onclick=alert(5)>press</p>')"
    )
    console.page.get_by_text("press", exact=True).click()
    assert "dialog" not in console.complaints
    assert any("Content Security Policy" in complaint for complaint in console.complaints)


def test_failed_look_up_is_shown_as_platforms_get_it(console: Seen, upstream: FakeUpstream) -> None:
    page = console.page
    upstream.answers("nobody", reply(404, {"error": "TikTok profile not found"}))
    page.get_by_label("Handle").fill("nobody")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("alert")).to_contain_text("profile_not_found")
    expect(page.get_by_role("alert")).to_contain_text("Check the spelling")
    page.get_by_text("What Plain HTTP gets").click()
    expect(page.locator("pre")).to_contain_text('"retryable": false')


def test_profile_is_watched_charted_paused_and_left(
    console: Seen, product: Product, upstream: FakeUpstream
) -> None:
    page = console.page
    upstream.answers("charted", reply(200, profile("charted")))
    # What looks often: the console itself waits 15 minutes at least.
    product.call(
        "POST",
        "/api/hooks",
        trigger="new_video",
        target_url="http://127.0.0.1:9/",
        inputs={"handles": ["charted"], "poll_interval_seconds": 1},
    )
    console.go("/watched")
    page.get_by_label("Handle").fill("charted")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("is watched")
    # By itself, once a worker has looked.
    expect(page.locator(".chart canvas").first).to_be_visible()
    until(lambda: len(upstream.asked_for("charted")) > 1)
    upstream.answers("charted", reply(200, profile("charted", videos=3)))
    path = "/watched/api/charted"
    until(lambda: (console.go(path), page.get_by_text("New video").count())[1])
    expect(page.locator(".chart canvas").first).to_be_visible()
    looks = page.evaluate("JSON.parse(document.querySelector('[data-series]').dataset.series)")
    assert len(looks["looks"]["seen_at"]) > 1
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused")
    console.look()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("watched again")
    page.get_by_text("Stop watching…").click()
    page.get_by_role("button", name="Stop watching @charted").click()
    expect(page.get_by_role("status")).to_contain_text("no more")
    console.look()


def test_delivery_that_failed_is_replayed(
    console: Seen, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    page = console.page
    upstream.answers("replayed", reply(200, profile("replayed")))
    receiver.scripts["None"] = receiver.scripts.get("None", lambda *_: None)
    refused = reply(410, b"no <script>alert(1)</script> token=very-secret-thing")
    for name in ("stoolpresidente", "replayed"):
        receiver.answers(name, refused)
    console.go("/subscriptions")
    page.get_by_text("Subscribe an address", exact=True).click()
    page.get_by_label("Trigger").select_option("new_video")
    page.get_by_label("Target URL").fill(f"{receiver.url}/hooks/a-secret-path")
    page.get_by_label("Handles").fill("replayed")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.locator("#secret")).to_contain_text("whsec_")
    console.look()
    page.get_by_role("link", name=re.compile("I have kept it")).click()
    row = page.locator("tbody tr", has_text="@replayed")
    expect(row).not_to_contain_text("a-secret-path")
    console.look()
    row.get_by_role("link").click()
    page.get_by_role("button", name="Send a test event").click()
    expect(page.locator(".tries")).to_contain_text("410")
    expect(page.locator(".tries pre")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator(".tries pre")).not_to_contain_text("very-secret-thing")
    console.look()
    for name in ("stoolpresidente", "replayed"):
        receiver.answers(name, reply(200, {}))
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".state.delivered")).to_be_visible()
    console.go("/deliveries?state=dead")
    console.go("/deliveries")
    expect(page.locator("tbody")).to_contain_text("delivered")


def test_webhook_is_made_fired_and_ended(console: Seen, upstream: FakeUpstream) -> None:
    page = console.page
    upstream.answers("fired", reply(200, profile("fired")))
    console.go("/webhooks")
    # It is open where there is no webhook yet.
    page.evaluate("document.querySelector('details.card').open = true")
    page.get_by_label("Name", exact=True).fill("Sign-up form")
    page.get_by_role("button", name="Make it").click()
    url = page.locator("#url").inner_text()
    console.look()
    assert page.request.post(url, form={"handle": "fired"}).ok
    console.go("/webhooks")
    assert url.rpartition("/")[2] not in page.content()
    page.get_by_role("link", name="Sign-up form").click()
    expect(page.locator("tbody")).to_contain_text("@fired")
    console.look()
    page.get_by_text("End it…").click()
    page.get_by_role("button", name="End the webhook").click()
    expect(page.get_by_role("status")).to_contain_text("ended")
    assert page.request.post(url, form={"handle": "fired"}).status == 404


def test_job_shows_its_progress_and_is_cancelled(console: Seen, upstream: FakeUpstream) -> None:
    page = console.page
    # Nobody answers the others, so that it can't end by itself.
    upstream.answers("row0", reply(200, profile("row0")))
    slow = reply(429, {"error": "Rate limit exceeded"}, {"Retry-After": "60"})
    for number in range(1, 40):
        upstream.answers(f"row{number}", slow)
    console.go("/jobs")
    page.get_by_label("Handles").fill("\n".join(f"row{number}" for number in range(40)))
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("progress").first).to_be_visible()
    console.look()
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator(".state.cancelled")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    table = Path(download.value.path()).read_text("utf-8").splitlines()
    assert (len(table), table[0].split(",")[0]) == (41, "position")
    console.go("/jobs")
    expect(page.locator("tbody")).to_contain_text("cancelled")


PAGES = (
    "/",
    "/watched",
    "/subscriptions",
    "/deliveries",
    "/webhooks",
    "/jobs",
    "/usage",
    "/your-data",
)


@pytest.mark.parametrize(
    "options", [{"viewport": PHONE}, {"color_scheme": "dark"}], ids=["phone", "dark"]
)
def test_every_page_fits_says_what_to_do_and_is_light(
    browser: Browser, product: Product, options: dict[str, object]
) -> None:
    """Of a key that has nothing yet: empty states; nothing wider than the screen."""
    with console_tab(browser, product, **options) as seen:
        sizes: list[int] = []
        seen.page.on("requestfinished", lambda r: sizes.append(sum(r.sizes().values())))
        sign_in(seen, "sk_nothing_yet")
        for path in PAGES:
            sizes.clear()
            seen.go(path)
            expect(seen.page.locator(".empty")).to_be_visible()
            wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not seen.page.evaluate(wide), path
            assert sum(sizes) < FIRST_PAINT_BYTES, path


def test_pages_with_much_on_them_are_light(product: Product, upstream: FakeUpstream) -> None:
    """All that a browser has to fetch that has seen none of it: thirty videos, a chart of a year."""
    upstream.answers("much", reply(200, profile("much", videos=30)))
    visit = Visit(product.server.url, KEY)
    tried = visit.fill("/", handle="much", platform="zapier")
    visit.fill("/watched", handle="much", interval="86400")
    until(lambda: "data-series" in visit.page("/watched/api/much"))
    _add_looks(product, "much", 3000)
    for text in (tried.text, visit.page("/watched/api/much?days=365")):
        parts = set(re.findall(r'(?:href|src)="/console(/(?:static|pictures)/[^"]+)"', text))
        weight = len(text.encode()) + sum(len(visit.page(part).encode()) for part in parts)
        assert weight < FIRST_PAINT_BYTES


def _add_looks(product: Product, handle: str, count: int) -> None:
    now = round(time.time() * 1000)
    with product.writing() as session:
        watch_id = session.execute(select(Watch.id).where(Watch.handle == handle)).scalar_one()
        look = {"watch_id": watch_id, "user_id": "1", "status": "found", "hearts": 190_400_000}
        # Looks are in the order of their ids.
        looks = [
            look
            | {"id": -n, "seen_at": now - n * 7_200_000, "followers": 4_100_000 - n, "videos": 2017}
            for n in range(1, count)
        ]
        session.execute(insert(Snapshot), looks)


def test_pages_work_without_scripts(
    browser: Browser, product: Product, upstream: FakeUpstream
) -> None:
    """But for charts and copy buttons, and the check of accessibility, which is a script."""
    upstream.answers("plain", reply(200, profile("plain")))
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{product.server.url}/console/")
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Handle").fill("plain")
        page.get_by_role("button", name="Look up").click()
        page.get_by_label("Find fields").fill("stats_follower")
        page.get_by_role("button", name="Find").click()
        expect(page.locator("#rows tr")).to_have_count(1)
        expect(page.locator("button.copy").first).to_be_hidden()
        for path in PAGES:
            page.goto(f"{product.server.url}/console{path}")
            expect(page.locator("h1")).to_be_visible()
