"""A person can do it: sees the cameras, draws a line with the mouse or the keyboard, and sees the count rise."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.browsing import shoot, wait_until
from support.reviewed import Reviewed

from footfall.domain import Camera, Line, Sampling, Zone
from footfall.stores.quality import QualityStore
from monitoring.checker import Checker
from monitoring.metrics import MonitorMetrics

if TYPE_CHECKING:
    from playwright.sync_api import Page

HALL = Zone("lobby", ((0.3, 0.4), (0.7, 0.4), (0.7, 0.98), (0.3, 0.98)))


def add(site: Any, *cameras: Camera) -> None:
    for camera in cameras:
        site.database.put_camera(camera)
        site.fleet.apply(camera)


def number(page: Page, selector: str) -> int:
    text = page.locator(selector).text_content(timeout=5000) or ""
    return int(text.replace(",", "")) if text.strip("–") else 0


def test_the_grid_shows_pictures_states_and_counts(site: Any, page: Page) -> None:
    door = Line("door", (0.5, 0.99), (0.5, 0.2))
    add(
        site,
        Camera("gate", "rtsp://u:geheim@127.0.0.1/a", "Main gate, ground floor", lines=(door,), zones=(HALL,)),
        Camera("north", "rtsp://127.0.0.1/b", "North entrance", lines=(door,)),
        Camera("lift", "rtsp://127.0.0.1/c", "Car park lift", lines=(door,)),
        Camera("food", "rtsp://127.0.0.1/d", "Food court"),
    )
    page.goto(site.url)
    tile = page.locator("[data-camera=gate]")
    tile.locator(".pill[data-state=live]").wait_for()
    tile.locator("img").wait_for(state="visible")
    wait_until(page, lambda: int(tile.locator("img").evaluate("image => image.naturalWidth")) >= 280)
    wait_until(page, lambda: number(page, "[data-camera=gate] [data-in]") >= 2)
    assert page.locator("[data-camera=lift] .pill").get_attribute("data-state") == "stalled"
    assert page.locator("[data-camera=lift] img").is_hidden()
    assert page.locator("[data-camera=lift] [data-in]").text_content() == "–"  # never watched is not zero
    wait_until(page, lambda: page.locator("#model").text_content() == "yolo11n · onnxruntime")
    wait_until(page, lambda: page.locator("#total-live").text_content() == "3 / 4")
    assert page.locator("#since").text_content() == "counted since midnight, Europe/Berlin"
    assert "watched" in (tile.locator("[data-coverage]").text_content() or "")
    assert "geheim" not in page.content()
    shoot(page, "grid")


def test_a_line_drawn_with_the_mouse_counts(site: Any, page: Page) -> None:
    add(site, Camera("gate", "rtsp://127.0.0.1/a", "Main gate", zones=(HALL,)))
    page.goto(f"{site.url}/cameras/gate")
    page.locator("#picture.shown").wait_for()
    page.click("#edit")
    page.locator("#editor").wait_for()
    page.click("#draw-line")
    box = page.locator("#overlay").bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(16 / 9, rel=0.01)
    for y in (0.98, 0.2):  # upwards in the middle: who walks to the right goes in
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        page.mouse.up()
    name = page.locator("#shapes li.selected input")
    name.fill("middle")
    shoot(page, "editor")
    page.click("#editor-save")
    page.locator("#editor").wait_for(state="hidden")

    camera = page.request.get(f"{site.url}/api/v1/cameras/gate").json()
    (line,) = camera["lines"]
    assert line["name"] == "middle"
    assert line["start"] == pytest.approx([0.5, 0.98], abs=0.005)
    assert line["end"] == pytest.approx([0.5, 0.2], abs=0.005)
    assert [zone["name"] for zone in camera["zones"]] == ["lobby"]
    wait_until(page, lambda: number(page, "[data-line=middle] td:nth-child(2)") >= 2)
    page.locator("#events .tag-in").first.wait_for()
    assert page.locator("[data-line=middle] td:nth-child(3)").text_content() == "0"
    shoot(page, "camera")


def test_a_zone_and_a_line_by_keyboard_alone(site: Any, page: Page) -> None:
    add(site, Camera("gate", "rtsp://127.0.0.1/a"))
    page.goto(f"{site.url}/cameras/gate")
    page.locator("#picture.shown").wait_for()
    page.focus("#edit")
    page.keyboard.press("Enter")
    page.locator("#editor").wait_for()
    page.focus("#draw-zone")
    page.keyboard.press("Enter")
    for keys in (["ArrowLeft"] * 5, ["ArrowDown"] * 5, ["ArrowRight"] * 10):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.keyboard.type("spot")
    page.keyboard.press("Enter")
    page.locator("#editor").wait_for(state="hidden")
    (zone,) = page.request.get(f"{site.url}/api/v1/cameras/gate/zones").json()
    assert zone == {"name": "spot", "polygon": [[0.4, 0.5], [0.4, 0.6], [0.6, 0.6]], "min_inside_s": 0.0}


def test_a_point_is_dragged_and_a_shape_deleted(site: Any, page: Page) -> None:
    add(site, Camera("gate", "rtsp://127.0.0.1/a", lines=(Line("door", (0.2, 0.5), (0.8, 0.5)),), zones=(HALL,)))
    page.goto(f"{site.url}/cameras/gate")
    page.locator("#picture.shown").wait_for()
    page.click("#edit")
    page.locator("#editor").wait_for()
    box = page.locator("#overlay").bounding_box()
    assert box is not None
    page.locator("[data-key='0-1']").hover()
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.25 * box["height"], steps=4)
    page.mouse.up()
    page.get_by_label("Delete zone lobby").click()
    page.click("#editor-save")
    page.locator("#editor").wait_for(state="hidden")
    camera = page.request.get(f"{site.url}/api/v1/cameras/gate").json()
    assert camera["lines"][0]["start"] == [0.2, 0.5]
    assert camera["lines"][0]["end"] == pytest.approx([0.9, 0.25], abs=0.005)
    assert camera["zones"] == []


def test_a_camera_is_added_from_the_page(site: Any, page: Page) -> None:
    page.goto(site.url)
    page.click("#add")
    page.fill("[name=url]", "rtsp://admin:geheim@127.0.0.1:1/main")
    page.fill("[name=id]", "bad id")
    page.click("#add-form [type=submit]")
    page.locator("#add-problem").wait_for()
    assert "id:" in (page.locator("#add-problem").text_content() or "")
    page.click("#probe")
    wait_until(page, page.locator("#probe").is_enabled)
    assert "geheim" not in (page.locator("#add-form").text_content() or "")
    page.fill("[name=id]", "gate")
    page.click("#add-form [type=submit]")
    page.wait_for_url("**/cameras/gate#edit")
    page.locator("#editor").wait_for()
    assert "rtsp://***@127.0.0.1:1/main" in (page.locator("code").first.text_content() or "")


def test_the_grid_tells_how_right_it_is_and_what_is_missing(site: Any, page: Page) -> None:
    leave = Sampling("Prove the count")
    for name in ("gate", "north"):
        add(site, Camera(name, "rtsp://127.0.0.1/a", sampling=leave))
    page.goto(site.url)
    page.get_by_text("no monitor has checked within a day").wait_for()
    now = datetime.now(UTC)
    reviewed = Reviewed(site.database, now)
    reviewed.population(2000)
    reviewed.tracks(right=96, wrong=4)
    checker = Checker(
        site.database,
        reviewed.store,
        QualityStore(site.database),
        MonitorMetrics(target=0.95),
        window=timedelta(days=28),
        least=30,
        keep=timedelta(days=60),
    )
    checker.check(now)
    page.reload()
    wait_until(page, lambda: page.text_content("#total-precision") == "96.0 %")
    assert re.fullmatch(r"9\d\.\d % to 9\d\.\d %, 100 verdicts", page.text_content("#total-precision-about") or "")
    gate = page.locator("[data-camera=gate] [data-precision]").text_content() or ""
    assert re.fullmatch(r"Precision 96\.0 % \(9\d\.\d % to 9\d\.\d %\)", gate)
    assert page.locator("[data-camera=north] [data-precision]").text_content() == "Precision – verdicts: 30 more needed"
    shoot(page, "grid-quality")
