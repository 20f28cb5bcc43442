"""With a token set, a person logs in, works, and logs out, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from footfall.domain import Camera

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TOKEN = "0123456789abcdef-token"


@pytest.fixture
def api_token() -> str | None:
    return TOKEN


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
