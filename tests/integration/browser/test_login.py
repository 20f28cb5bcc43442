"""With a token set, a person logs in, works, and logs out, in a real browser."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from support.browsing import wait_until
from support.drifted import Drifted
from support.registered import model_folder

from footfall.domain import Camera

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "0123456789abcdef-token"
VIEWER_TOKEN = "fedcba9876543210-viewer"


@pytest.fixture
def api_token() -> str | None:
    return TOKEN


@pytest.fixture
def viewer_token() -> str | None:
    return VIEWER_TOKEN


def test_a_person_logs_in_works_and_logs_out(site: Any, browser: Browser) -> None:
    camera = Camera("gate", "rtsp://127.0.0.1/a")
    site.database.put_camera(camera)
    site.fleet.apply(camera)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/cameras/gate")
    page.fill("#token", "not-the-token-of-this")
    page.click("button[type=submit]")
    page.get_by_text("That is not the token.").wait_for()
    page.fill("#token", TOKEN)
    page.click("button[type=submit]")
    page.wait_for_url("**/cameras/gate")
    page.locator("#picture.shown").wait_for()
    page.locator("#socket-state", has_text="live").wait_for()  # the socket is let in by the cookie too

    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert TOKEN not in cookie["value"]

    page.click("#enable")
    page.locator("#enable", has_text="Resume").wait_for()
    assert site.database.camera("gate").enabled is False

    page.click("#logout")
    page.wait_for_url("**/login")
    assert context.cookies() == []
    page.goto(site.url)
    assert page.url.startswith(f"{site.url}/login")
    context.close()


def test_a_report_in_its_sandbox_is_let_in_by_the_login_and_cannot_use_it(site: Any, browser: Browser) -> None:
    site.database.put_camera(Camera("gate", "rtsp://127.0.0.1/a"))
    drifted = Drifted(site.services.drift, datetime.now(UTC))
    verdict = drifted.verdict("gate", -1, "fog", report_key="evidence/gate/1")
    drifted.episode("gate", "fog", since_h=-1)
    script = "fetch('/api/v1/cameras').then(() => 'asked', () => 'refused').then((said) => { document.title = said; })"
    page_of_it = f"<!doctype html><p>the report</p><script>{script}</script>"
    site.services.blobs.put(f"{verdict.report_key}.html.gz", gzip.compress(page_of_it.encode()))
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/drift?camera=gate")
    page.fill("#token", TOKEN)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile(r"/drift\?camera=gate"))
    page.click("#show-report")
    page.frame_locator("#report iframe").get_by_text("the report").wait_for()
    frame = next(each for each in page.frames if "/reports/" in each.url)
    wait_until(page, lambda: frame.title() != "")
    assert frame.title() == "refused"
    # In a tab of its own it has no more rights.
    page.goto(frame.url)
    page.get_by_text("the report").wait_for()
    assert page.evaluate("() => self.origin") == "null"
    context.close()


@pytest.mark.parametrize(("token", "buttons"), [(TOKEN, True), (VIEWER_TOKEN, False)])
def test_a_viewer_sees_models_and_no_button_that_changes_something(
    site: Any, page: Page, tmp_path: Path, token: str, *, buttons: bool
) -> None:
    folder = model_folder(tmp_path / "made", "night")
    site.services.registry.add(
        folder, origin="imported", by="ana", at=datetime.now(UTC), run="", gates={"G1": "passed"}
    )
    page.goto(f"{site.url}/models")
    page.fill("#token", token)
    page.click("button[type=submit]")
    page.wait_for_url("**/models")
    card = page.locator('.models-card[data-model="night"]')
    expect(card.get_by_role("button", name="Report")).to_be_visible()
    expect(card.get_by_role("button", name="Promote")).to_be_visible(visible=buttons)
    expect(page.locator("#who")).to_be_visible(visible=buttons)
    expect(page.get_by_role("link", name="Review")).to_be_visible(visible=buttons)
    expect(page.get_by_text("You may look and change nothing.")).to_be_visible(visible=not buttons)
