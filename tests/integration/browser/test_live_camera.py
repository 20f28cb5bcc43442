"""A person draws a line on a camera that streams over RTSP and sees the count rise; every part is the real one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from support.figures import walk, write_film
from support.served import Served


@pytest.mark.slow
def test_a_person_draws_a_line_on_a_live_camera_and_sees_the_count_rise(
    tmp_path: Path, figure_model: Path, rtsp_server: Callable[..., Any], browser: Browser
) -> None:
    people = [walk((30, 120 + 60 * n), (610, 120 + 60 * n), begins_s=n, lasts_s=4) for n in range(4)]
    film = write_film(tmp_path / "street.mp4", people, lasts_s=8)
    server = rtsp_server([("/street", film)])
    with Served(tmp_path / "service", [{"id": "street", "url": server.url("/street")}], figure_model) as service:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(f"{service.url}/cameras/street")
        page.locator("#picture.shown").wait_for(timeout=15_000)
        page.click("#edit")
        page.locator("#editor").wait_for()
        page.click("#draw-line")
        box = page.locator("#overlay").bounding_box()
        assert box is not None
        for y in (0.95, 0.2):  # upwards: who walks to the right goes in
            page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + y * box["height"])
            page.mouse.down()
            page.mouse.up()
        page.locator("#shapes li.selected input").fill("middle")
        page.click("#editor-save")
        page.locator("#editor").wait_for(state="hidden")

        shown = page.locator("[data-line=middle] td:nth-child(2)")
        shown.wait_for()
        deadline_s = time.monotonic() + 30
        while int(shown.text_content() or 0) < 3:
            assert time.monotonic() < deadline_s, "the count did not rise"
            time.sleep(0.2)
        assert page.locator("[data-line=middle] td:nth-child(3)").text_content() == "0"
        page.locator("#events .tag-in").first.wait_for()
        counted = 'footfall_people_crossed_total{camera="street",direction="in",line="middle"}'
        assert counted in service.get_text("/metrics")
        assert len(service.get("/api/v1/cameras/street/states")) >= 2
        context.close()
        assert service.terminate() == 0
