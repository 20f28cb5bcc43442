"""Who adds a camera sees what it would cost before it is added, and again where the machine is too small for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.browsing import shoot, wait_until
from support.capacities import two_looks

from footfall.domain import Camera

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from service.capacity import Capacity


@pytest.fixture
def capacity() -> Capacity | None:
    """Four cameras take 0.4 of two cores: twenty fit."""
    return two_looks()


def add(site: Any, cameras: int) -> None:
    for number in range(cameras):
        site.database.put_camera(Camera(f"cam{number}", "rtsp://127.0.0.1/a"))


def told(page: Page) -> str:
    return page.locator("#add-cost").text_content() or ""


def test_the_form_tells_what_a_camera_would_cost_at_the_rate_that_is_typed(site: Any, page: Page) -> None:
    add(site, 4)
    page.goto(site.url)
    page.click("#add")
    wait_until(page, lambda: told(page).startswith("It takes 0.10 of 2 cores. With it 25 of 100 analyses a second"))
    page.fill("[name=target_fps]", "10")
    wait_until(page, lambda: "With it 30 of" in told(page))
    assert "warning" not in (page.locator("#add-cost").get_attribute("class") or "")
    page.fill("[name=target_fps]", "")
    page.locator("#add-cost").wait_for(state="hidden")
    page.fill("[name=target_fps]", "5")
    page.fill("[name=url]", "rtsp://127.0.0.1:1/main")
    page.fill("[name=id]", "gate")
    page.click("#add-form [type=submit]")
    page.wait_for_url("**/cameras/gate#edit")
    assert page.locator("#admitted").is_hidden()


def test_a_camera_too_many_is_added_and_told(site: Any, page: Page) -> None:
    add(site, 20)
    page.goto(site.url)
    page.click("#add")
    wait_until(page, lambda: told(page).startswith("The machine is too small for it: with it 105 analyses"))
    assert "warning" in (page.locator("#add-cost").get_attribute("class") or "")
    summary = told(page)
    shoot(page, "add-too-many")
    page.fill("[name=url]", "rtsp://127.0.0.1:1/main")
    page.fill("[name=id]", "gate")
    page.click("#add-form [type=submit]")
    page.wait_for_url("**/cameras/gate#edit")
    page.locator("#admitted").wait_for()
    assert page.locator("#admitted").text_content() == summary
    assert site.database.camera("gate").enabled
    page.reload()
    page.locator("#editor").wait_for()
    assert page.locator("#admitted").is_hidden()


@pytest.mark.parametrize("capacity", [None], ids=["nothing is analysed"])
def test_the_form_says_that_the_cost_is_not_known_yet(site: Any, page: Page) -> None:
    page.goto(site.url)
    page.click("#add")
    wait_until(page, lambda: told(page) == "What it costs is known when a camera has run for some seconds.")
