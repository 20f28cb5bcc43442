"""A reviewer who knows the truth of a film: judges what the real sampler draws of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from footfall.domain import Camera, Detections, Frame, Sample, SampleLabel, Tracks
from footfall.stores.samples import SampleStore
from footfall.vision.analysis import Analysis, CameraAnalyser
from footfall.vision.boxes import pairwise_iou
from footfall.vision.detector import Detector
from footfall.vision.evaluation import FilmedTruth
from footfall.vision.footage import Footage
from footfall.vision.privacy import pixelate_heads
from service.sampling import Sampler

MOSTLY = 0.8
"""Of the moments in which somebody was followed: in so many the box must be around one and the same person."""


@dataclasses.dataclass(slots=True)
class Followed:
    """What the system made of somebody, and whom the truth has there."""

    scores: list[float]
    times_s: list[float]
    people: list[int | None]

    @property
    def is_right(self) -> bool:
        known = [person for person in self.people if person is not None]
        return bool(known) and max(map(known.count, known)) >= MOSTLY * len(self.people)

    @property
    def key(self) -> tuple[float, float]:
        """How its sample's detail tells of it."""
        return round(float(np.mean(self.scores)), 4), round(self.times_s[-1] - self.times_s[0], 2)


class Screening:
    """A film that is shown again and again to the sampler, each time in an hour of its own, at the rate that is asked.

    The detector sees each frame once; tracking, counting and sampling are done each time.

    Args:
        thinned: only every so many-th frame of the film is there.
    """

    def __init__(self, truth: FilmedTruth, detector: Detector, *, thinned: int = 1) -> None:
        self.truth = truth
        with Footage(truth.video) as film:
            frames = list(film.frames())
        self.seconds = len(frames) / truth.fps
        self._found = [(frame, detector.detect([frame.picture])[0]) for frame in frames[::thinned]]
        self._sequences = {frame.sequence: found for frame, found in self._found}
        self.followed: list[tuple[datetime, Followed]] = []
        """Everybody who was followed in all showings, with the hour."""
        self.frames: dict[datetime, int] = {}
        """Number in the film of the frame that was analysed at a time."""
        self.crossings: dict[tuple[datetime, str], list[Any]] = {}
        """Beginning of the showing and line → what was counted."""

    def show(self, sampler: Sampler, camera: Camera, begin_at: datetime, *, every: int) -> None:
        """Show every so many-th frame, then an empty picture until everybody is gone and everything is certain."""
        analyser = CameraAnalyser(camera, run_id=begin_at.isoformat())
        people: dict[int, Followed] = {}
        for frame, detections in self._frames(every):
            at = begin_at + timedelta(seconds=frame.received_s)
            analysis = analyser.update(dataclasses.replace(frame, received_at=at), detections)
            sampler.observe(camera, analysis)
            self.frames[at] = frame.sequence
            self._note(people, analysis)
            for crossing in analysis.crossings:
                self.crossings.setdefault((begin_at, crossing.line), []).append(crossing)
        self.followed += [(begin_at.replace(minute=0, second=0, microsecond=0), each) for each in people.values()]
        sampler.forget(camera.id)

    def _frames(self, every: int) -> Iterator[tuple[Frame, Detections]]:
        yield from self._found[::every]
        last, nothing = self._found[-1][0], np.empty((0, 4), np.float32)
        for number in range(1, 80):
            at_s = self.seconds + number / 4
            empty = np.full_like(last.picture, 127)
            yield (
                Frame(last.camera_id, last.sequence + 1 + number, empty, last.received_at, at_s),
                Detections(nothing, np.empty(0, np.float32), self._found[0][1].threshold),
            )

    def _note(self, people: dict[int, Followed], analysis: Analysis) -> None:
        ids, boxes = self.truth.boxes_at(analysis.frame.sequence)
        tracks: Tracks = analysis.tracks
        overlap = pairwise_iou(tracks.boxes_px, boxes)
        for index, person_id in enumerate(tracks.ids.tolist()):
            person = people.setdefault(person_id, Followed([], [], []))
            person.scores.append(float(tracks.scores[index]))
            person.times_s.append(analysis.frame.received_s)
            best = int(overlap[index].argmax()) if len(boxes) else 0
            person.people.append(int(ids[best]) if len(boxes) and overlap[index, best] >= 0.5 else None)

    def found_of_people(self) -> tuple[int, int]:
        """How many of all people in all analysed frames were found at the threshold, and how many there were."""
        matched = people = 0
        for number in self.frames.values():
            boxes = self.truth.boxes_at(number)[1]
            people += len(boxes)
            if number in self._sequences and len(boxes):
                matched += _pairs(boxes, _sure(self._sequences[number]))
        return matched, people

    def agreement_with(self, other: Detector, *, every: int) -> float:
        """2 · both ÷ (these + those) of whom both find on every so many-th frame, which the other sees pixelated."""
        both = boxes = 0
        for frame, detections in self._found[::every]:
            mine = _sure(detections)
            theirs = _sure(other.detect([pixelate_heads(frame.picture, mine)])[0])
            both += _pairs(mine, theirs)
            boxes += len(mine) + len(theirs)
        return 2 * both / boxes

    def judge(self, samples: Sequence[Sample]) -> list[SampleLabel]:
        """Say of each sample what the truth says."""
        return [
            SampleLabel(sample.id, "script", sample.taken_at, "reviewer", self._content(sample)) for sample in samples
        ]

    def _content(self, sample: Sample) -> dict[str, Any]:
        if sample.unit == "frame":
            boxes = self.truth.boxes_at(self.frames[sample.taken_at])[1].astype(float)
            limits = np.array([sample.width_px, sample.height_px] * 2)
            return {"boxes": np.clip(boxes, 0, limits).tolist()}
        key = sample.detail["score"], sample.detail["seconds"]
        verdicts = {each.is_right for hour_at, each in self.followed if (hour_at, each.key) == (sample.hour_at, key)}
        assert len(verdicts) == 1, f"{key} is of {len(verdicts)} people"
        return {"verdict": "right" if verdicts.pop() else "wrong"}


def _sure(found: Detections) -> np.ndarray:
    return found.boxes_px[found.scores >= found.threshold]


def _pairs(these: np.ndarray, those: np.ndarray) -> int:
    """How many can be paired, each with one that overlaps it by half."""
    enough = pairwise_iou(these, those) >= 0.5
    rows, columns = linear_sum_assignment(enough, maximize=True)
    return int(enough[rows, columns].sum())


def say(store: SampleStore, labels: Sequence[SampleLabel]) -> None:
    for label in labels:
        store.add_label(label)
