"""The models page in Chromium: who serves and is tried out side by side; promoting, trying out and going back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest
from integration.browser.conftest import HEIGHT_PX, WIDTH_PX, Site, paint, people_at
from playwright.sync_api import Page, expect
from support.browsing import shoot, wait_until
from support.registered import model_folder
from support.requests import make_request
from support.reviewed import Reviewed

from footfall.domain import Camera, RegisteredModel, RetrainProgress, Sample
from footfall.stores.runs import examples_key, read_examples

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY: dict[str, Any] = {"actor": "ana", "why": "to begin with", "at": NOON}
GATES = {
    "gates": [
        {"name": "G1 frozen test", "passed": True, "detail": "F1 +0.8 points, lower end +0.2"},
        {"name": "G5 latency", "passed": False, "detail": "p95 212 ms, budget 200 ms"},
    ]
}


@pytest.fixture
def add(site: Site, tmp_path: Path) -> Callable[..., RegisteredModel]:
    def add(name: str, **about: Any) -> RegisteredModel:
        content = hashlib.sha256(name.encode()).digest() * 50_000
        folder = model_folder(tmp_path / "made", name, content=content, threshold=0.4, description=f"Made for {name}.")
        return site.services.registry.add(folder, **{"origin": "imported", "by": "ana", "at": NOON, "run": "", **about})

    return add


@pytest.fixture
def models(site: Site, add: Callable[..., RegisteredModel]) -> dict[str, RegisteredModel]:
    for camera_id, name in (("gate", "Main gate"), ("hall", "Hall")):
        site.database.put_camera(Camera(camera_id, "film.mp4", name))
    found = {
        "day": add("day"),
        "fog-20260301": add(
            "fog-20260301", origin="retrained", run="r20260301", gates={"G1": "passed", "G5": "passed"}
        ),
        "poisoned": add("poisoned", origin="retrained", run="r20260302", gates=GATES, is_rejected=True),
    }
    site.services.registry.promote(found["day"].sha256, **BY)
    return found


def open_page(site: Site, page: Page, *, why: str = "fog at the gate") -> None:
    page.goto(f"{site.url}/models")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Why").fill(why)


def card(page: Page, name: str) -> Any:
    return page.locator(f'.models-card[data-model="{name}"]')


def test_models_stand_side_by_side_with_their_gates_and_are_tried_out_promoted_and_taken_back(
    site: Site, page: Page, models: dict[str, RegisteredModel], tmp_path: Path
) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    open_page(site, page)
    expect(card(page, "day")).to_contain_text("Champion")
    expect(card(page, "day")).to_contain_text("all cameras")
    expect(card(page, "poisoned")).to_contain_text("rejected by its gates")
    expect(card(page, "poisoned").locator("tr", has_text="G5 latency")).to_contain_text("failed")
    expect(page.locator("#rollback")).to_be_disabled()

    card(page, "fog-20260301").get_by_role("button", name="Try out").click()
    page.get_by_role("checkbox", name="Main gate").check()
    page.locator("#try-go").click()
    expect(page.locator("#done")).to_have_text("Change 2: fog-20260301 is tried out on gate")
    expect(card(page, "fog-20260301")).to_contain_text("Challenger")
    expect(card(page, "day")).to_contain_text("all cameras but gate")
    expect(card(page, "fog-20260301")).to_contain_text("94.7 % on 40 frames: 90 people by both, 7 only by it")
    assert site.services.registry.aliases().canaries == ("gate",)
    page.screenshot(path=tmp_path / "models.png", full_page=True)

    page.get_by_label("Why").fill("it sees more")
    card(page, "fog-20260301").get_by_role("button", name="Promote").click()
    expect(card(page, "fog-20260301")).to_contain_text("Champion")
    expect(card(page, "day")).to_contain_text("Previous")

    page.get_by_label("Why").fill("counts are too high")
    page.locator("#rollback").click()
    expect(page.locator("#done")).to_have_text("Change 4: day is the champion, back again, after fog-20260301")
    expect(page.locator("#log tr").first).to_contain_text("counts are too high")
    assert [(each.action, each.actor) for each in site.services.registry.log()] == [
        ("rolled_back", "Ana"),
        ("promoted", "Ana"),
        ("canary", "Ana"),
        ("promoted", "ana"),
    ]
    page.reload()
    expect(page.get_by_label("Your name")).to_have_value("Ana")


def test_a_page_that_is_old_changes_nothing_and_shows_what_holds(
    site: Site, page: Page, models: dict[str, RegisteredModel]
) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    open_page(site, page)
    expect(card(page, "day")).to_contain_text("Champion")
    page.route("**/api/v1/models", lambda route: route.abort())  # it hears of nothing new
    site.services.registry.promote(models["fog-20260301"].sha256, **BY)
    card(page, "poisoned").get_by_role("button", name="Promote").click()
    expect(page.locator("#problem")).to_contain_text("you saw change 1, the newest is 2: promoted by 'ana'")
    page.unroute("**/api/v1/models")
    assert site.services.registry.aliases().champion == models["fog-20260301"].sha256
    expect(card(page, "fog-20260301")).to_contain_text("Champion")


def test_nothing_is_changed_without_a_name_and_a_reason_or_against_a_no(
    site: Site, page: Page, models: dict[str, RegisteredModel]
) -> None:
    asked: list[str] = []

    def refuse(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.goto(f"{site.url}/models")
    card(page, "fog-20260301").get_by_role("button", name="Promote").click()
    assert asked == []
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Why").fill("it sees more")
    card(page, "poisoned").get_by_role("button", name="Promote").click()
    assert asked == ["The gates have rejected poisoned. Promote it all the same?"]
    assert site.services.registry.aliases().number == 1


def test_a_refused_model_and_a_pinned_one_are_said_plainly(
    site: Site, page: Page, models: dict[str, RegisteredModel]
) -> None:
    rollout: Any = site.services.rollout
    sha256 = models["fog-20260301"].sha256
    site.services.registry.promote(sha256, **BY)
    site.services.registry.refuse(sha256, "output holds NaN or infinity", at=NOON)
    rollout.broken.add(sha256)
    page.goto(f"{site.url}/models")
    expect(page.locator("#refused")).to_be_visible()
    expect(card(page, "fog-20260301")).to_contain_text("output holds NaN or infinity")
    expect(card(page, "fog-20260301")).to_contain_text("not running")
    rollout.pinned = "yolo11n"
    expect(page.locator("#pinned")).to_contain_text("FOOTFALL_MODEL pins yolo11n")


def test_the_retraining_that_runs_shows_how_far_it_is_and_when_its_news_are_old(
    site: Site, page: Page, models: dict[str, RegisteredModel]
) -> None:
    store = site.services.retrains
    before = store.ask(make_request(reason="dark mornings", cause="dark"), cooldown=timedelta(0))[0]
    store.ended(before.id, "rejected", "G2 (precision 0.864 -> 0.797)", at=NOON)
    page.goto(f"{site.url}/models")
    expect(page.locator("#retrain-now")).to_be_hidden()
    expect(page.locator("#retrains tr")).to_contain_text("rejected by its gates")
    expect(page.locator("#retrains tr")).to_contain_text("G2 (precision 0.864 -> 0.797)")

    request = store.ask(make_request(at=NOON + timedelta(hours=1)), cooldown=timedelta(0))[0]
    now = page.locator("#retrain-now")
    expect(now).to_contain_text("waits to be started")
    store.launched(request.id, {}, at=datetime.now(UTC))
    told = RetrainProgress(
        datetime.now(UTC),
        "train",
        7,
        11,
        "step 15 of 20",
        0.75,
        15,
        20,
        1.25,
        600.0,
        240.0,
        0.55,
        losses={"box": 0.5, "cls": 0.45, "dfl": 0.3},
        epoch=7.5,
        epochs=10.0,
    )
    store.note_progress(request.id, told)
    expect(now).to_contain_text(
        "stage 7 of 11, train: step 15 of 20 · epoch 7.5 of 10 · "
        "loss 1.250 (box 0.50, cls 0.45, dfl 0.30) · about 4 min left"
    )
    expect(now.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "55")
    now.scroll_into_view_if_needed()
    shoot(page, "models-retraining")
    store.note_progress(request.id, dataclasses.replace(told, at=datetime.now(UTC) - timedelta(minutes=20)))
    expect(now.get_by_role("alert")).to_contain_text("it may be gone")
    expect(now).not_to_contain_text("left")

    page.on("dialog", lambda dialog: dialog.accept())
    now.get_by_role("button", name="Cancel").click()
    expect(page.locator(f'tr[data-request="{request.id}"]')).to_contain_text("is being cancelled")
    assert store.request(request.id).cancel_at is not None


RUN = "0123456789abcdef" * 2


def figures(shift: float) -> dict[str, Any]:
    """Figures of one model, as a retraining writes them; `shift` is how much better it is."""
    names = ["all", "camera gate", "camera hall", "hours 06-12 UTC", "crowded", "not crowded", "old", "new"]
    names += ["people of 0 to 48 px", "people of 48 to 96 px", "people of 96 px and more"]
    part = {"f1": 0.80 + shift, "precision": 0.86 + shift / 2, "recall": 0.75 + shift, "ap50": 0.81 + shift}
    parts: dict[str, Any] = {name: part | {"frames": 28, "people": 130} for name in names}
    parts["camera hall"] = part | {"f1": 0.80 - shift, "frames": 9, "people": 31}
    parts["people of 0 to 48 px"] = dict.fromkeys(part, None) | {"frames": 0, "people": 0}
    recalls = [0.95 + shift / 2 - 0.02 * step for step in range(41)]
    curve = [
        {"threshold": 0.05 + 0.0225 * step, "precision": min(1.0, 0.55 + shift + 0.011 * step), "recall": recall}
        for step, recall in enumerate(recalls)
    ]
    return {"parts": parts, "curve": [*curve, {"threshold": 0.95, "precision": None, "recall": 0.0}]}


LOSS = {"loss": 3.0, "box": 1.1, "cls": 0.9, "dfl": 1.0}
REPORT: dict[str, Any] = GATES | {
    "promote": True,
    "figures": {"champion": figures(0.0), "challenger": figures(0.06)},
    "stress": [
        {"kind": kind, "severity": severity, "champion": 0.8 - severity / 8, "challenger": 0.8 - severity / 12}
        for kind in ("dark", "fog", "noise")
        for severity in (1, 3, 5)
    ],
    "baselines": [
        {
            "name": name,
            "f1": f1,
            "ap50": f1 + 0.01,
            "cpu_ms": cpu_ms,
            "streams_per_core": round(200 / cpu_ms, 1),
            "memory_mb": 60.0,
            "licence": "AGPL-3.0-or-later",
            "is_best_for_its_cost": f1 != 0.79,
        }
        for name, f1, cpu_ms in (("night", 0.86, 12.0), ("embedded", 0.80, 9.0), ("bought", 0.79, 40.0))
    ],
    "training": {
        "steps": 20,
        "seconds": 75.3,
        "device": "cpu",
        "curve": [
            {"step": step} | {name: share / (1 + step / 8) for name, share in LOSS.items()} for step in range(1, 21)
        ],
    },
}


def film(site: Site) -> list[Sample]:
    """Two frames of the gate with everybody marked; of one the picture is deleted later."""
    reviewed = Reviewed(site.database, datetime.now(UTC))
    kept = []
    for number in range(2):
        people = people_at(1.0 + number)
        content = cv2.imencode(".jpg", paint(people))[1].tobytes()
        key = f"samples/gate/{number}.jpg"
        site.services.blobs.put(key, content)
        size = {"width_px": WIDTH_PX, "height_px": HEIGHT_PX, "size_bytes": len(content), "media_type": "image/jpeg"}
        about: dict[str, Any] = {"unit": "frame", "blob_key": key, "detail": {"boxes": [], "threshold": 0.3}, **size}
        kept.append(reviewed.sample({"boxes": people.tolist()}, hours_ago=number, **about))
    examples = []
    for sample, number in zip(kept, range(2), strict=True):
        truth = people_at(1.0 + number).round(1).tolist()
        finds = [{"box": [x + 6 for x in box], "score": 0.8, "right": True} for box in truth]
        wrong = {"box": [500.0, 110.0, 780.0, 420.0], "score": 0.5, "right": False}
        about = {"sample": sample.id, "camera": "gate", "at": sample.taken_at.isoformat(), "new": True, "truth": truth}
        better, worse = {"errors": 0, "finds": finds}, {"errors": 3, "finds": [finds[0], wrong]}
        examples.append(
            about
            | ({"champion": worse, "challenger": better} if number == 0 else {"champion": better, "challenger": worse})
        )
    site.services.blobs.put(examples_key(RUN), json.dumps(examples).encode())
    return kept


def test_a_report_shows_curves_parts_and_frames_on_which_models_differ_until_their_pictures_are_deleted(
    site: Site, page: Page, add: Callable[..., RegisteredModel], models: dict[str, RegisteredModel]
) -> None:
    first, second = film(site)
    made = add("fog-night", origin="retrained", run=RUN, gates=REPORT | {"champion": models["day"].sha256})
    page.goto(f"{site.url}/models")
    expect(card(page, "fog-night")).to_contain_text("0.800 → 0.860 on new frames, 0.800 → 0.860 on old frames")
    expect(card(page, "day").get_by_role("button", name="Report")).to_have_count(0)
    card(page, "fog-night").get_by_role("button", name="Report").click()

    report = page.locator("#report")
    expect(report.locator("#report-about")).to_have_text("beside day, run 0123456789ab")
    expect(report.get_by_role("img", name="Precision against recall").locator("polyline")).to_have_count(2)
    expect(report.get_by_role("img", name="Precision against recall").locator("circle")).to_have_count(2)
    expect(report).to_contain_text("fog-night: precision 0.890, recall 0.810, AP 0.870")
    at_hand = report.locator(".report-card", has_text="Models at hand").locator("tbody tr")
    expect(at_hand).to_have_count(3)
    expect(at_hand.nth(1)).to_contain_text("embedded ●0.8000.8109.022.260AGPL-3.0-or-later")
    expect(at_hand.nth(2)).not_to_contain_text("●")
    expect(report.get_by_role("img", name="Loss by step of training").locator("polyline")).to_have_count(4)
    expect(report.locator("tr", has_text="fog")).to_contain_text("0.425 → 0.550")
    part = report.locator('tr[data-part="camera hall"]')
    expect(part).to_contain_text("0.8000.740−0.060")
    expect(part.locator("td").last).to_have_class("models-bad")
    expect(report.locator('tr[data-part="people of 0 to 48 px"]')).to_contain_text("–––")

    frame = report.locator(f'figure[data-sample="{first.id}"]')
    expect(frame).to_contain_text("day 3 errors, fog-night 0 errors")
    frame.scroll_into_view_if_needed()
    wait_until(page, lambda: frame.locator("img").evaluate("each => each.complete && each.naturalWidth") == WIDTH_PX)
    expect(frame.locator("rect")).to_have_count(8)
    shoot(page, "models-report")
    truth = frame.locator(".of-truth")
    expect(truth).to_be_visible()
    page.get_by_label("everybody who is there").uncheck()
    expect(truth).to_be_hidden()

    page.reload()  # the address names the model
    expect(report.locator("#report-title")).to_have_text("fog-night")
    # Its time is over: what the report shows of it goes with the picture.
    site.services.keeper._drop([second], datetime.now(UTC), "expired")
    assert [each["sample"] for each in read_examples(site.services.blobs, RUN)] == [first.id]
    page.reload()
    expect(report.locator("figure")).to_have_count(1)
    page.get_by_role("button", name="Close").click()
    expect(report).to_be_hidden()
    assert page.url == f"{site.url}/models"
    assert made.run == RUN


def test_a_report_without_pictures_and_figures_says_so(
    site: Site, page: Page, models: dict[str, RegisteredModel]
) -> None:
    page.goto(f"{site.url}/models?report={models['poisoned'].sha256}")
    expect(page.locator("#report-none")).to_be_visible()
    expect(page.locator("#report-examples-card")).to_be_hidden()
    expect(page.locator("#report-parts-card")).to_be_hidden()
