"""What retrainings leave goes after a while; what serves, served, or is needed to do a run again stays."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.registered import make_registry, model_folder

from footfall.domain import ModelOrigin
from footfall.errors import ModelError, PromotionError
from footfall.stores.runs import forget_pictures
from retrain.cleaning import Cleaned, clean
from retrain.frames import LabelledFrame, write_manifest

NOW = datetime(2026, 9, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=91)
KEEP = timedelta(days=90)
BY: dict[str, Any] = {"actor": "ana", "why": "asked"}


@dataclass(frozen=True)
class Shop:
    """A registry and folders of runs."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "registry", make_registry(self.folder))
        self.runs.mkdir()

    registry: Any = None

    @property
    def runs(self) -> Path:
        return self.folder / "retrains"

    def add(self, name: str, at: datetime = OLD, *, origin: ModelOrigin = "retrained", **more: Any) -> str:
        """Make a model known; its digest."""
        folder = model_folder(self.folder / "made", name)
        return str(self.registry.add(folder, origin=origin, by="retrain", at=at, **more).sha256)

    def run(self, name: str, champion: str, *, ended: bool = True, at: datetime = OLD, frames: int = 1) -> Path:
        """The folder of a run that began with a model; it has weights in it."""
        run = self.runs / name / "run"
        for part in ("train", "export/model", "split"):
            (run / part).mkdir(parents=True)
        (run / "train/model.onnx").write_bytes(b"w" * 1000)
        (run / "export/model/model.onnx").write_bytes(b"w" * 500)
        write_manifest(run / "split/manifest.json", [frame(number) for number in range(frames)])
        (run / "01-plan.json").write_text(json.dumps({"record": {"champion": champion}}))
        if ended:
            (run / "outcome.json").write_text("{}")
        for path in run.glob("*.json"):
            os.utime(path, (at.timestamp(), at.timestamp()))
        return run

    def clean(self, **options: Any) -> Cleaned:
        return clean(self.runs, self.registry, self.folder / "models", now=NOW, keep=KEEP, **options)


def frame(number: int) -> LabelledFrame:
    values: dict[str, Any] = {"boxes": (), "labelled_by": "reviewer", "picture": "samples/p.jpg", "sha256": ""}
    return LabelledFrame(f"{number:032x}", "gate", OLD, is_new=True, width_px=1, height_px=1, split="train", **values)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_old_models_that_nobody_uses_lose_their_files_and_stay_in_the_log(shop: Shop) -> None:
    first, second, third, fourth = (shop.add(name) for name in ("first", "second", "third", "fourth"))
    shop.add("bought", origin="imported")
    shop.add("young", at=NOW - timedelta(days=89), is_rejected=True)
    shop.add("rejected", is_rejected=True)
    for model in (first, second, third):
        shop.registry.promote(model, at=OLD, **BY)
    shop.registry.try_out(fourth, [], at=OLD, **BY)
    assert shop.clean(is_tried=True) == shop.clean()
    kept = {each.name for each in shop.registry.models() if each.files_deleted_at is None}
    assert kept == {"second", "third", "fourth", "bought", "young"}  # previous, champion, challenger, and two more
    assert not list((shop.folder / "blobs/models").glob(f"{first}/*"))
    assert shop.registry.fetch(shop.registry.model(second), shop.folder / "models").is_dir()
    assert [each.model for each in shop.registry.log()][-1] == first
    with pytest.raises(ModelError, match="its files are in the blob store no more"):
        shop.registry.fetch(shop.registry.model(first), shop.folder / "models")
    with pytest.raises(PromotionError, match=r"its files were removed, because nothing needed them .* Import it again"):
        shop.registry.promote(first, at=NOW, is_forced=True, **BY)
    assert shop.clean() == Cleaned((), (), 0)
    shop.registry.add(shop.folder / "made/first", origin="imported", by="ana", at=NOW)
    shop.registry.promote(first, at=NOW, **BY)
    assert shop.registry.fetch(shop.registry.model(first), shop.folder / "models").is_dir()


def test_the_one_with_floats_stays_with_the_one_that_was_made_of_it(shop: Shop) -> None:
    shop.add("night")
    small = shop.add("night-int8")
    shop.add("dusk")
    shop.add("dusk-int8")
    shop.registry.promote(small, at=OLD, **BY)
    assert sorted(shop.clean().models) == ["dusk", "dusk-int8"]


def test_what_a_run_began_with_stays_while_the_run_can_be_done_again(shop: Shop) -> None:
    base, other = shop.add("base"), shop.add("other")
    shop.run("a" * 32, base, frames=2)
    shop.run("b" * 32, other, ended=False)  # nobody has gone on with it for so long
    assert shop.clean().models == ("other",)
    forget_pictures(shop.runs, [frame(0).id], at=NOW)
    assert shop.clean().models == ()
    forget_pictures(shop.runs, [frame(1).id], at=NOW)
    assert shop.clean().models == ("base",)


def test_weights_in_folders_of_old_runs_go_and_the_record_stays(shop: Shop) -> None:
    old = shop.run("a" * 32, "0" * 64)
    again = old.parent / "reproduced-1"
    again.mkdir()
    (again / "10-gates.json").write_text("{}")
    os.utime(again / "10-gates.json", (OLD.timestamp(),) * 2)
    young = shop.run("b" * 32, "0" * 64, at=NOW - timedelta(days=89))
    busy = shop.run("c" * 32, "0" * 64, ended=False)
    with (busy / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert shop.clean() == Cleaned((), ("a" * 32,), 1502)
    assert sorted(path.name for path in old.iterdir()) == ["01-plan.json", "lock", "outcome.json", "split"]
    assert not again.exists()
    for run in (young, busy):
        assert (run / "train/model.onnx").is_file()
    assert shop.clean().runs == ("c" * 32,)  # it was killed long ago, and nobody is at it
