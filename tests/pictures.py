"""The docs' pictures of the console: `make pictures` takes them again, of a product with data in it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from playwright.sync_api import Page
from sqlalchemy import func, insert, select, update

from connector.adapters.store.tables import Snapshot, UsageDay, Watch
from tests.browsing import chromium
from tests.e2e.test_instant import KEY, Product, running_product
from tests.running import ROOT, FakeUpstream, fake_upstream, reply, until
from tests.watched import profile
from wire.database import open_engine, writing

FOLDER = ROOT / "docs" / "images"
IN_DOCS = (
    *("try-desk", "profile-desk", "delivery-desk", "usage-desk"),
    *("try-phone", "profile-phone", "deliveries-phone"),
)
SIZES = {"desk": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
NAME = "adalovelace"
FOLLOWERS = 41_200


def answer(followers: int = FOLLOWERS, videos: int = 3) -> bytes:
    """A profile as the upstream has it."""
    stats = {"followerCount": followers, "heartCount": 1_204_300, "followingCount": 128}
    about = {
        "nickname": "Ada Lovelace",
        "signature": "Notes on engines.\nNumbers, mostly.",
        "verified": True,
    }
    made = profile(NAME, videos=videos, stats=stats)
    made["user"] |= about
    return reply(200, made)


def fill(product: Product, upstream: FakeUpstream, receiver: FakeUpstream) -> None:
    """What a week of use leaves behind."""
    upstream.answers(NAME, answer())
    upstream.answers("nobody", reply(404, {"error": "TikTok profile not found"}))
    receiver.answers(NAME, reply(503, b"down for maintenance"))
    inputs = {"handles": [NAME], "poll_interval_seconds": 1}
    hook = product.call(
        "POST",
        "/zapier/hooks",
        trigger="new_video",
        target_url=f"{receiver.url}/hooks/7f21",
        inputs=inputs,
    )
    until(lambda: len(upstream.asked_for(NAME)) > 1)
    upstream.answers(NAME, answer(videos=4))
    until(lambda: product.call("GET", "/zapier/deliveries"))
    product.call("POST", f"/zapier/hooks/{hook['id']}/test")
    webhook = product.call("POST", "/api/webhooks", name="Sign-up form")
    fired = webhook["url"].removeprefix(product.server.url)
    product.call("POST", fired, handle=NAME)
    for number in range(8):
        upstream.answers(f"creator{number}", reply(200, profile(f"creator{number}")))
    product.call(
        "POST", "/api/actions/get_profiles", handles=[f"creator{n}" for n in range(8)] + ["nobody"]
    )
    _add_history(product)


def _add_history(product: Product) -> None:
    now = datetime.now(UTC)
    engine = open_engine(f"sqlite:///{product.folder}/connector.db")
    with writing(engine) as session:
        watch_id = session.execute(select(func.min(Watch.id))).scalar_one()
        session.execute(insert(Snapshot), list(_looks(watch_id, now)))
        connection = session.execute(select(Watch.connection_id)).scalars().first()
        days = [
            {
                "connection_id": connection,
                "day": f"{now - timedelta(days=n):%Y-%m-%d}",
                "what": "watching",
                "credits": 96 + 20 * (n % 4),
                "saved": 14 * (n % 5),
                "unsure": 0,
            }
            for n in range(1, 12)
        ]
        session.execute(insert(UsageDay), days)
        session.execute(update(Watch).values(interval_seconds=3600))
    engine.dispose()


def _looks(watch_id: int, now: datetime) -> Iterator[dict[str, object]]:
    for hour in range(24 * 7, 0, -2):
        seen = now - timedelta(hours=hour)
        followers = FOLLOWERS - 26 * hour + round(160 * math.sin(hour / 7))
        # Looks are in the order of their ids.
        yield {
            "id": -hour,
            "watch_id": watch_id,
            "seen_at": round(seen.timestamp() * 1000),
            "user_id": "1",
            "status": "found",
            "followers": followers,
            "hearts": 1_204_300 - 310 * hour,
            "videos": 3 if hour < 60 else 2,
        }


def take(page: Page, root: str, size: str, elsewhere: Path | None) -> None:
    """Every page once, as far as it fits on a screen; only those in the docs, or all `elsewhere`."""

    def picture(name: str) -> None:
        if elsewhere or f"{name}-{size}" in IN_DOCS:
            page.screenshot(path=(elsewhere or FOLDER) / f"console-{name}-{size}.png")

    page.goto(f"{root}/console/")
    picture("sign-in")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Handle").fill(NAME)
    page.get_by_role("button", name="Look up").click()
    picture("try")
    page.goto(f"{root}/console/watched")
    picture("watched")
    page.get_by_role("link", name=f"@{NAME}").first.click()
    page.locator(".chart canvas").first.wait_for()
    picture("profile")
    for name in ("subscriptions", "deliveries", "webhooks", "jobs", "usage"):
        page.goto(f"{root}/console/{name}")
        picture(name)
        first = page.locator("tbody th a").first
        if name != "usage" and first.count():
            first.click()
            picture(name.removesuffix("s") if name != "deliveries" else "delivery")


@click.command()
@click.option(
    "--all", "elsewhere", type=click.Path(path_type=Path), help="Every page, to this folder."
)
def main(elsewhere: Path | None) -> None:
    """Take the docs' pictures of the console."""
    (elsewhere or FOLDER).mkdir(exist_ok=True)
    with (
        fake_upstream() as upstream,
        fake_upstream() as receiver,
        tempfile.TemporaryDirectory() as folder,
        running_product(Path(folder), upstream) as product,
        product.worker(),
        chromium() as browser,
    ):
        fill(product, upstream, receiver)
        time.sleep(2)
        for size, viewport in SIZES.items():
            scheme = "dark" if size == "phone" else "light"
            with browser.new_context(viewport=viewport, color_scheme=scheme) as context:  # type: ignore[arg-type]
                take(context.new_page(), product.server.url, size, elsewhere)


if __name__ == "__main__":
    main()
