"""Fifty cameras, of which some have changed: people see which and why, and do what there is to do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from support.browsing import shoot, wait_until
from support.drifted import HOUR, Drifted
from support.evidently_reports import CAMERAS, written_by_itself
from support.reviewed import Reviewed

from footfall.domain import Camera, DriftAcceptance, Line, Sampling
from footfall.stores.blobs import BlobStore

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CAMERA_COUNT = 50
OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("main *")].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width > 0 && !each.closest("svg") && (box.right > width + 0.5 || box.left < -0.5);
  });
  const spilling = [...document.querySelectorAll("main .card, main .card *, dialog[open] *")].filter((each) => {
    const style = getComputedStyle(each);
    return !each.closest("svg") && style.overflowX === "visible" && style.display !== "inline"
      && each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1;
  });
  return [...wide, ...spilling].map((each) => `${each.tagName} #${each.id} ${each.textContent.slice(0, 40)}`);
}"""
"""What reaches out of the window, or out of its own box."""


class Mall:
    """Fifty cameras with a week of verdicts."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.now = datetime.now(UTC)
        self.store = site.services.drift
        self.drifted = Drifted(self.store, self.now)
        self.requests = site.services.retrains
        door = (Line("door", (0.5, 0.9), (0.5, 0.1)),)
        for number in range(CAMERA_COUNT):
            sampling = Sampling("Mend the model") if number % 2 == 0 else None
            camera = Camera(self.id(number), "rtsp://127.0.0.1/a", self.name(number), lines=door, sampling=sampling)
            site.database.put_camera(camera)

    @staticmethod
    def id(number: int) -> str:
        return f"camera-{number:02}"

    @staticmethod
    def name(number: int) -> str:
        return (
            "Food court, escalator to the upper floor and the way to the lavatories"
            if number == 1
            else f"Gate {number}"
        )

    def calm(self, numbers: range, hours: int = 3) -> None:
        for number in numbers:
            self.drifted.calm(self.id(number), hours=hours)

    def changed(self, number: int, cause: Any, *, since_h: int, week: bool = False, **changes: Any) -> Any:
        """As usual until then, and since then not."""
        camera = self.id(number)
        for hour in range(-24 * 7 if week else -6, 0):
            if week and -60 < hour < -52:
                self.drifted.verdict(camera, hour, state="insufficient", note="too few rows: 12 of 360")
            elif week and hour in {-40, -39}:
                self.drifted.verdict(camera, hour, state="suppressed", note="the stream is faulty")
            elif hour >= since_h:
                self.drifted.verdict(camera, hour, cause)
            else:
                self.drifted.verdict(camera, hour)
        return self.drifted.episode(camera, cause, since_h=since_h, **changes)

    def frames(self, number: int, hours: list[float]) -> None:
        reviewed = Reviewed(self.site.database, self.now, self.id(number))
        for hour in hours:
            grey = 200 if hour > -5 else 120
            picture = np.full((360, 640, 3), grey, np.uint8)
            cv2.rectangle(picture, (280, 60), (360, 300), (grey - 60, grey - 50, grey - 40), -1)
            content = cv2.imencode(".jpg", picture)[1].tobytes()
            key = f"samples/{self.id(number)}/{abs(int(hour * 10))}.jpg"
            self.site.services.blobs.put(key, content)
            reviewed.sample(
                None,
                unit="frame",
                blob_key=key,
                taken_at=self.now + hour * HOUR,
                size_bytes=len(content),
                detail={"threshold": 0.3, "boxes": []},
                stratum="people",
            )


@pytest.fixture
def mall(site: Any) -> Mall:
    return Mall(site)


@pytest.fixture
def foggy(mall: Mall) -> Any:
    """Camera 0 stands in fog since five hours, has leave for sampling and a past."""
    mall.calm(range(3, CAMERA_COUNT - 2))
    old = mall.drifted.episode(mall.id(0), "covered", since_h=-130)
    mall.store.end_episode(old.id, "ignored", at=mall.now - 118 * HOUR, by="Bob", note="a poster for a day")
    mall.store.accept(
        DriftAcceptance(mall.id(0), None, mall.now - 90 * HOUR, mall.now - 90 * HOUR, "Ada", "spring sale")
    )
    mall.changed(1, "moved", since_h=-3, invalidates=True)
    mall.changed(2, "fog", since_h=-2)
    mall.drifted.verdict(mall.id(48), -1, "dark", tier="watch")
    mall.frames(0, [-9, -6, -3, -1.5])
    return mall.changed(0, "fog", since_h=-5, week=True)


def open_page(page: Page, site: Any, query: str = "") -> None:
    page.goto(f"{site.url}/drift{query}")
    page.locator("#summary, #nothing:not([hidden]), [data-group]:not([hidden])").first.wait_for()


def of(page: Page, camera: str) -> Any:
    return page.locator(f'.drift-list [data-camera="{camera}"]')


@pytest.mark.usefixtures("foggy")
def test_what_has_changed_comes_first_and_what_is_calm_is_folded(page: Page, site: Any, mall: Mall) -> None:
    open_page(page, site)
    look = page.locator("[data-group=look] [data-camera]")
    look.first.wait_for()
    assert [each.get_attribute("data-camera") for each in look.all()] == [mall.id(1), mall.id(0), mall.id(2)]
    assert "counts invalid" in look.first.inner_text()
    assert "fog for 5 h · wipe the lens" in look.nth(1).inner_text()
    assert [each.inner_text() for each in page.locator("[data-group=watch] strong").all()] == ["Gate 48"]
    calm = page.locator("[data-group=calm]")
    assert calm.locator("summary").inner_text() == "As usual 45"
    assert not of(page, mall.id(7)).is_visible()
    assert page.locator("[data-group=silent] summary").inner_text() == "Nothing can be told 1"
    page.locator("[data-group=calm] summary").press("Enter")
    assert of(page, mall.id(7)).is_visible()
    page.fill("#find", "gate 33")
    assert [each.get_attribute("data-camera") for each in page.locator(".drift-list [data-camera]").all()] == [
        mall.id(33)
    ]
    page.fill("#find", "")
    # The first of what has changed is shown.
    assert page.locator("#one-title").inner_text() == mall.name(1)
    assert page.locator("#common").is_hidden()
    shoot(page, "drift-list")


@pytest.mark.usefixtures("foggy")
def test_one_camera_tells_what_happened_since_when_and_what_to_do(page: Page, site: Any, mall: Mall) -> None:
    open_page(page, site, f"?camera={mall.id(0)}")
    page.locator("#summary").wait_for()
    assert page.locator("#tier").inner_text() == "has changed"
    assert page.locator("#what").inner_text().startswith("fog: a whitish veil: fog, rain, steam or a dull lens, since ")
    assert page.locator("#next").inner_text() == (
        "Next: wipe the lens; label what it sees now. A model that knows it can mend it."
    )
    evidence = page.locator("#evidence li").all_inner_texts()
    assert evidence[0].startswith("contrast fell from 52 to 2")
    assert re.search(r"\d\.\d × its threshold$", evidence[0])
    assert page.locator("#compared").inner_text().startswith("Compared with the same hour of like days of this camera.")
    assert page.locator("#invalid").is_hidden()
    box = page.locator("#windows").bounding_box()
    assert box is not None
    assert box["height"] > 180  # nothing is cut off
    # Bars by what they tell, blanks where nothing is told, bands where it was not as it was.
    kinds = {
        kind: page.locator(f"#windows .{kind}").count() for kind in ("bar-unusual", "bar-blank", "band", "accepted")
    }
    assert kinds == {"bar-unusual": 5, "bar-blank": 9, "band": 2, "accepted": 1}
    assert page.locator("#windows .bar-usual").count() > 100
    assert page.locator("#window").inner_text().endswith("fog; compared with 12 like days")
    figures = page.locator("#plots figure")
    assert figures.count() == 6
    assert [each.get_attribute("data-statistic") for each in figures.all()[:2]] == ["contrast", "haze"]
    page.click("#more")
    assert figures.count() == 10
    pictures = page.locator("#pair img")
    assert pictures.count() == 2
    wait_until(page, lambda: all(each.evaluate("image => image.naturalWidth > 0") for each in pictures.all()))
    trail = page.locator("#trail-list li").all_inner_texts()
    assert [("fog" in trail[0], "days accepted, by Ada – spring sale" in trail[1], "ignored by Bob" in trail[2])] == [
        (True, True, True)
    ]
    page.evaluate("scrollTo(0, 0)")
    page.set_viewport_size({"width": 1280, "height": 2200})
    shoot(page, "drift-camera")
    assert page.evaluate(OVERFLOWING) == []


@pytest.mark.usefixtures("foggy")
def test_windows_are_chosen_by_keys_and_by_mouse(page: Page, site: Any, mall: Mall) -> None:
    open_page(page, site, f"?camera={mall.id(0)}")
    line = page.locator("#windows svg")
    page.locator("#windows .chosen").wait_for(state="attached")
    line.focus()
    newest = line.get_attribute("aria-valuetext")
    assert newest is not None
    assert "unusual" in newest
    page.keyboard.press("ArrowLeft")
    assert line.get_attribute("aria-valuetext") != newest
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    assert ": usual, " in (line.get_attribute("aria-valuetext") or "")
    assert page.locator("#evidence li").count() == 0
    page.keyboard.press("Home")
    assert line.get_attribute("aria-valuenow") == "0"
    page.keyboard.press("End")
    assert line.get_attribute("aria-valuetext") == newest
    blank = page.locator("#windows .bar-blank").first.bounding_box()
    assert blank is not None
    page.mouse.click(blank["x"] + blank["width"] / 2, blank["y"] - 30)
    assert page.locator("#window").inner_text().endswith("nothing can be told; too few rows: 12 of 360")
    assert page.locator("#statistics").is_hidden()


def press(page: Page, action: str, name: str | None = "Ada", note: str = "") -> None:
    page.click(f"[data-action={action}]")
    page.locator("#say[open]").wait_for()
    if name is not None:
        page.fill("#say input[name=by]", name)
    page.fill("#say input[name=note]", note)
    page.keyboard.press("Enter")
    page.locator("#say:not([open])").wait_for(state="attached")


def test_a_label_batch_a_retraining_and_the_end_each_with_a_name(page: Page, site: Any, mall: Mall, foggy: Any) -> None:
    open_page(page, site, f"?camera={mall.id(0)}")
    page.locator("[data-action=batch].primary").wait_for()
    page.click("[data-action=batch]")
    assert page.locator("#say-title").inner_text() == "Draw pictures of Gate 0 for labels"
    shoot(page, "drift-say")
    assert page.evaluate(OVERFLOWING) == []
    page.keyboard.press("Enter")  # nobody
    assert "enter it first" in page.locator("#say-problem").inner_text()
    page.keyboard.press("Escape")
    assert mall.store.episode(foggy.id).batch_until is None

    press(page, "batch")
    page.get_by_text("Pictures are drawn until").wait_for()
    until = mall.store.episode(foggy.id).batch_until
    assert until is not None
    address = page.locator("#batch a").get_attribute("href")
    assert address == "/review?unit=frame&queue=targeted&camera=camera-00"
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)
    press(page, "retrain", name=None, note="it will be foggy for weeks")  # the name is known
    page.get_by_text("Asked. What became of it").wait_for()
    (request,) = mall.requests.requests()
    assert (request.cause, request.slice, request.asked_by) == ("fog", mall.id(0), "Ada")
    assert request.reason == "it will be foggy for weeks"
    press(page, "retrain", name=None)
    page.get_by_text("asked for before").wait_for()

    press(page, "ignore", name="Bob", note="a smoke machine")
    page.locator("#done", has_text="Ignored.").wait_for()
    ended = mall.store.episode(foggy.id)
    assert (ended.end, ended.closed_by, ended.note) == ("ignored", "Bob", "a smoke machine")
    page.locator("[data-group=watch] [data-camera]", has_text="Gate 0").wait_for()
    assert page.locator("[data-action=ignore]").count() == 0
    # On the review page the same name is known.
    page.goto(f"{site.url}/review")
    assert page.locator("#as").inner_text() == "Bob"


def test_a_moved_camera_is_redrawn_or_its_view_accepted(page: Page, site: Any, mall: Mall) -> None:
    first = mall.changed(0, "moved", since_h=-3, invalidates=True)
    second = mall.changed(2, "moved", since_h=-2, invalidates=True)
    site.fleet.apply(site.database.camera(mall.id(2)))
    open_page(page, site, f"?camera={mall.id(0)}")
    page.locator("[data-action=accept-anew]").wait_for()
    assert page.locator("#actions [data-action]").count() == 2
    assert page.locator("#invalid").inner_text().startswith("Counts since ")
    assert "mean something else than they say: it looks elsewhere." in page.locator("#invalid").inner_text()
    press(page, "accept-anew", note="a new arm")
    page.locator("#done", has_text="Accepted.").wait_for()
    assert mall.store.episode(first.id).end == "accepted"
    assert site.fleet.forgotten == [mall.id(0)]
    assert page.locator("#invalid").is_hidden()

    of(page, mall.id(2)).click()
    page.click("[data-action=redraw]")
    page.wait_for_url("**/cameras/camera-02#edit")
    page.get_by_text("This camera looks elsewhere").wait_for()
    handle = page.locator('[aria-label^="start of line door"]')
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.click("#editor-save")
    wait_until(page, lambda: mall.store.episode(second.id).end == "redrawn")
    assert mall.store.episode(second.id).closed_by == "Ada"


def test_counts_of_a_moved_camera_are_shown_and_marked(page: Page, site: Any, mall: Mall) -> None:
    mall.changed(0, "moved", since_h=-3, invalidates=True)
    mall.changed(2, "fog", since_h=-3)
    for number in range(3):
        site.fleet.apply(site.database.camera(mall.id(number)))
    tile = page.locator(f'.tile[data-camera="{mall.id(0)}"]')
    page.goto(site.url)
    tile.locator("[data-invalid]", has_text="mean something else than they say: it looks elsewhere.").wait_for()
    wait_until(page, lambda: int(tile.locator("[data-in]").inner_text().replace("–", "0")) > 0)  # counted all the same
    assert "counts of one camera that looked elsewhere today: camera-00" in page.locator("#total-invalid").inner_text()
    assert page.locator("[data-invalid]:visible").count() == 1
    drift = page.locator(f'.tile[data-camera="{mall.id(2)}"] [data-drift]')
    drift.get_by_text("Has changed: fog for 3 h").wait_for()
    shoot(page, "drift-grid")
    assert page.evaluate(OVERFLOWING) == []
    drift.locator("a").click()
    page.locator("#one-title", has_text="Gate 2").wait_for()
    page.click("#open-camera")
    page.locator("#drift", has_text="fog for 3 h: a whitish veil").wait_for()
    assert page.locator("#invalid").is_hidden()
    page.goto(f"{site.url}/cameras/{mall.id(0)}")
    page.locator("#invalid", has_text="Counts since").wait_for()
    shoot(page, "drift-camera-page")
    assert page.evaluate(OVERFLOWING) == []


def test_one_cause_on_many_cameras_is_told_and_a_silent_monitor_too(page: Page, site: Any, mall: Mall) -> None:
    for number in range(12):
        mall.drifted.verdict(mall.id(number), -9, "fog")
        mall.drifted.episode(mall.id(number), "fog", since_h=-9)
    open_page(page, site)
    page.locator("#common", has_text="12 of 50 cameras: fog.").wait_for()
    assert "No window was judged for 8 h" in page.locator("#stale").inner_text()


def test_without_leave_no_batch_is_offered_and_without_a_monitor_nothing_is_claimed(
    page: Page, site: Any, mall: Mall
) -> None:
    open_page(page, site)
    page.locator("#stale", has_text="No monitor has judged a camera yet").wait_for()
    assert page.locator("[data-group=calm]").is_hidden()
    mall.changed(3, "appearance", since_h=-3)
    open_page(page, site, f"?camera={mall.id(3)}")
    page.locator("[data-action=batch]").wait_for()
    assert page.locator("[data-action=batch]").is_disabled()
    assert page.locator("#no-pictures").inner_text().startswith("No picture of it is kept")


def test_windows_of_a_demonstration_are_shown_by_the_hour(page: Page, site: Any, mall: Mall) -> None:
    for number in range(60):
        begin_at = mall.now - timedelta(minutes=number + 1)
        mall.drifted.verdict(mall.id(0), -1, "fog", begin_at=begin_at, end_at=begin_at + timedelta(minutes=1))
    mall.drifted.episode(mall.id(0), "fog", since_h=-1)
    open_page(page, site)
    page.locator("#windows .bar-unusual").nth(59).wait_for(state="attached")
    assert page.locator("#days").input_value() == "0.125"
    widths = [each.get_attribute("width") for each in page.locator("#windows .bar-unusual").all()]
    assert min(float(width or 0) for width in widths) > 2


def test_what_a_window_holds_cannot_become_markup(page: Page, site: Any, mall: Mall) -> None:
    mall.drifted.verdict(mall.id(0), -1, "fog", note="<img src=x onerror=alert(1)>")
    mall.drifted.episode(mall.id(0), "fog", since_h=-1)
    open_page(page, site, f"?camera={mall.id(0)}")
    page.locator("#window", has_text="<img src=x").wait_for()


def test_on_a_phone_the_list_comes_first_and_nothing_leaks(browser: Browser, site: Any, mall: Mall, foggy: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB", timezone_id="Europe/Berlin")
    page = context.new_page()
    page.goto(f"{site.url}/drift")
    of(page, mall.id(1)).wait_for()
    assert page.locator("#summary").is_hidden()
    shoot(page, "drift-phone-list")
    assert page.evaluate(OVERFLOWING) == []
    of(page, mall.id(1)).click()
    page.locator("#one-title", has_text="Food court").wait_for()
    wait_until(page, lambda: page.locator("#one-title").evaluate("each => each.getBoundingClientRect().top") < 400)
    of(page, mall.id(0)).click()
    page.locator("#one-title", has_text="Gate 0").wait_for()
    assert page.evaluate(OVERFLOWING) == []
    page.set_viewport_size({"width": 390, "height": 3400})
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "drift-phone")
    context.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("reports")
    return folder, written_by_itself(folder)


def test_evidently_report_is_shown_without_rights_and_without_network(
    page: Page, site: Any, mall: Mall, written: tuple[Path, dict[str, Any]]
) -> None:
    folder, told = written
    stem = told[CAMERAS[0]]["html_key"].removesuffix(".html.gz")
    blobs = BlobStore(str(folder / "blobs"))
    for suffix in (".html.gz", ".json"):
        site.services.blobs.put(stem + suffix, blobs.get(stem + suffix))
    mall.drifted.verdict(mall.id(0), -1, "fog", report_key=stem)
    mall.drifted.episode(mall.id(0), "fog", since_h=-1)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, site, f"?camera={mall.id(0)}")
    page.click("#show-report")
    inner = page.frame_locator("#report iframe")
    inner.get_by_text("luminance", exact=False).first.wait_for(timeout=60_000)
    wait_until(page, lambda: inner.locator(".js-plotly-plot .plot").count() > 0, timeout_s=60)
    assert page.locator("#report iframe").get_attribute("sandbox") == "allow-scripts"
    frame = next(each for each in page.frames if "/reports/" in each.url)
    assert frame.evaluate("() => self.origin") == "null"
    assert [url for url in asked if not url.startswith((site.url, "data:", "blob:"))] == []
    page.locator("#report").scroll_into_view_if_needed()
    shoot(page, "drift-report")
    with page.expect_download() as download:
        page.click("#report-json")
    assert re.fullmatch(r"drift-camera-00-\d{8}T\d{6}Z\.json", download.value.suggested_filename)
    page.click("#show-report")
    assert page.locator("#report iframe").count() == 0
