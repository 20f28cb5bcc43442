"""A person judges tracks by keys alone: fast, in order, and nothing is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from support.reviewed import Reviewed

from footfall.domain import Camera, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

ITEMS = 300
NEXT_IN_MS = 150
"""Keys are pressed, and the time until the next picture is painted is taken, within the page."""
JUDGE = """async (count) => {
  const stage = document.getElementById("stage");
  const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const times = [];
  for (let n = 0; n < count; n += 1) {
    const before = stage.dataset.sample;
    const begin = performance.now();
    const key = n % 10 === 9 ? "n" : "y";
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const isNext = () => stage.hidden || (stage.dataset.sample !== before && document.getElementById("sheet").complete);
    while (!isNext() && performance.now() - begin < 5000) await new Promise((done) => { setTimeout(done, 1); });
    await painted();
    times.push(performance.now() - begin);
  }
  return times;
}"""


class Queue:
    """Samples of camera `gate` in the stores of a site."""

    def __init__(self, site: Any) -> None:
        self.site = site
        site.database.put_camera(Camera("gate", "sim:mall", name="Main gate", sampling=Sampling("Prove the count")))
        self.reviewed = Reviewed(site.database, datetime.now(UTC))
        self.ids: list[str] = []

    def add(self, count: int) -> None:
        for number in range(len(self.ids), len(self.ids) + count):
            sheet = np.full((320, 480, 3), 40 + number % 150, np.uint8)
            for view in range(3):
                cv2.rectangle(sheet, (160 * view + 50, 40), (160 * view + 110, 300), (90, 160, 90), -1)
            cv2.putText(sheet, str(number), (8, 28), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
            key = f"samples/gate/day/{number}.jpg"
            self.site.services.blobs.put(key, cv2.imencode(".jpg", sheet)[1].tobytes())
            views = [{"x0": 160 * n, "width": 160, "box": [160 * n + 50, 40, 160 * n + 110, 300]} for n in range(3)]
            sample = self.reviewed.sample(
                None,
                id=f"{number:032x}",
                blob_key=key,
                width_px=480,
                height_px=320,
                detail={"score": 0.9, "views": views},
            )
            self.ids.append(sample.id)

    def said(self) -> list[tuple[int, str]]:
        """Number of the sample and verdict, in the order in which they were kept, without what was taken back."""
        labels = self.reviewed.store.labels(self.ids)
        return [(self.ids.index(label.sample_id), label.content["verdict"]) for label in labels]


@pytest.fixture
def queue(site: Any) -> Queue:
    return Queue(site)


@pytest.fixture
def page(site: Any, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    yield opened
    context.close()


def begin(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/review")
    page.fill("#reviewer", "Ada L.")
    page.press("#reviewer", "Enter")


def is_shown(page: Page, queue: Queue, number: int) -> None:
    page.locator(f'#stage[data-sample="{queue.ids[number]}"]').wait_for()


def is_sent(page: Page, queue: Queue, count: int) -> None:
    for _ in range(200):
        if len(queue.said()) == count:
            return
        page.wait_for_timeout(200)
    pytest.fail(f"{len(queue.said())} labels are kept, expected {count}")


def test_three_hundred_are_judged_by_keys_and_the_next_is_there_at_once(page: Page, site: Any, queue: Queue) -> None:
    queue.add(ITEMS)
    begin(page, site)
    is_shown(page, queue, 0)
    assert page.locator("#boxes rect").count() == 3
    assert "Prove the count" in (page.text_content("#about") or "")
    times_ms = page.evaluate(JUDGE, ITEMS)
    assert np.quantile(times_ms, 0.95) < NEXT_IN_MS, f"{np.quantile(times_ms, [0.5, 0.95, 1.0]).round()} ms"
    is_sent(page, queue, ITEMS)
    assert queue.said() == [(number, "wrong" if number % 10 == 9 else "right") for number in range(ITEMS)]
    page.get_by_text("You have judged all there is").wait_for()
    cells = page.locator("#progress tr td")
    page.wait_for_function("document.querySelector('#progress td')?.textContent === '270'")
    assert cells.all_text_contents() == ["270", "30", "0", "0", "0"]


def test_one_may_go_back_say_it_again_skip_and_undo(page: Page, site: Any, queue: Queue) -> None:
    queue.add(4)
    begin(page, site)
    is_shown(page, queue, 0)
    page.keyboard.press("y")
    is_shown(page, queue, 1)
    page.keyboard.press("ArrowLeft")
    page.get_by_text("You said: right").wait_for()
    page.keyboard.press("u")
    is_shown(page, queue, 1)
    page.keyboard.press("ArrowRight")
    is_shown(page, queue, 2)
    page.click('[data-key="n"]')
    is_sent(page, queue, 3)
    assert queue.said() == [(0, "right"), (0, "unsure"), (2, "wrong")]
    is_shown(page, queue, 3)
    page.keyboard.press("z")
    is_shown(page, queue, 2)
    is_sent(page, queue, 2)
    page.keyboard.press("Backspace")
    is_sent(page, queue, 1)
    page.get_by_text("You said: right").wait_for()


def test_without_a_name_nothing_is_said(page: Page, site: Any, queue: Queue) -> None:
    queue.add(2)
    page.goto(f"{site.url}/review")
    page.get_by_text("Enter your name to begin").wait_for()
    page.locator("body").press("y")
    page.wait_for_timeout(300)
    assert queue.said() == []


def test_a_service_that_is_away_for_a_while_loses_no_verdict(page: Page, site: Any, queue: Queue) -> None:
    queue.add(3)
    begin(page, site)
    is_shown(page, queue, 0)
    away = {"still": True}
    page.route("**/review/labels", lambda route: route.abort() if away["still"] else route.continue_())
    for number, key in enumerate("yn"):
        is_shown(page, queue, number)
        page.keyboard.press(key)
    page.get_by_text("not sent yet, trying again").wait_for()
    assert queue.said() == []
    away["still"] = False
    is_sent(page, queue, 2)
    assert queue.said() == [(0, "right"), (1, "wrong")]
    page.get_by_text("not sent yet").wait_for(state="hidden")


def test_where_nothing_may_be_kept_the_page_says_why(page: Page, site: Any) -> None:
    begin(page, site)
    page.get_by_text("No camera has leave to keep pictures").wait_for()


def test_a_sample_that_was_deleted_meanwhile_does_not_stop_the_rest(page: Page, site: Any, queue: Queue) -> None:
    queue.add(2)
    begin(page, site)
    is_shown(page, queue, 0)
    site.services.samples.delete([site.services.samples.sample(queue.ids[0])], at=datetime.now(UTC), actor="test")
    page.keyboard.press("y")
    is_shown(page, queue, 1)
    page.keyboard.press("n")
    is_sent(page, queue, 1)
    assert queue.said() == [(1, "wrong")]
    assert json.loads(page.evaluate("JSON.stringify(localStorage)"))["footfall-reviewer"] == "Ada L."
