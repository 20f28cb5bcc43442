"""Judging samples: what is next, what somebody says of it, taking it back, how far all is, how reviewers agree."""

import itertools
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from footfall.agreement import cohens_kappa, newest_verdicts, together
from footfall.domain import (
    NAME_PATTERN,
    Direction,
    LabelBatch,
    RetrainCause,
    Sample,
    SampleLabel,
    SampleQueue,
    SampleUnit,
    Verdict,
)
from footfall.vision.labelling import Standing, agreement, marks_of, standing
from service.api.problems import RESPONSES, ProblemError, invalid
from service.api.samples import SampleAnswer
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1/review", tags=["review"], responses=RESPONSES)

Reviewer = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$", description="Who says it.")]
Coordinate = Annotated[float, Field(ge=0, le=65536)]
_CLIP_SLACK_S: Final = 1.0
"""A film is shown until its last picture has been seen for its time, which players tell differently."""


Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="Made by the client, so that a repeat is known.")]


class Press(BaseModel):
    """Somebody crossed the line of a clip."""

    model_config = ConfigDict(extra="forbid")

    at_s: float = Field(ge=0, le=86400, description="Seconds since the clip began.")
    direction: Direction


class NewLabel(BaseModel):
    """What somebody says of a sample: a verdict of a track, everybody on a frame, or every crossing in a clip."""

    model_config = ConfigDict(extra="forbid")

    sample: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the sample.")
    reviewer: Reviewer
    verdict: Verdict | None = Field(None, description="Of a track: is it a person, all along?")
    boxes: list[tuple[Coordinate, Coordinate, Coordinate, Coordinate]] | None = Field(
        None, max_length=1000, description="Of a frame: x0, y0, x1, y1 of everybody, in pixels; may be empty."
    )
    presses: list[Press] | None = Field(None, max_length=10_000, description="Of a clip: crossings; may be empty.")
    key: Key | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if [self.verdict, self.boxes, self.presses].count(None) != 2:
            raise ValueError("verdict, boxes, presses: exactly one of them is expected")
        for x0, y0, x1, y1 in self.boxes or ():
            if x1 <= x0 or y1 <= y0:
                raise ValueError("boxes: one ends before it begins; expected x0 < x1 and y0 < y1")
        return self


class LabelAnswer(BaseModel):
    """What somebody said."""

    number: int
    sample: str
    reviewer: str
    at: datetime
    undone_at: datetime | None
    counted: dict[Direction, int] | None = Field(None, description="Of a clip: what the system counted.")
    crossings: list[Press] | None = Field(None, description="Of a clip: when the system saw them.")


class NewUndo(BaseModel):
    """Whose label is taken back: the newest, or the one of this number."""

    model_config = ConfigDict(extra="forbid")

    reviewer: Reviewer
    label: int | None = Field(None, ge=1, description="Its number; without it the newest that stands.")


class CameraProgress(BaseModel):
    """How far the review of one camera's random tracks is."""

    camera: str
    open: int = Field(description="Nobody judged them yet.")
    right: int
    wrong: int
    unsure: int = Field(description="All are unsure, or those who are sure differ.")
    missing: int = Field(description="How many right or wrong ones are missing until precision can be told.")


class Conflict(BaseModel):
    """A sample of which reviewers who are sure say different things."""

    sample: str
    verdicts: dict[str, Verdict]


class AgreementAnswer(BaseModel):
    """How two reviewers agree on what both judged."""

    first: str
    second: str
    samples: int
    kappa: float | None = Field(description="Cohen's κ: 1 full agreement, 0 that of chance; null without samples.")


class FrameAgreementAnswer(BaseModel):
    """How two reviewers agree on the frames that both labelled."""

    first: str
    second: str
    frames: int
    kappa: float | None = Field(
        description="Cohen's κ on whether somebody is at a place: where either of them or the system sees somebody."
    )
    f1: float | None = Field(description="Boxes of one against the other's at IoU 0.5; null without a box.")


class Dispute(BaseModel):
    """A frame set aside for two people on which two differ: no retraining learns from it until a third has spoken."""

    sample: str
    people: dict[str, int] = Field(description="How many each of them marked.")


class AgreementsAnswer(BaseModel):
    """Agreement of every two reviewers, and what they differ in."""

    pairs: list[AgreementAnswer]
    conflicts: list[Conflict]
    frames: list[FrameAgreementAnswer]
    disputes: list[Dispute]


class BatchAnswer(BaseModel):
    """Frames that a retraining without enough labels wants people to label."""

    request: str
    cause: RetrainCause
    opened_at: datetime
    wanted: int = Field(description="So many labelled frames were missing when it was opened.")
    frames: int = Field(description="So many could be labelled then; the others had to be sampled first.")
    labelled: int = Field(description="Of these, by people since.")
    waiting: int = Field(description="Of these, without a label and with a picture.")
    for_two: int = Field(description="Of these, drawn to be labelled by two people, neither seeing the other's boxes.")
    second: int = Field(description="Of those, labelled by one; they wait for somebody else.")
    third: int = Field(description="Of those, labelled by two who differ; out of training until a third has spoken.")


class _Batch:
    """How far a batch is."""

    def __init__(self, batch: LabelBatch, services: Services) -> None:
        marks = marks_of(services.samples.labels(batch.frames))
        there = [each for each in services.samples.known(batch.frames) if each.picture_deleted_at is None]
        self.labelled = len(marks)
        self.waiting = [each for each in there if each.id not in marks]
        self.again: dict[Standing, list[Sample]] = {"second": [], "third": []}
        """Those that wait for another one's word."""
        self._reviewers = {frame: set(said) for frame, said in marks.items()}
        for each in there:
            if each.id in marks and each.id in batch.for_two:
                self.again.setdefault(standing(list(marks[each.id].values())), []).append(each)

    def left_for(self, reviewer: str) -> list[Sample]:
        """What this reviewer may label, oldest first: what nobody has, and what waits for somebody else's word."""
        again = [*self.again["second"], *self.again["third"]]
        mine = [each for each in again if reviewer not in self._reviewers[each.id]]
        return sorted([*self.waiting, *mine], key=lambda each: (each.taken_at, each.id))


@router.get("/batches", summary="What retrainings wait for labels of")
def list_batches(services: ServicesDep) -> list[BatchAnswer]:
    """Return the batches of requests that ended with too few labels, newest first, also those that are done."""
    found = []
    for request in services.retrains.requests():
        batch = services.retrains.batch(request.id) if request.outcome == "insufficient_labels" else None
        if batch is not None:
            state = _Batch(batch, services)
            found.append(
                BatchAnswer(
                    request=batch.request,
                    cause=batch.cause,
                    opened_at=batch.at,
                    wanted=batch.wanted,
                    frames=len(batch.frames),
                    labelled=state.labelled,
                    waiting=len(state.waiting),
                    for_two=len(batch.for_two),
                    second=len(state.again["second"]),
                    third=len(state.again["third"]),
                )
            )
    return found


@router.get("/next", summary="What a reviewer may judge next")
def list_next(
    reviewer: Annotated[str, Query(min_length=1, max_length=64)],
    services: ServicesDep,
    *,
    unit: SampleUnit = "track",
    queue: SampleQueue = "random",
    camera: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
    batch: Annotated[
        str | None, Query(pattern=r"^[0-9a-f]{32}$", description="Frames of this retraining's batch, of either queue.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> list[SampleAnswer]:
    """Return what this reviewer has not judged and whose picture is still there, oldest first.

    What the system counted in a clip is told when somebody has counted. A batch needs one label of a frame: what
    somebody else has labelled is not given, but for the frames that were drawn to be labelled by two people. Nobody is
    told what another one marked.
    """
    cameras = None if camera is None else [camera]
    if batch is not None:
        kept = services.retrains.batch(batch)
        if kept is None:
            raise ProblemError(404, f"request {batch}: opened no batch of frames to label")
        waiting = [each for each in _Batch(kept, services).left_for(reviewer) if camera in {None, each.camera_id}]
        return [SampleAnswer.of(sample, is_told=False) for sample in waiting[:limit]]
    found = services.samples.open_samples(unit, queue, reviewer=reviewer, camera_ids=cameras, limit=limit)
    return [SampleAnswer.of(sample, is_told=False) for sample in found]


@router.post("/labels", status_code=201, summary="Say what a sample is")
def add_label(label: NewLabel, services: ServicesDep) -> LabelAnswer:
    """Keep a verdict, a frame's boxes or a clip's crossings; to change one's mind is to say it again.

    The same `key` again is the same label, so a client that got no answer may ask again.
    """
    sample = services.samples.sample(label.sample)
    content = _content(label, sample)
    now = datetime.now(UTC)
    kept = services.samples.add_label(
        SampleLabel(label.sample, label.reviewer, now, "reviewer", content, key=label.key)
    )
    return _answer(kept, sample)


@router.post("/undo", summary="Take back a label of one's own")
def undo(who: NewUndo, services: ServicesDep) -> LabelAnswer:
    """Mark a label of the reviewer as taken back; 404 when there is none. One of a number may be sent again."""
    now = datetime.now(UTC)
    if who.label is not None:
        return _answer(services.samples.undo(who.reviewer, who.label, at=now))
    undone = services.samples.undo_last(who.reviewer, at=now)
    if undone is None:
        raise ProblemError(404, "this reviewer has no label that could be taken back")
    return _answer(undone)


@router.get("/progress", summary="How far the review is")
def read_progress(services: ServicesDep) -> list[CameraProgress]:
    """Return what was said of the random tracks of the window of the figures, by camera."""
    tracks = _random_tracks(services)
    verdicts = newest_verdicts(services.samples.labels([sample.id for sample in tracks]))
    answers = []
    for camera in sorted({sample.camera_id for sample in tracks}):
        said = [together(verdicts.get(s.id, {}).values()) for s in tracks if s.camera_id == camera]
        decided = said.count("right") + said.count("wrong")
        answers.append(
            CameraProgress(
                camera=camera,
                open=said.count(None),
                right=said.count("right"),
                wrong=said.count("wrong"),
                unsure=said.count("unsure"),
                missing=max(0, services.settings.least_verdicts - decided),
            )
        )
    return answers


@router.get("/agreement", summary="How reviewers agree")
def read_agreement(services: ServicesDep) -> AgreementsAnswer:
    """Compare every two reviewers on the random tracks and frames of that window that both judged.

    Frames of batches that were drawn to be labelled by two people are among them, whenever they are of.
    """
    verdicts = newest_verdicts(services.samples.labels([sample.id for sample in _random_tracks(services)]))
    reviewers = sorted({reviewer for said in verdicts.values() for reviewer in said})
    pairs = []
    for index, first in enumerate(reviewers):
        for second in reviewers[index + 1 :]:
            both = [(said[first], said[second]) for said in verdicts.values() if first in said and second in said]
            if both:
                kappa = cohens_kappa([a for a, _ in both], [b for _, b in both])
                pairs.append(AgreementAnswer(first=first, second=second, samples=len(both), kappa=kappa))
    conflicts = [
        Conflict(sample=sample, verdicts=said)
        for sample, said in verdicts.items()
        if {"right", "wrong"} <= set(said.values())
    ]
    frames, disputes = _of_frames(services)
    return AgreementsAnswer(pairs=pairs, conflicts=conflicts, frames=frames, disputes=disputes)


def _of_frames(services: Services) -> tuple[list[FrameAgreementAnswer], list[Dispute]]:
    for_two = services.retrains.for_two()
    known = {each.id: each for each in [*_random(services, "frame"), *services.samples.known(sorted(for_two))]}
    marks = marks_of(services.samples.labels(list(known)))
    systems = {
        frame: np.array([box[:4] for box in known[frame].detail.get("boxes", ())], np.float32).reshape(-1, 4)
        for frame in marks
    }
    by_reviewer: dict[str, dict[str, Any]] = {}
    for frame, said in marks.items():
        for reviewer, boxes in said.items():
            by_reviewer.setdefault(reviewer, {})[frame] = boxes
    compared = [
        agreement((one, by_reviewer[one]), (other, by_reviewer[other]), systems)
        for one, other in itertools.combinations(sorted(by_reviewer), 2)
    ]
    disputes = [
        Dispute(sample=frame, people={reviewer: len(boxes) for reviewer, boxes in said.items()})
        for frame, said in marks.items()
        if frame in for_two and standing(list(said.values())) == "third"
    ]
    return [FrameAgreementAnswer(**asdict(each)) for each in compared if each.frames], disputes


def _random_tracks(services: Services) -> list[Sample]:
    return _random(services, "track")


def _random(services: Services, unit: SampleUnit) -> list[Sample]:
    now = datetime.now(UTC)
    window = timedelta(days=services.settings.quality_window_days)
    return services.samples.samples(since=now - window, until=now, unit=unit, queue="random")


def _content(label: NewLabel, sample: Sample) -> dict[str, Any]:
    given: dict[SampleUnit, tuple[str, object]] = {
        "track": ("verdict", label.verdict),
        "frame": ("boxes", label.boxes),
        "clip": ("presses", label.presses),
    }
    (unit, name) = next((unit, name) for unit, (name, value) in given.items() if value is not None)
    if sample.unit != unit:
        raise invalid(name, f"is said of a {unit}, this sample is a {sample.unit}; it was not kept")
    if label.boxes is not None:
        _check_inside(label.boxes, sample)
        return {"boxes": [list(box) for box in label.boxes]}
    if label.presses is not None:
        seconds = float(sample.detail["seconds"])
        if any(press.at_s > seconds + _CLIP_SLACK_S for press in label.presses):
            raise invalid("presses", f"one is after the end of the clip of {seconds:g} s; nothing was kept")
        presses = [press.model_dump() for press in label.presses]
        went_in = sum(press.direction == "in" for press in label.presses)
        return {"in": went_in, "out": len(presses) - went_in, "presses": presses}
    return {"verdict": label.verdict}


def _check_inside(boxes: list[tuple[float, float, float, float]], sample: Sample) -> None:
    if any(x1 > sample.width_px or y1 > sample.height_px for _, _, x1, y1 in boxes):
        size = f"{sample.width_px} x {sample.height_px}"
        raise invalid("boxes", f"one reaches beyond the picture of {size} pixels; nothing was kept")


def _answer(label: SampleLabel, sample: Sample | None = None) -> LabelAnswer:
    is_clip = sample is not None and sample.unit == "clip"
    return LabelAnswer(
        number=label.number,
        sample=label.sample_id,
        reviewer=label.reviewer,
        at=label.at,
        undone_at=label.undone_at,
        counted=sample.detail["counted"] if sample is not None and is_clip else None,
        crossings=sample.detail["crossings"] if sample is not None and is_clip else None,
    )
