"""Shows the whole loop on a drawn site: fog comes, is named, learned, tried out and in service; bad models are stopped.

    make demo-loop

Nobody touches it, and every part is the real one: `footfall up` with its monitor, which notices the fog, draws frames
for labels, asks for a retraining and lets the launcher `process` run `footfall-retrain run`; what passes its gates is a
canary first and champion by the monitor's word. Only the people are scripted: a reviewer who labels by the scene's
truth, an intern who marks heads only and has a model made of that, and somebody who forces that one into service,
whatever its gates said. The monitor takes it back by what the reviewer finds on audited frames.

An hour is 24 seconds here, and the cameras' earlier days were played to the real sampler before the programs start.
Ends with a table of what was measured, on pictures that nobody trained on; the exit status is 1, with what did not
come true, unless all of it did. Takes less than 20 minutes on two cores.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import sys
import tempfile
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from demo_site import WINDOWS, Reviewer, Story, clear_scene, footfall_up, seen_boxes

from footfall.domain import Camera, Frame, Sampling
from footfall.simulation import Degradation
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.registry import Registry
from footfall.stores.samples import SampleStore
from footfall.vision.analysis import CameraAnalyser
from footfall.vision.detector import load_detector
from footfall.vision.evaluation import detection_scores
from footfall.vision.models import EMBEDDED_FOLDER
from footfall.vision.simulator import Simulator
from retrain.frames import read_manifest
from service.metrics import Metrics
from service.sampling import Sampler

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from demo_site import Api
    from numpy.typing import NDArray

    from footfall.vision.detector import Detector

MOST_S = float(os.environ.get("DEMO_SECONDS", "1200"))
FOG_AT_S = 185
"""Six windows are a first day; the seventh is judged before the fog comes."""
FOG = 4
INPUT_PX = 320
STEPS = 300
FPS = 3
PLACES = {
    "entrance": ("mall", 335),
    "gate": ("mall", 341),
    "passage": ("corridor", 332),
    "arcade": ("corridor", 338),
    "square": ("plaza", 336),
    "court": ("plaza", 342),
}
"""Camera → scene and seed; of none of these the embedded detector has seen anything."""
LIVE_FROM_S, HELD_FROM_S = 900, 650
"""Where in their scenes the cameras are when they start, and what nobody trains on begins; earlier days begin at 0."""
CAMERAS = {
    name: f"sim:{scene}?people=8&seed={seed}&start={LIVE_FROM_S}&fps={FPS}&size=480x270&fog={FOG}&at={FOG_AT_S}&ramp=5"
    for name, (scene, seed) in PLACES.items()
}
DAYS, HOURS, SHOWN_AN_HOUR, APART_S = 5, range(9, 17), 3, 2.5
"""Of the earlier days: from each of these hours two frames of three are kept, as the sampler draws."""
HELD_FRAMES, HELD_APART_S = 20, 10.0
SETTINGS = WINDOWS | {
    "STATISTICS_INTERVAL_S": 0.3,
    "STATISTICS_KEPT_S": 0.3,
    "INPUT_SIZE": INPUT_PX,
    "MODELS_INTERVAL_S": 1,
    "SHADOW_INTERVAL_S": 0,
    "SAMPLES_PERIOD_S": 10,  # an hour
    "QUALITY_WINDOW_DAYS": 0.05,  # four weeks
    "DRIFT_BATCH_H": 0.06,  # a day
    "DRIFT_BATCH_FRAMES": 200,
    "DRIFT_LEAST_LABELS": 300,
    "RETRAIN_COMMAND": f"{sys.executable} -m retrain run --device cpu --no-int8 --steps {STEPS} "
    "--drawn 40 --stress-frames 6",
    "RETRAIN_MAY_LOSE": 0.02,  # the usual half a point needs more labelled old frames than these few
    "RETRAIN_CANARY_SHARE": 0.15,
    "CANARY_H": 0.01,  # some days
    "TRIAL_H": 1,
}
KNOWN_S = 45
LEAST_FALL, LEAST_REGAINED, MOST_LOST = 0.10, 0.70, 0.01
HEAD = 0.35
"""Of a person's height; such a box overlaps the person's too little to be right."""
INTERN, HURRIED = "intern", "somebody in a hurry"


# Before the programs start


def play_earlier_days(data: Path) -> dict[tuple[str, datetime], list[list[float]]]:
    """Play a few hours of earlier days to the real detector and sampler, into the site's own stores.

    Returns:
        (camera, moment) → boxes of everybody who was to be seen.
    """
    database = Database(f"sqlite:///{data / 'footfall.db'}")
    database.migrate()
    detector = load_detector(EMBEDDED_FOLDER, input_size=INPUT_PX, threads=1)
    sampler = Sampler(
        SampleStore(database),
        BlobStore(str(data / "blobs")),
        Metrics(),
        model=lambda _: detector.version.sha256[:12],
        rng=random.Random(1),
    )
    sampler.start()
    leave = Sampling("audit", tracks_per_day=0, frames_per_day=48, targeted_per_day=0, clips_per_day=0)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    truth = {}
    for name, url in CAMERAS.items():
        camera = Camera(name, url, sampling=leave)
        analyser = CameraAnalyser(camera, run_id="earlier")
        shown = Simulator(dataclasses.replace(clear_scene(url), start_s=0.0, fps=1 / APART_S)).frames()
        hours = itertools.product(range(DAYS, 0, -1), HOURS, range(SHOWN_AN_HOUR))
        for number, ((day, hour, place), each) in enumerate(zip(hours, shown, strict=False)):
            at = midnight - timedelta(days=day) + timedelta(hours=hour, seconds=place * APART_S)
            truth[name, at] = seen_boxes(each.people)
            frame = Frame(name, number, each.picture, at, each.at_s)
            sampler.observe(camera, analyser.update(frame, detector.detect([each.picture])[0]))
        sampler.forget(name)
    if not sampler.stop(60):
        raise SystemExit("demo-loop: the earlier days could not be written; the disk may be full or slow")
    database.close()
    return truth


@dataclass(frozen=True, slots=True)
class Scores:
    """How right a model is on held-out pictures, at its own threshold."""

    precision: float
    recall: float


class HeldOut:
    """Pictures of the same cameras at other times, clear and in fog, on which everything is measured."""

    def __init__(self) -> None:
        fog = (Degradation("fog", FOG),)
        self.clear, self.fog = self._shown(()), self._shown(fog)

    def of(self, detector: Detector) -> tuple[Scores, Scores]:
        """Return how right a model is, clear and in fog."""
        return self._scores(detector, self.clear), self._scores(detector, self.fog)

    @staticmethod
    def _shown(wrong: tuple[Degradation, ...]) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        found: list[tuple[NDArray[np.uint8], NDArray[np.float32]]] = []
        for url in CAMERAS.values():
            scene = dataclasses.replace(
                clear_scene(url), start_s=float(HELD_FROM_S), fps=1 / HELD_APART_S, degradations=wrong
            )
            found += [
                (each.picture, np.array(seen_boxes(each.people), np.float32).reshape(-1, 4))
                for each in itertools.islice(Simulator(scene).frames(), HELD_FRAMES)
            ]
        return found

    @staticmethod
    def _scores(detector: Detector, shown: list[tuple[NDArray[np.uint8], NDArray[np.float32]]]) -> Scores:
        finds = [detector.detect([picture])[0] for picture, _ in shown]
        scores = detection_scores([boxes for _, boxes in shown], finds, threshold=detector.version.threshold)
        return Scores(scores["precision"] or 0.0, scores["recall"] or 0.0)


# What happens


class BrokenStoryError(Exception):
    """Something did not come true; says what."""


class Loop:
    """Looks on, and plays the people.

    Args:
        data: the programs' folder, from which models are read to be measured.
    """

    def __init__(self, api: Api, process: subprocess.Popen[bytes], data: Path, reviewer: Reviewer) -> None:
        self.story = Story()
        self.api = api
        self._process = process
        self._data = data
        self._reviewer = reviewer
        self._labelled = {"targeted": 0, "random": 0}
        self._retrains: dict[str, str] = {}
        self._stages: dict[str, str] = {}
        self._changes = 0

    def wait(self, what: str, is_true: Callable[[], object]) -> None:
        """Look on, label and tell until something has come true.

        Raises:
            BrokenStoryError: it did not in time.
        """
        while self.story.now_s < MOST_S:
            if self._process.poll() is not None:
                raise BrokenStoryError(f"{what}: Footfall ended by itself")
            try:
                self._look()
                if is_true():
                    return
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if self.story.judged:
                    self.story.tell(f"no answer: {error}")
            time.sleep(1.5)
        raise BrokenStoryError(f"{what}: not within {MOST_S:.0f} s")

    def _look(self) -> None:
        self.story.tell_drift(self.api)
        for queue in ("targeted", "random"):
            before = self._labelled[queue]
            self._labelled[queue] += self._reviewer.label_all(queue)
            if self._labelled[queue] // 100 > before // 100:
                kind = "drawn for training" if queue == "targeted" else "drawn at random"
                self.story.tell(f"{self._labelled[queue]} frames {kind} were labelled")
        for each in reversed(self.retrains()):
            state = each["outcome"] or each["state"]
            if self._retrains.get(each["id"]) != state:
                self._retrains[each["id"]] = state
                about = each["note"] if each["outcome"] else f"asked for by {each['asked_by']}: {each['reason']}"
                self.story.tell(f"RETRAINING {each['id'][:8]} {state}; {about}")
            if each["progress"] and (stage := each["progress"]["stage"]) != self._stages.get(each["id"]):
                self._stages[each["id"]] = stage
                self.story.tell(f"RETRAINING {each['id'][:8]} is at: {stage}")
        models = self.models()
        names = {each["sha256"]: each["name"] for each in models["models"]}
        for change in reversed(models["log"]):
            if change["number"] > self._changes:
                self._changes = change["number"]
                who = names.get(change["model"] or "", "nobody")
                on = f" on {', '.join(change['canaries'])}" if change["action"] == "canary" else ""
                self.story.tell(f"MODELS {change['action']}: {who}{on}, by {change['actor']}: {change['why']}")

    def retrains(self) -> list[dict[str, Any]]:
        """Requests for a retraining, newest first."""
        found: list[dict[str, Any]] = self.api.get("/api/v1/retrains")
        return found

    def models(self) -> dict[str, Any]:
        """The registry."""
        found: dict[str, Any] = self.api.get("/api/v1/models")
        return found

    def made_by(self, retrain: str) -> str:
        """Digest of the model that a retraining made."""
        return str(next(each["sha256"] for each in self.models()["models"] if each["run"] == retrain))

    def ended(self, retrain: str) -> bool:
        """Whether a retraining is over."""
        return any(each["id"] == retrain and each["state"] == "ended" for each in self.retrains())

    def detector(self, sha256: str) -> Detector:
        """A registered model, as serving loads it."""
        database = Database(f"sqlite:///{self._data / 'footfall.db'}")
        try:
            registry = Registry(database, BlobStore(str(self._data / "blobs")))
            folder = registry.fetch(registry.model(sha256), self._data / "models", also=(EMBEDDED_FOLDER,))
        finally:
            database.close()
        return load_detector(folder, input_size=INPUT_PX, threads=1)

    def mislabel(self, retrain: str) -> str:
        """Mark the heads alone on all that was labelled, and have that learned; returns the request.

        Frames that judged in that retraining keep their labels: where all labels are wrong, no gate can know. (Half of
        the frames with heads, or frames on which nobody is marked, poison little: what is right is learned beside it.)
        """
        manifest = read_manifest(self._data / "retrains" / retrain / "run" / "split" / "manifest.json")
        judging = {each.id for each in manifest if each.split != "train"}
        wrong = []
        for queue in self._labelled:
            frames = self.api.get("/api/v1/review/next", reviewer=INTERN, unit="frame", queue=queue, limit=1000)
            for frame in frames:
                people = self._reviewer.known(frame)
                if frame["id"] not in judging and people is not None:
                    boxes = [[x0, y0, x1, y0 + HEAD * (y1 - y0)] for x0, y0, x1, y1 in people]
                    wrong.append({"sample": frame["id"], "reviewer": INTERN, "boxes": boxes})
        with ThreadPoolExecutor(4) as hands:
            list(hands.map(lambda label: self.api.post("/api/v1/review/labels", label), wrong))
        self.story.tell(f"an intern marks on {len(wrong)} frames heads instead of people, and has it learned")
        asked = self.api.post(
            "/api/v1/retrains",
            {
                "reason": "the intern labelled everything anew",
                "asked_by": INTERN,
                "cause": "fog",
                "cameras": sorted(CAMERAS),
                "force": True,
            },
        )
        return str(asked["id"])

    def force(self, sha256: str) -> None:
        """Promote a model that its gates have rejected."""
        wanted = {"model": sha256, "by": HURRIED, "why": "the gates are too strict", "force": True}
        self.api.post("/api/v1/models/promote", wanted)


@dataclass
class Measured:
    """What was measured on held-out pictures: model → how right it is, clear and in fog."""

    scores: dict[str, tuple[Scores, Scores]] = field(default_factory=dict)
    at_s: dict[str, float] = field(default_factory=dict)

    def table(self) -> str:
        """Return the table for people."""
        lines = [f"  {'model':34} {'recall clear':>13} {'in fog':>7} {'precision clear':>16} {'in fog':>7}"]
        for name, (clear, fog) in self.scores.items():
            lines.append(
                f"  {name:34} {clear.recall:13.3f} {fog.recall:7.3f} {clear.precision:16.3f} {fog.precision:7.3f}"
            )
        return "\n".join(lines)


BEFORE, LEARNED, POISONED = (
    "champion before (embedded)",
    "learned on, champion at the end",
    "of wrong labels, rejected",
)


def play(loop: Loop, held: HeldOut, measured: Measured) -> None:
    """Let it all happen, in order.

    Raises:
        BrokenStoryError: a part of it did not come true.
    """
    story, at_s = loop.story, measured.at_s

    def happened(what: str) -> None:
        at_s[what] = story.now_s

    measured.scores[BEFORE] = held.of(load_detector(EMBEDDED_FOLDER, input_size=INPUT_PX, threads=1))
    loop.wait("fog is named", lambda: "fog" in story.causes.values())
    happened("fog named")
    loop.wait("a retraining is asked for", loop.retrains)
    first = loop.retrains()[0]["id"]
    happened("retraining asked for")
    loop.wait("the retraining ends", lambda: loop.ended(first))
    happened("retraining ended")
    told = next(each for each in loop.retrains() if each["id"] == first)
    if told["outcome"] not in {"promoted", "rejected"}:
        raise BrokenStoryError(f"the retraining makes a model: {told['outcome']}, {told['note']}")
    learned = loop.made_by(first)
    measured.scores[LEARNED] = held.of(loop.detector(learned))
    if told["outcome"] != "promoted":
        raise BrokenStoryError(f"the retrained model passes its gates: {told['note']}")
    if (told["asked_by"], told["cause"]) != ("drift policy", "fog"):
        raise BrokenStoryError(f"the monitor asks because of fog: {told['asked_by']} asked because of {told['cause']}")
    if loop.models()["challenger"] != learned:
        raise BrokenStoryError("the retrained model is tried out first: it is no challenger")
    poisoned = loop.mislabel(first)
    loop.wait("the canary becomes champion", lambda: loop.models()["champion"] == learned)
    happened("champion after its canary")
    loop.wait("the poisoned retraining ends", lambda: loop.ended(poisoned))
    happened("poisoned model judged")
    told = next(each for each in loop.retrains() if each["id"] == poisoned)
    if told["outcome"] != "rejected":
        raise BrokenStoryError(f"the poisoned model is rejected: {told['outcome']}, {told['note']}")
    bad = loop.made_by(poisoned)
    measured.scores[POISONED] = held.of(loop.detector(bad))
    # Somebody must know the champion for a while, to see that the next one is worse.
    known_from_s = at_s["champion after its canary"] + KNOWN_S
    loop.wait("the champion is known", lambda: story.now_s >= known_from_s)
    loop.force(bad)
    happened("bad model forced into service")
    loop.wait("the forced model serves", lambda: loop.models()["running"]["champion"] == bad)
    loop.wait("the forced model is taken back", lambda: loop.models()["champion"] == learned)
    happened("bad model taken back")
    newest = loop.models()["log"][0]
    if (newest["action"], newest["actor"]) != ("rolled_back", "monitor"):
        raise BrokenStoryError(f"the monitor takes it back: {newest['actor']} did ({newest['action']})")
    loop.wait("the good model serves again", lambda: loop.models()["running"]["champion"] == learned)


def judge(measured: Measured) -> list[tuple[bool, str]]:
    """Return what was promised of the figures: whether it is so, and how much."""
    clear, fog = measured.scores[BEFORE]
    clear_after, fog_after = measured.scores[LEARNED]
    fall = clear.recall - fog.recall
    regained = (fog_after.recall - fog.recall) / fall if fall > 0 else 0.0
    lost = clear.recall - clear_after.recall
    return [
        (fall >= LEAST_FALL, f"fog costs {100 * fall:.1f} points of recall (at least {100 * LEAST_FALL:.0f})"),
        (regained >= LEAST_REGAINED, f"{regained:.0%} of it are regained (at least {LEAST_REGAINED:.0%})"),
        (lost <= MOST_LOST, f"clear pictures lose {100 * lost:.1f} points of recall (at most {100 * MOST_LOST:.0f})"),
    ]


def main() -> int:
    """Run the demo; 0 when everything came true."""
    with tempfile.TemporaryDirectory(prefix="footfall-loop-", ignore_cleanup_errors=True) as scratch:
        folder, measured = Path(scratch), Measured()
        (folder / "data").mkdir()
        started = time.monotonic()
        past = play_earlier_days(folder / "data")
        held = HeldOut()
        print(
            f"{len(past)} frames of {DAYS} earlier days were played in {time.monotonic() - started:.0f} s", flush=True
        )
        with footfall_up(folder, site(), SETTINGS) as (api, process):
            loop = Loop(api, process, folder / "data", Reviewer(api, CAMERAS, past))
            loop.story.begin_s = started
            loop.story.tell(f"{len(CAMERAS)} drawn cameras; fog comes {FOG_AT_S} s from now. Page: {api.url}/models")
            trouble = []
            try:
                play(loop, held, measured)
            except (BrokenStoryError, urllib.error.URLError) as error:
                trouble.append(str(error))
        return tell_end(measured, trouble, time.monotonic() - started)


def site() -> dict[str, Any]:
    """Return the site file's content."""
    leave = {
        "purpose": "to show how a site learns",
        "tracks_per_day": 0,
        "frames_per_day": 86400 // SETTINGS["SAMPLES_PERIOD_S"],
        "targeted_per_day": 0,
        "clips_per_day": 0,
        "retention_h": 24 * 30,
    }
    return {
        "site": "demo",
        "cameras": [
            {
                "id": name,
                "url": url,
                "target_fps": FPS,
                "lines": [{"name": "door", "start": [0.1, 0.6], "end": [0.9, 0.6]}],
                "sampling": leave,
            }
            for name, url in CAMERAS.items()
        ],
    }


def tell_end(measured: Measured, trouble: list[str], seconds: float) -> int:
    """Print the closing table; returns the exit status."""
    print("\nwhen:")
    for what, at_s in measured.at_s.items():
        print(f"  {what:34} {at_s:6.0f} s")
    print(f"\nmeasured on {HELD_FRAMES} pictures of each camera, at times that nobody trained on, IoU 0.5:")
    print(measured.table())
    if {BEFORE, LEARNED} <= measured.scores.keys():
        for is_true, text in judge(measured):
            print(f"  {'true ' if is_true else 'FALSE'} {text}")
            if not is_true:
                trouble.append(text)
    for text in trouble:
        print(f"\ndid not come true: {text}")
    print(f"\n{'everything came true' if not trouble else 'the loop did not close'}; {seconds:.0f} s")
    return 1 if trouble else 0


if __name__ == "__main__":
    raise SystemExit(main())
