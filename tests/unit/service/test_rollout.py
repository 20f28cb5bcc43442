"""The service runs what the registry wants, if it can; whatever it cannot use changes nothing and is told once."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.figures import write_broken_model, write_endless_model, write_figure_model
from support.registered import make_registry

from footfall.domain import Detections, ModelVersion, RegisteredModel
from footfall.errors import ModelError, StoreError
from footfall.stores.registry import Registry
from footfall.vision.detector import CARD_FILE, MODEL_FILE, ModelCard, load_detector, read_card
from footfall.vision.models import EMBEDDED_FOLDER
from service.metrics import Metrics
from service.pipeline import Detectors
from service.rollout import Rollout
from service.smoke import check_detector, try_apart

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY: dict[str, Any] = {"actor": "ana", "why": "asked", "at": NOON}
EMBEDDED = read_card(EMBEDDED_FOLDER).sha256


class Pipe:
    """Takes what it is told to use."""

    def __init__(self) -> None:
        self.used: list[Detectors] = []

    def use(self, detectors: Detectors) -> None:
        self.used.append(detectors)


class Site:
    """A registry in a folder and a service that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = make_registry(folder)
        self.metrics = Metrics()
        self.pipe: Any = Pipe()  # of the pipeline a rollout uses nothing but `use`
        self.loads: list[str] = []

    def rollout(self, pinned: str | None = None, **settings: Any) -> Rollout:
        def load(folder: Path) -> Any:
            self.loads.append(folder.name)
            return load_detector(folder, threads=1, input_size=320)

        about: dict[str, Any] = {"load": load, "smoke": lambda *_: None, "slowest_s": 5.0, **settings}
        return Rollout(self.registry, self.metrics, models_dir=self.folder / "models", pinned=pinned, **about)

    def add(self, name: str, *, is_broken: bool = False) -> RegisteredModel:
        place = self.folder / "made" / name
        folder = write_broken_model(place) if is_broken else write_figure_model(place, note=name)
        return self.registry.add(folder, origin="retrained", by="retrain", at=NOON)

    def metric(self, metric: str, /, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(metric, labels)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_without_any_promotion_the_embedded_model_serves_and_is_the_champion(site: Site) -> None:
    detectors = site.rollout().first()
    assert detectors.champion.version.sha256 == EMBEDDED
    (change,) = site.registry.log()
    assert (change.actor, change.action, change.model) == ("footfall", "promoted", EMBEDDED)
    site.rollout().first()
    assert len(site.registry.log()) == 1  # a start is no promotion


def test_what_was_chosen_before_there_was_a_registry_stays_in_use(site: Site) -> None:
    write_figure_model(site.folder / "models" / "chosen", note="chosen")
    write_figure_model(site.folder / "models" / "other", note="other")
    (site.folder / "models" / "in-use").write_text("chosen\n")
    assert site.rollout().first().champion.version.name == "chosen"
    assert next((each.name, each.origin) for each in site.registry.models()) == ("chosen", "imported")


def test_a_newer_embedded_model_follows_an_older_one_and_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    older = write_figure_model(site.folder / "made" / "embedded", note="older")
    old = site.registry.add(older, origin="embedded", by="footfall", at=NOON)
    site.registry.promote(old.sha256, **BY)
    assert site.rollout().first().champion.version.sha256 == EMBEDDED
    assert site.registry.log()[0].why.startswith("came with Footfall ")
    night = site.add("night")
    site.registry.promote(night.sha256, **BY)
    assert site.rollout().first().champion.version.sha256 == night.sha256


def test_a_promotion_is_followed_once_and_a_rollback_too(site: Site) -> None:
    rollout = site.rollout()
    rollout.first()
    rollout.turn(site.pipe)
    assert site.pipe.used == []
    night = site.add("night")
    site.registry.promote(night.sha256, **BY)
    for _ in range(3):
        rollout.turn(site.pipe)
    (used,) = site.pipe.used
    assert (used.champion.version.name, used.challenger) == ("night", None)
    assert site.loads == ["embedded", night.sha256]
    assert site.metric("footfall_model_info", name="night", sha256=night.sha256, runtime=used.champion.runtime) == 1
    site.registry.rollback(**BY)
    rollout.turn(site.pipe)
    assert site.pipe.used[-1].champion.version.sha256 == EMBEDDED
    assert site.metric("footfall_model_swaps_total", outcome="swapped") == 2
    assert rollout.status.follows


def test_a_challenger_looks_at_its_canaries_and_needs_no_second_load_to_become_champion(site: Site) -> None:
    rollout = site.rollout()
    rollout.first()
    night = site.add("night")
    site.registry.try_out(night.sha256, ["gate", "hall"], **BY)
    rollout.turn(site.pipe)
    used = site.pipe.used[-1]
    assert [used.of(camera).version.name for camera in ("gate", "hall", "door")] == ["night", "night", "embedded"]
    assert site.metric("footfall_canary_cameras") == 2
    assert (rollout.status.challenger, rollout.status.canaries) == (night.sha256, ("gate", "hall"))
    site.registry.promote(night.sha256, **BY)
    rollout.turn(site.pipe)
    assert site.pipe.used[-1].champion is used.challenger
    assert site.pipe.used[-1].of("door").version.name == "night"
    assert site.loads == ["embedded", night.sha256]
    assert site.metric("footfall_canary_cameras") == 0


def test_a_model_of_nan_is_refused_once_and_the_old_one_goes_on(site: Site) -> None:
    rollout = site.rollout()
    before = rollout.first()
    broken = site.add("broken", is_broken=True)
    site.registry.promote(broken.sha256, **BY)
    for _ in range(3):
        rollout.turn(site.pipe)
    assert {used.champion for used in site.pipe.used} == {before.champion}
    assert site.loads.count(broken.sha256) == 1
    assert site.metric("footfall_model_swaps_total", outcome="refused") == 1
    assert site.metric("footfall_model_follows_registry") == 0
    assert "output holds NaN or infinity" in site.registry.model(broken.sha256).refusal
    assert not rollout.status.follows
    # A start goes back to the one before, and does not try the broken one again.
    again = site.rollout()
    assert again.first().champion.version.sha256 == EMBEDDED
    again.turn(site.pipe)
    assert site.loads.count(broken.sha256) == 1
    assert site.metric("footfall_model_follows_registry") == 0
    site.registry.rollback(**BY)
    again.turn(site.pipe)
    assert site.metric("footfall_model_follows_registry") == 1
    # Somebody wants it all the same: it is tried once more.
    site.registry.promote(broken.sha256, **BY)
    again.turn(site.pipe)
    assert site.loads.count(broken.sha256) == 2


def test_a_model_that_never_answers_leaves_the_old_one_running_and_what_passed_is_not_tried_again(site: Site) -> None:
    endless = site.registry.add(
        write_endless_model(site.folder / "made" / "endless"), origin="retrained", by="retrain", at=NOON
    )
    tried: list[str] = []

    def smoke(folder: Path, name: str) -> None:
        tried.append(name)
        try_apart(folder, name=name, runtime="onnxruntime", input_size=320, cpu_s=4.0)

    def load(folder: Path) -> Any:
        assert folder.name != endless.sha256  # in this process nothing could end it
        return load_detector(folder, threads=1, input_size=320)

    rollout = site.rollout(smoke=smoke, load=load)
    before = rollout.first()
    assert tried == []  # the embedded one is part of what was installed
    site.registry.promote(endless.sha256, **BY)
    rollout.turn(site.pipe)
    assert site.pipe.used[-1].champion is before.champion
    assert "4 s of a core, in a process of its own; it is refused" in site.registry.model(endless.sha256).refusal
    assert site.metric("footfall_model_swaps_total", outcome="refused") == 1
    night = site.add("night")
    for model in (night.sha256, EMBEDDED, night.sha256):
        site.registry.promote(model, **BY)
        rollout.turn(site.pipe)
        assert rollout.status.champion == model
    assert tried == ["endless", "night"]


def test_a_broken_challenger_harms_no_canary(site: Site) -> None:
    rollout = site.rollout()
    rollout.first()
    broken = site.add("broken", is_broken=True)
    site.registry.try_out(broken.sha256, ["gate"], **BY)
    rollout.turn(site.pipe)
    assert site.pipe.used[-1].of("gate").version.sha256 == EMBEDDED
    assert site.metric("footfall_canary_cameras") == 0
    assert site.metric("footfall_model_follows_registry") == 0


def test_files_that_are_not_those_registered_are_refused(site: Site) -> None:
    rollout = site.rollout()
    rollout.first()
    night = site.add("night")
    stored = site.folder / "blobs" / "models" / night.sha256 / MODEL_FILE
    stored.write_bytes(stored.read_bytes()[:-1])
    site.registry.promote(night.sha256, **BY)
    rollout.turn(site.pipe)
    assert "it was changed and is refused" in site.registry.model(night.sha256).refusal


def test_a_store_that_is_away_is_asked_again_and_refuses_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = site.rollout()
    rollout.first()
    night = site.add("night")
    site.registry.promote(night.sha256, **BY)

    def away(*_: object, **__: object) -> Path:
        raise StoreError("blobs s3://bucket: cannot be read")

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "fetch", away)
        stopping = threading.Event()
        thread = threading.Thread(target=rollout.run, args=(site.pipe, 0.01, stopping))
        thread.start()
        while (site.metric("footfall_model_lookup_failures_total") or 0) < 3:
            time.sleep(0.01)
        stopping.set()
        thread.join(5)
    assert site.pipe.used == []
    rollout.turn(site.pipe)
    assert site.pipe.used[-1].champion.version.name == "night"
    assert site.registry.model(night.sha256).refusal == ""


def test_a_challenger_that_cannot_be_fetched_keeps_no_rollback_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = site.rollout()
    rollout.first()
    night, dusk = site.add("night"), site.add("dusk")
    site.registry.promote(night.sha256, **BY)
    rollout.turn(site.pipe)
    site.registry.try_out(dusk.sha256, [], **BY)
    site.registry.rollback(**BY)
    fetch = Registry.fetch

    def half(self: Registry, model: RegisteredModel, *args: Any, **kwargs: Any) -> Path:
        if model == dusk:
            raise StoreError("blobs s3://bucket: cannot be read")
        return fetch(self, model, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "fetch", half)
        for _ in range(2):
            with pytest.raises(StoreError):
                rollout.turn(site.pipe)
            assert site.pipe.used[-1].champion.version.sha256 == EMBEDDED
    assert not rollout.status.follows
    rollout.turn(site.pipe)
    assert (rollout.status.challenger, rollout.status.follows) == (dusk.sha256, True)
    assert site.registry.model(dusk.sha256).refusal == ""


def test_a_slow_model_is_better_than_none_and_sets_the_measure(site: Site) -> None:
    takes_s = {EMBEDDED: 0.05}

    def slow(folder: Path) -> Any:
        sha256 = read_card(folder).sha256
        detector: Any = Detector(takes_s=takes_s[sha256])
        detector.version = ModelVersion("slow", sha256, 0.5, "none")
        return detector

    rollout = site.rollout(load=slow, slowest_s=0.01)
    rollout.first()
    for name, seconds, serves in (("as-slow", 0.06, True), ("absurd", 0.3, False)):
        model = site.add(name)
        takes_s[model.sha256] = seconds
        site.registry.promote(model.sha256, **BY)
        rollout.turn(site.pipe)
        assert (rollout.status.champion == model.sha256) == serves
    assert "s are of use; it is refused" in site.registry.find("absurd").refusal


def test_a_pinned_model_wins(site: Site) -> None:
    pinned = write_figure_model(site.folder / "pinned", note="pinned")
    rollout = site.rollout(pinned=str(pinned))
    assert rollout.first().champion.version.name == "pinned"
    site.registry.promote(site.add("night").sha256, **BY)
    rollout.turn(site.pipe)
    assert site.pipe.used == []
    assert (rollout.status.pinned, rollout.status.follows) == (str(pinned), True)


def test_nothing_that_can_serve_ends_the_start_with_what_to_do(site: Site) -> None:
    broken = site.add("broken", is_broken=True)
    site.registry.promote(broken.sha256, **BY)
    with pytest.raises(ModelError, match=r"neither the champion nor the one before it can serve \(model 'broken'.*use"):
        site.rollout().first()
    shutil.rmtree(site.folder / "blobs")


class Detector:
    """Finds what it is told to, in the time it is told to take."""

    runtime = "test"
    version = ModelVersion("made-up", "0" * 64, 0.5, "none")

    def __init__(self, people: int = 0, takes_s: float = 0.0, error: Exception | None = None) -> None:
        self.people, self.takes_s, self.error = people, takes_s, error

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        time.sleep(self.takes_s)
        if self.error is not None:
            raise self.error
        boxes = np.zeros((self.people, 4), np.float32)
        return [Detections(boxes, np.full(self.people, 0.9, np.float32), 0.5) for _ in pictures]


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        pytest.param(Detector(people=11), "finds 11 people on an empty grey picture", id="a crowd of nobody"),
        pytest.param(Detector(takes_s=0.06), r"takes 0\.0\d s for one picture, at most 0\.05 s", id="slow"),
        pytest.param(Detector(error=RuntimeError("boom")), r"fails on a picture \(RuntimeError: boom\)", id="fails"),
    ],
)
def test_a_detector_is_refused(detector: Detector, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_detector(detector, slowest_s=0.05)


def test_a_few_finds_and_some_time_are_no_reason() -> None:
    assert 0.01 <= check_detector(Detector(people=10, takes_s=0.01), slowest_s=5.0) < 1


def test_a_card_that_promises_another_output_is_refused(site: Site) -> None:
    night = site.add("night")
    card = ModelCard.model_validate(night.card).model_copy(update={"class_names": ["person", "dog"]})
    folder = site.registry.fetch(night, site.folder / "elsewhere")
    (folder / CARD_FILE).write_text(card.model_dump_json())
    with pytest.raises(ModelError, match="output has shape"):
        load_detector(folder)
