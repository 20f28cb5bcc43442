"""What each stage of a retraining does; what survives a crash is the business of `Run`.

The way of a model: plan > collect > labels > split > technique > augment > train > export > evaluate > gates > promote.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import psutil

from footfall import __version__
from footfall.errors import InsufficientLabelsError, TrainingError
from footfall.stores.samples import each_sample
from footfall.vision.detector import (
    load_detector,
    read_card,
    sha256_of,
)
from footfall.vision.labelling import agreement, in_dispute, standing
from footfall.vision.statistics import blockiness, haze, noise_sigma, sharpness
from retrain import baselines, evaluate, export, gates, job, plan, quantise
from retrain.augment import Augmenter, Material, Mixture, sheet
from retrain.collect import collect, picture_file, read_picture
from retrain.examples import differing
from retrain.frames import LabelledFrame, digest_of, frame_as_json, frame_from_json, read_manifest, write_manifest
from retrain.labels import contact_sheet, duplicates, look_at, missing_labels, suspects
from retrain.lineage import Ancestor, judges
from retrain.predictions import CHALLENGER, CHAMPION, Judged, read_predictions, tally, write_predictions
from retrain.run import Run, Stage
from retrain.sampler import Sample
from retrain.split import by_split, decide, piece_of
from retrain.technique import Choice, Situation, choose, domain_auc
from retrain.train import Network, Progress, Schedule, gpu_name, is_ours, teach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from footfall.domain import Detections
    from footfall.stores.blobs import BlobStore
    from footfall.stores.database import Database
    from footfall.stores.samples import SampleStore
    from footfall.vision.detector import YoloDetector
    from retrain.frames import Box
    from retrain.job import Job, Options
    from retrain.run import Artefact

MANIFEST: Final = "manifest.json"
PREDICTIONS: Final = "predictions.jsonl"
_TOLD_PACKAGES: Final = frozenset(
    {
        "torch",
        "torchvision",
        "ultralytics",
        "albumentationsx",
        "onnx",
        "onnxruntime",
        "openvino",
        "numpy",
        "opencv-python",
    }
)
_SURE: Final = 0.4
"""A teacher's find from this confidence on is a label for training."""
_MOST_LOOKED_AT: Final = 2000
_SHEET_FRAMES: Final = 30
_MOST_COMPARED: Final = 100
_USUAL_FPS: Final = 5.0
"""Analyses of a camera a second, for how many fit on a core."""
_WRITTEN_LESS_S: Final = 2.0
_PARITY_PICTURES: Final = 8
_TOLD_AGAIN_S: Final = 30.0
"""Who looks on must be able to tell slow from gone."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """All that stages need of the outside.

    Attributes:
        for_two: frames that are set aside for two people.
        champion: folder of the model in use; base: of the one with floats that it was made of, which learns on.
        ancestors: the model in use and those that it was learned on from, newest first.
        candidates: models that could serve instead, by name, the one in use first.
        teacher: folder of a stronger model; None without one.
        bounds: of the gates.
        promote: takes the folder of a challenger, that of the model with floats it was made of (None: itself), its gate
            report with `examples` of where it differs, and whether it passed; returns the outcome.
        batch: opens a label batch: how many frames are wanted, and ids of frames that could be labelled.
    """

    job: Job
    options: Options
    database: Database
    samples: SampleStore
    blobs: BlobStore
    for_two: frozenset[str]
    champion: Path
    base: Path
    ancestors: Sequence[Ancestor]
    candidates: Mapping[str, Path]
    teacher: Path | None
    bounds: gates.Bounds
    deadline_s: float
    price_per_hour: float | None
    promote: Callable[[Path, Path | None, Mapping[str, Any], bool], Artefact]
    batch: Callable[[int, Sequence[str]], None]


def stages_of(workshop: Workshop, run: Run) -> tuple[Stage, ...]:
    """Return the stages of a retraining, first to last."""
    each = _Stages(workshop, run)
    return (
        Stage("plan", each.plan),
        Stage("collect", each.collect),
        Stage("labels", each.labels),
        Stage("split", each.split),
        Stage("technique", each.technique),
        Stage("augment", each.augment),
        Stage("train", each.train),
        Stage("export", each.export),
        Stage("evaluate", each.evaluate),
        Stage("gates", each.gates),
        Stage("promote", each.promote),
    )


class _Stages:
    def __init__(self, workshop: Workshop, run: Run) -> None:
        self._shop = workshop
        self._run = run

    # What is there

    def plan(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG002
        """Tell what it will take, and take nothing where it cannot end in time."""
        shop = self._shop
        available, unlabelled = count_available(shop)
        if available.missing:  # before anything is spent, time on measuring included
            raise self._too_few(available.missing, unlabelled)
        planned = plan.make_plan(
            shop.base,
            available,
            shop.options,
            self._run.folder,
            deadline_s=shop.deadline_s,
            price_per_hour=shop.price_per_hour,
            has_teacher=shop.teacher is not None,
            candidates=len(shop.candidates),
        )
        if not planned.fits:
            raise TrainingError(
                f"plan: takes {planned.seconds / 3600:.1f} h and {planned.disk_mb:.0f} MB, allowed are "
                f"{planned.deadline_s / 3600:.1f} h and {planned.disk_free_mb:.0f} MB; nothing was spent. Give it more "
                "time (FOOTFALL_RETRAIN_DEADLINE_H) or fewer steps"
            )
        return planned.as_json() | {"job": job.as_json(shop.job, shop.options), "record": record_of(shop)}

    def collect(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG002
        """Fetch labelled frames."""
        shop = self._shop
        found = collect(
            shop.samples,
            shop.blobs,
            shop.job,
            scratch,
            most_old=shop.options.most_old,
            most_unlabelled=shop.options.most_taught,
            drawn=shop.options.drawn if _was_drawn(shop.base) else 0,
            for_two=shop.for_two,
            report=self._telling("collect", "frames looked at", of="part"),
        )
        return {
            "frames": [frame_as_json(each) for each in found.frames],
            "unlabelled": [frame_as_json(each) for each in found.unlabelled],
            "by_reviewer": found.by_reviewer,
            "in_dispute": [frame_as_json(each) for each in found.in_dispute],
            "for_two": found.for_two,
            "unreadable": found.unreadable,
        }

    def labels(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:
        """Look at the labels; below the floor open a batch and end."""
        shop = self._shop
        frames = _frames(done["collect"]["frames"])
        real = [each for each in frames if not each.is_drawn]
        missing = missing_labels(real, least=shop.options.least_frames)
        if missing:
            raise self._too_few(missing, [each["id"] for each in done["collect"]["unlabelled"]])
        pictures = self._run.part("collect")
        looks = [look_at(read_picture(pictures, each)) for each in real]
        twins = duplicates(real, looks)
        gone = {real[later].id for _, later in twins}
        kept = [each for each in frames if each.id not in gone]
        candidates = [each for each in kept if not each.is_drawn][:_MOST_LOOKED_AT]
        # Who learned a wrong label finds it right: only a model that never saw a frame may doubt it.
        line = shop.ancestors if shop.teacher is None else (Ancestor(shop.teacher),)
        # On what is in dispute κ rests too: without it people would seem to agree.
        disputed = _frames(done["collect"].get("in_dispute", ()))  # a run may have begun with an older version
        judge_of = judges([*candidates, *disputed], line)
        looked_at = [each for each in candidates if each.id in judge_of]
        finds = self._finds_by(judge_of, [*looked_at, *(each for each in disputed if each.id in judge_of)])
        doubtful = {each.id: suspects(each, finds[each.id]) for each in looked_at}
        first = sorted(looked_at, key=lambda each: -sum(doubt.doubt for doubt in doubtful[each.id]))[:_SHEET_FRAMES]
        shown = contact_sheet([(read_picture(pictures, each), each.boxes_px, doubtful[each.id]) for each in first])
        cv2.imwrite(str(scratch / "contact-sheet.jpg"), shown)
        return {
            "frames": len(kept),
            "new": sum(each.is_new for each in kept),
            "boxes": sum(len(each.boxes) for each in kept),
            "background_share": _share(sum(not each.boxes for each in real), len(real)),
            "by_source": {
                source: sum(each.labelled_by == source for each in kept)
                for source in ("reviewer", "import", "teacher", "truth")
            },
            "duplicates": [[real[first].id, real[later].id] for first, later in twins],
            "suspects": [asdict(doubt) for each in looked_at for doubt in doubtful[each.id]],
            "judged_by": {
                read_card(judge.folder).name: sum(judge_of[each.id] is judge for each in looked_at) for judge in line
            },
            "not_judged": len(candidates) - len(looked_at),
            "agreement": self._agreement(done["collect"]["by_reviewer"], finds),
            "for_two": _of_two(done["collect"].get("for_two", {}), finds),
            "sheet_frames": [each.id for each in first],
        }

    def _finds_by(self, judge_of: Mapping[str, Ancestor], frames: Sequence[LabelledFrame]) -> dict[str, Detections]:
        """What each frame's own judge finds on it."""
        pictures = self._run.part("collect")
        tell = self._telling("labels", "frames looked at")
        finds: dict[str, Detections] = {}
        for judge in dict.fromkeys(judge_of.values()):  # one model in memory at a time
            detector = load_detector(judge.folder, input_size=self._shop.options.input_size)
            for each in frames:
                if judge_of[each.id] is judge:
                    finds[each.id] = detector.detect([read_picture(pictures, each)])[0]
                    tell(len(finds), len(frames))
        return finds

    def _too_few(self, missing: int, unlabelled: Sequence[str]) -> InsufficientLabelsError:
        """Open a label batch, and return what to say."""
        least = self._shop.options.least_frames
        self._shop.batch(missing, unlabelled[:missing])
        return InsufficientLabelsError(
            f"labelled frames: {least - missing} new ones, expected at least {least}; nothing was trained. A batch of "
            f"{min(missing, len(unlabelled))} frames waits for labels, {max(0, missing - len(unlabelled))} more must "
            "be sampled"
        )

    def _agreement(
        self, by_reviewer: Mapping[str, Mapping[str, Any]], finds: Mapping[str, Detections]
    ) -> list[dict[str, Any]]:
        weak = {name: each.boxes_px for name, each in finds.items()}
        said = {
            reviewer: {name: np.array(boxes, np.float32).reshape(-1, 4) for name, boxes in labelled.items()}
            for reviewer, labelled in by_reviewer.items()
        }
        pairs = itertools.combinations(sorted(said), 2)
        told = [agreement((one, said[one]), (other, said[other]), weak) for one, other in pairs]
        return [asdict(each) for each in told if each.frames]

    def split(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:
        """Decide what trains, chooses and judges; what judged once judges for ever."""
        shop = self._shop
        twins = {later for _, later in done["labels"]["duplicates"]}
        frames = [each for each in _frames(done["collect"]["frames"]) if each.id not in twins]
        frames += self._taught(_frames(done["collect"]["unlabelled"]))
        key = f"retrain_split/{shop.job.site}"
        kept = json.loads(shop.database.setting(key) or "{}")
        decided = decide(frames, site=shop.job.site, kept=kept.get("pieces"))
        parts = by_split(decided.frames)
        test = digest_of(parts["test"])
        used = kept.get("tests", {})
        # By request, so that a stage that is done again after a crash counts once.
        used.setdefault(test, [])
        used[test] = sorted({*used[test], shop.job.request_id})
        shop.database.set_setting(key, json.dumps({"pieces": decided.pieces, "tests": used}))
        digest = write_manifest(scratch / MANIFEST, decided.frames)
        return {
            "digest": digest,
            "stretch": decided.stretch,
            "dropped": decided.dropped,
            "frames": {name: len(members) for name, members in parts.items()},
            "new": {name: sum(each.is_new for each in members) for name, members in parts.items()},
            "test_digest": test,
            "test_used": len(used[test]),
        }

    def _taught(self, unlabelled: Sequence[LabelledFrame]) -> list[LabelledFrame]:
        """New frames with what a teacher says of them, for training only."""
        if self._shop.teacher is None or not unlabelled:
            return []
        pictures = self._run.part("collect")
        teacher = load_detector(self._shop.teacher, input_size=self._shop.options.input_size)
        tell = self._telling("split", "frames that a teacher labels", of="part")
        taught = []
        for number, frame in enumerate(unlabelled, start=1):
            tell(number, len(unlabelled))
            (found,) = teacher.detect([read_picture(pictures, frame)])
            boxes = found.boxes_px[found.scores >= _SURE].round(2).tolist()
            rows = tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in boxes)
            taught.append(dataclasses.replace(frame, boxes=rows, labelled_by="teacher"))
        return taught

    # How to train

    def technique(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG002
        """Choose the technique by data size and likeness."""
        shop = self._shop
        train = by_split(self._manifest())["train"]
        people = [each for each in train if each.labelled_by != "teacher"]
        auc = self._likeness(people, done["split"]["stretch"])
        situation = Situation(
            new_frames=sum(each.is_new for each in people),
            old_frames=sum(not each.is_new for each in people),
            taught_frames=sum(each.labelled_by == "teacher" for each in train),
            auc=auc,
            has_teacher=shop.teacher is not None,
        )
        choice = choose(situation, forced=shop.options.technique, steps=shop.options.steps)
        self._run.say("technique", choice.why)
        return {"situation": asdict(situation), "choice": asdict(choice)}

    def _likeness(self, frames: Sequence[LabelledFrame], stretch: Any) -> float | None:  # noqa: ANN401
        """AUC of telling new from old pictures; drawn ones are never new, and are left out."""
        real = [each for each in frames if not each.is_drawn]
        pictures = self._run.part("collect")
        rows = [_looks_of(read_picture(pictures, each)) for each in real]
        sides: dict[bool, tuple[list[NDArray[np.float64]], list[str]]] = {True: ([], []), False: ([], [])}
        for frame, row in zip(real, rows, strict=True):
            sides[frame.is_new][0].append(row)
            sides[frame.is_new][1].append(piece_of(frame, stretch))
        if not sides[True][0] or not sides[False][0]:
            return None
        auc = domain_auc(np.stack(sides[False][0]), np.stack(sides[True][0]), sides[False][1], sides[True][1])
        return None if auc is None else round(auc, 3)

    def augment(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG002
        """Build the sequence for the cause, measure it, and draw some of it to be looked at."""
        augmenter = Augmenter(self._shop.job.cause, may_mirror=self._shop.options.may_mirror)
        train = by_split(self._manifest())["train"]
        pictures = self._run.part("collect")
        chosen = train[:: max(1, len(train) // 4)][:4]
        samples = []
        for frame in chosen:
            picture = cv2.resize(read_picture(pictures, frame), (320, 180), interpolation=cv2.INTER_AREA)
            scale = np.array([320 / frame.width_px, 180 / frame.height_px] * 2, np.float32)
            samples.append(Sample(np.asarray(picture, np.uint8), frame.boxes_px * scale))
        measured = Sample(read_picture(pictures, train[0]), train[0].boxes_px)
        cv2.imwrite(str(scratch / "samples.jpg"), sheet(augmenter, samples))
        return {
            "steps": {name: {"strength": each[0], "probability": each[1]} for name, each in augmenter.told.items()},
            "order": "random, anew for each picture",
            "mirrored": self._shop.options.may_mirror,
            "cpu_ms": round(augmenter.measured_ms(measured), 2),
            "picture": f"{train[0].width_px}x{train[0].height_px}",
            "sheet_frames": [each.id for each in chosen],
        }

    def train(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:
        """Train on from the model in use."""
        shop = self._shop
        choice = Choice(**done["technique"]["choice"])
        train = by_split(self._manifest())["train"]
        if choice.technique != "distil":
            train = [each for each in train if each.labelled_by != "teacher"]
        pictures = self._run.part("collect")
        material = {
            is_new: [
                Material(picture_file(pictures, each.id), each.boxes_px) for each in train if each.is_new == is_new
            ]
            for is_new in (True, False)
        }
        if not material[True]:
            raise InsufficientLabelsError("labelled frames: no new one is left to train on; nothing was trained")
        mixture = Mixture(
            material[True],
            material[False],
            Augmenter(shop.job.cause, may_mirror=shop.options.may_mirror),
            replay_share=choice.replay_share,
        )
        network = Network.of_model(shop.base, device=shop.options.device)
        curve: list[dict[str, float]] = []
        taught = teach(
            network,
            mixture,
            schedule=Schedule(1.0, choice.steps),
            seed=shop.options.seed,
            report=lambda progress: self._note(curve, progress, choice, mixture),
            pace=plan.pace_of(choice, shop.options),
            report_every_s=_WRITTEN_LESS_S,
        )
        card = read_card(shop.base)
        model = export.export_model(
            network,
            scratch,
            name=self._model_name(),
            description=f"{card.description or card.name}; learned on for: {shop.job.cause}",
            licence=card.licence,
            data_digest=done["split"]["digest"],
            source=f"footfall-retrain run --request {shop.job.request_id}",
            most_bytes=None,
        )
        export.write_model_json(scratch, model.model_copy(update={"threshold": card.threshold, "nms": card.nms}))
        # Before what was trained is gone: what was written answers like it.
        val = by_split(self._manifest())["val"][:_PARITY_PICTURES]
        export.check_parity(
            network, scratch, [read_picture(pictures, each) for each in val], input_size=shop.options.input_size
        )
        return {
            "taught": asdict(taught),
            "curve": curve,
            "base": {"name": card.name, "sha256": card.sha256},
            "sha256": model.sha256,
            # Beside the augmentation's own: where that is more, the processor holds a GPU up.
            "picture_ms": round(taught.seconds * 1000 / max(taught.samples, 1), 2),
            "parameters": network.parameters(),
            "learning_parameters": network.learning_parameters(),
            "new": len(material[True]),
            "old": len(material[False]),
        }

    def _note(self, curve: list[dict[str, float]], progress: Progress, choice: Choice, mixture: Mixture) -> None:
        losses = {name: round(each, 4) for name, each in progress.losses.items()}
        curve.append({"step": progress.step, "loss": round(progress.loss, 4), **losses})
        epoch = mixture.epochs(progress.samples)
        self._run.say(
            "train",
            f"step {progress.step} of {choice.steps}",
            share=round(progress.share, 3),
            step=progress.step,
            steps=choice.steps,
            epoch=round(epoch, 2),
            epochs=round(epoch * choice.steps / progress.step, 2),
            loss=round(progress.loss, 4),
            losses=losses,
        )

    def _serving(self, folder: Path, *, threads: int = 0) -> YoloDetector:
        """The model as the service would run it."""
        options = self._shop.options
        return load_detector(folder, runtime=options.runtime, threads=threads, input_size=options.input_size)

    def _model_name(self) -> str:
        return f"{self._shop.job.cause}-{self._shop.job.request_id[:12]}"

    def export(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG002
        """Choose the threshold on val; try 8 bits, and keep them where they lose little and are faster."""
        shop = self._shop
        parts = by_split(self._manifest())
        pictures = self._run.part("collect")
        val = [(each.boxes_px, read_picture(pictures, each)) for each in parts["val"]]
        truth = [boxes for boxes, _ in val]
        floats = self._run.part("train")
        found = _found_by(self._serving(floats), val)
        champion = _found_by(self._serving(shop.champion), val)
        least = _wanted_precision(parts["val"], champion, shop.bounds)
        threshold, f1 = export.best_threshold(truth, found, least_precision=least)
        told: Artefact = {
            "threshold": threshold,
            "val_f1": round(f1, 4),
            "least_precision": round(least, 4),
            "int8": None,
        }
        export.copy_with_threshold(floats, scratch / "floats", threshold)
        chosen = scratch / "floats"
        if shop.options.with_int8:
            told["int8"], is_better = self._int8(scratch, val, parts["train"], f1, least)
            chosen = scratch / "int8" if is_better else chosen
        export.copy_model(chosen, scratch / "model")
        card = read_card(scratch / "model")
        return told | {
            "artefact": chosen.name,
            "sha256": card.sha256,
            "bytes": (scratch / "model/model.onnx").stat().st_size,
        }

    def _int8(
        self,
        scratch: Path,
        val: Sequence[tuple[NDArray[np.float32], NDArray[np.uint8]]],
        train: Sequence[LabelledFrame],
        f1: float,
        least_precision: float,
    ) -> tuple[Artefact, bool]:
        size = self._shop.options.input_size
        site = [each for each in train if not each.is_drawn]
        if len(site) < quantise.LEAST_PICTURES:
            return {"why_not": f"{len(site)} frames of the site to calibrate with"}, False
        every = max(1, len(site) // quantise.MOST_PICTURES)
        calibration = site[::every][: quantise.MOST_PICTURES]
        pictures = self._run.part("collect")
        shown = [read_picture(pictures, each) for each in calibration]
        truth, few = [boxes for boxes, _ in val], [picture for _, picture in val[:5]]
        floats = self._serving(scratch / "floats", threads=1)
        told: Artefact = {}
        for ends_in_floats in (False, True):
            quantise.write_int8(
                scratch / "floats", scratch / "int8", shown, input_size=size, ends_in_floats=ends_in_floats
            )
            small = self._serving(scratch / "int8", threads=1)
            again, f1_int8 = export.best_threshold(truth, _found_by(small, val), least_precision=least_precision)
            export.write_model_json(scratch / "int8", small.card.model_copy(update={"threshold": again}))
            before, after = evaluate.costs(floats, small, few)
            ratio = float(np.median(after) / np.median(before))
            loses_little = f1 - f1_int8 <= self._shop.bounds.quantised_may_lose
            told = {
                "threshold": again,
                "val_f1": round(f1_int8, 4),
                "time_ratio": round(ratio, 3),
                "ends_in_floats": ends_in_floats,
                "calibration_digest": digest_of(calibration),
                "calibration_frames": len(calibration),
                "is_used": loses_little and ratio < self._shop.options.int8_time_ratio,
            }
            if loses_little:  # with fewer 8 bits it would only be slower
                break
        return told, bool(told["is_used"])

    # What came of it

    def evaluate(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:
        """Ask both models on the test as serving would, on worsened frames too, and count clips."""
        shop = self._shop
        parts = by_split(self._manifest())
        test = parts["test"] + (parts["sealed"] if shop.options.open_seal else [])
        pictures = self._run.part("collect")
        quantised = self._quantised(done["export"], test)
        fell_back = quantised is not None and gates.loses_too_much(quantised, shop.bounds)
        if fell_back:
            self._run.say("evaluate", "8 bits lose too much on the test; the artefact with floats goes on")
        challenger = self._run.part("export") / ("floats" if fell_back else "model")
        models = {CHAMPION: self._serving(shop.champion), CHALLENGER: self._serving(challenger)}
        every = self._telling("evaluate", "frames of the test", of="part")
        judged = evaluate.predictions(models, test, pictures, report=every)
        write_predictions(scratch / PREDICTIONS, judged)
        spread = _spread(test, shop.options.stress_frames)
        stressed = evaluate.stress(
            models, spread, pictures, report=self._telling("evaluate", "ways to worsen", of="part")
        )
        single = [self._serving(folder, threads=1) for folder in (shop.champion, challenger)]
        champion_ms, challenger_ms = evaluate.costs(
            single[0], single[1], [read_picture(pictures, each) for each in test[:5]]
        )
        clips = evaluate.counted_clips(
            shop.samples,
            shop.blobs,
            shop.job.cameras,
            models,
            report=self._telling("evaluate", "clips counted", of="part"),
        )
        return {
            "figures": evaluate.figures(judged),
            "stress": [asdict(each) for each in stressed],
            "clips": [asdict(each) for each in clips],
            "champion_ms": champion_ms,
            "challenger_ms": challenger_ms,
            "quantised": quantised,
            "fell_back": fell_back,
            "baselines": self._baselines(challenger, parts["val"], test, scratch),
            "opened_seal": shop.options.open_seal,
            "runtimes": {name: model.runtime for name, model in models.items()},
        }

    def _baselines(
        self, challenger: Path, val: Sequence[LabelledFrame], test: Sequence[LabelledFrame], scratch: Path
    ) -> list[dict[str, Any]]:
        """Compare with every other model at hand: perhaps nothing need have been trained. Empty without another one."""
        shop = self._shop
        if len(shop.candidates) < 2:
            return []
        self._run.say("evaluate", f"compared with {', '.join(shop.candidates)}")
        try:
            found = baselines.compare(
                {**shop.candidates, read_card(challenger).name: challenger},
                _spread(val, _MOST_COMPARED),
                _spread(test, _MOST_COMPARED),
                self._run.part("collect"),
                input_size=shop.options.input_size,
                fps=_USUAL_FPS,
                report=lambda line: self._run.say("evaluate", line),
            )
        except Exception as error:  # noqa: BLE001  whatever somebody has imported, it must not end this run
            self._run.say("evaluate", f"models at hand were not compared: {str(error)[:200]}")
            return []
        frames = min(len(test), _MOST_COMPARED)
        baselines.write(found, scratch, frames=frames, input_size=shop.options.input_size, fps=_USUAL_FPS)
        return [asdict(each) for each in found]

    def _quantised(self, exported: Artefact, test: Sequence[LabelledFrame]) -> tuple[float, float] | None:
        if exported["artefact"] != "int8":
            return None
        pictures = self._run.part("collect")
        pairs = [(each.boxes_px, read_picture(pictures, each)) for each in test]
        truth = [boxes for boxes, _ in pairs]
        scores = []
        for kind in ("floats", "int8"):
            detector = self._serving(self._run.part("export") / kind)
            found = _found_by(detector, pairs)
            scores.append(round(evaluate.f1_at_threshold(truth, found, detector.version.threshold), 4))
        return scores[0], scores[1]

    def gates(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG002
        """Judge by what was saved."""
        told = done["evaluate"]
        evidence = gates.Evidence(
            judged=read_predictions(self._run.part("evaluate") / PREDICTIONS),
            stress=[gates.Stress(**each) for each in told["stress"]],
            clips=[
                gates.CountedClip(
                    each["clip_id"],
                    each["line"],
                    *((int(each[name][0]), int(each[name][1])) for name in ("truth", "champion", "challenger")),
                )
                for each in told["clips"]
            ],
            champion_ms=told["champion_ms"],
            challenger_ms=told["challenger_ms"],
            quantised=None if told["quantised"] is None else (told["quantised"][0], told["quantised"][1]),
            fell_back=told.get("fell_back", False),  # a run may have begun with an older version
        )
        found = gates.judge(evidence, self._shop.bounds)
        for gate in found:
            word = {True: "passes", False: "FAILS", None: "not measured"}[gate.passed]
            self._run.say("gates", f"{gate.name} {word}: {gate.detail}")
        return gates.gates_as_json(found, self._shop.bounds)

    def promote(self, done: Mapping[str, Artefact], scratch: Path) -> Artefact:  # noqa: ARG002
        """Hand the challenger over, or refuse it."""
        report = dict(done["gates"])
        report |= {
            "figures": done["evaluate"]["figures"],
            "stress": done["evaluate"]["stress"],
            "technique": done["technique"],
            "data": {"digest": done["split"]["digest"], "test_digest": done["split"]["test_digest"]},
            "champion": done["plan"]["record"]["champion"],
            "baselines": done["evaluate"].get("baselines", []),
            "training": done["train"]["taught"] | {"curve": done["train"]["curve"]},
            "examples": self._examples(),
        }
        exported = self._run.part("export")
        has_8_bits = done["export"]["artefact"] == "int8" and not done["evaluate"].get("fell_back")
        challenger, floats = ("model", exported / "floats") if has_8_bits else ("floats", None)
        return self._shop.promote(exported / challenger, floats, report, bool(report["promote"]))

    def _examples(self) -> list[dict[str, Any]]:
        judged = read_predictions(self._run.part("evaluate") / PREDICTIONS)
        return differing(judged, known={each.id for each in self._manifest()})

    def _manifest(self) -> tuple[LabelledFrame, ...]:
        return read_manifest(self._run.part("split") / MANIFEST)

    def _telling(self, stage: str, what: str, *, of: str = "share") -> Callable[[int, int], None]:
        """Tell now and then how far something is; `of`: `share` where that is the whole stage, else `part`."""
        told, told_s = 0, time.monotonic()

        def tell(number: int, total: int) -> None:
            nonlocal told, told_s
            tenth = number * 10 // max(total, 1)
            if tenth > told or time.monotonic() - told_s > _TOLD_AGAIN_S:
                told, told_s = tenth, time.monotonic()
                self._run.say(stage, f"{number} of {total} {what}", **{of: round(number / total, 3)})

        return tell


def count_available(shop: Workshop) -> tuple[plan.Available, list[str]]:
    """Count labels in the records, and name new frames without any; fetches no picture."""
    frames = [each for each in each_sample(shop.samples, unit="frame") if each.picture_deleted_at is None]
    labels = [each for each in shop.samples.labels([each.id for each in frames]) if "boxes" in each.content]
    disputed = in_dispute(labels, shop.for_two)
    labelled = {label.sample_id for label in labels} - disputed
    new = [each for each in frames if shop.job.is_new(each.camera_id, each.taken_at)]
    unlabelled = [each.id for each in new if each.id not in labelled | disputed]
    known = sum(each.id in labelled for each in new)
    old = sum(each.id in labelled for each in frames) - known
    missing = max(0, shop.options.least_frames - known)
    return plan.Available(known, old, len(unlabelled), missing), unlabelled


def _frames(content: Sequence[dict[str, Any]]) -> list[LabelledFrame]:
    return [frame_from_json(each) for each in content if not each.get("deleted_at")]


def _found_by(
    detector: YoloDetector, pairs: Sequence[tuple[NDArray[np.float32], NDArray[np.uint8]]]
) -> list[Detections]:
    return [detector.detect([picture])[0] for _, picture in pairs]


def _wanted_precision(frames: Sequence[LabelledFrame], champion: Sequence[Detections], bounds: gates.Bounds) -> float:
    """What G2 will ask for."""
    judged = [
        Judged(each.id, each.camera_id, each.taken_at, each.is_new, each.boxes_px, {CHAMPION: found})
        for each, found in zip(frames, champion, strict=True)
    ]
    return gates.wanted_precision(tally(judged, CHAMPION), np.array([each.is_new for each in judged], bool), bounds)


def _of_two(said: Mapping[str, Sequence[Sequence[Box]]], finds: Mapping[str, Detections]) -> dict[str, Any]:
    """How far the frames are that were set aside for two people, and how the first two who labelled each agree."""
    marks = {
        name: [np.array(boxes, np.float32).reshape(-1, 4) for boxes in each] for name, each in sorted(said.items())
    }
    states = {name: standing(each) for name, each in marks.items()}
    both = {name: each for name, each in marks.items() if len(each) > 1}
    told = agreement(
        ("first", {name: each[0] for name, each in both.items()}),
        ("second", {name: each[1] for name, each in both.items()}),
        {name: each.boxes_px for name, each in finds.items()},
    )
    return {
        "labelled": len(marks),
        "by_two": told.frames,
        "kappa": told.kappa,
        "f1": told.f1,
        "settled_by_a_third": sum(len(each) > 2 for each in marks.values()),
        "left_out": [name for name, state in states.items() if state == "third"],
    }


def _spread(frames: Sequence[LabelledFrame], count: int) -> list[LabelledFrame]:
    """At most `count` frames, evenly over the list."""
    if not count:
        return []
    return list(frames[:: max(1, -(-len(frames) // count))])


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _was_drawn(champion: Path) -> bool:
    """Whether the model in use began on drawn scenes: then they are what it must not forget."""
    return is_ours(champion)


def _looks_of(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What a picture looks like, whoever is on it: light, contrast, colour, sharpness, noise, blocks, haze."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    contrast = float(grey.std())
    saturation = float(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[:, :, 1].mean())
    return np.array(
        [
            float(grey.mean()),
            contrast,
            saturation,
            sharpness(grey, contrast),
            noise_sigma(grey),
            blockiness(grey),
            haze(picture),
        ]
    )


def record_of(shop: Workshop) -> dict[str, Any]:
    """What it takes to do the same again; data, arguments and figures are in the artefacts beside it."""
    installed = sorted({f"{each.metadata['Name']}=={each.version}".lower() for each in distributions()})
    return {
        "footfall": __version__,
        "code": code_digest(),
        "packages": [each for each in installed if each.partition("==")[0] in _TOLD_PACKAGES],
        "packages_digest": hashlib.sha256("\n".join(installed).encode()).hexdigest(),
        "python": platform.python_version(),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": psutil.cpu_count(logical=True),
            "memory_mb": psutil.virtual_memory().total // 1_000_000,
            "gpu": gpu_name(),
        },
        "champion": sha256_of(shop.champion / "model.onnx"),
        "teacher": None if shop.teacher is None else sha256_of(shop.teacher / "model.onnx"),
    }


def code_digest() -> str:
    """Digest of the sources that make a model, library and retraining, whatever version they call themselves."""
    root = Path(__file__).parents[1]
    files = sorted(path for package in ("footfall", "retrain") for path in (root / package).rglob("*.py"))
    told = hashlib.sha256()
    for path in files:
        told.update(f"{path.relative_to(root).as_posix()} {sha256_of(path)}\n".encode())
    return told.hexdigest()
