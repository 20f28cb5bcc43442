"""Judging samples: what is next, what somebody says of it, taking it back, how far all is, how reviewers agree."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from footfall.agreement import cohens_kappa, newest_verdicts, together
from footfall.domain import NAME_PATTERN, Sample, SampleLabel, SampleQueue, SampleUnit, Verdict
from service.api.problems import RESPONSES, ProblemError, invalid
from service.api.samples import SampleAnswer
from service.api.services import ServicesDep

router = APIRouter(prefix="/api/v1/review", tags=["review"], responses=RESPONSES)

Reviewer = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$", description="Who says it.")]
Coordinate = Annotated[float, Field(ge=0, le=65536)]


class NewLabel(BaseModel):
    """What somebody says of a sample: a verdict of a track, or everybody on a frame."""

    model_config = ConfigDict(extra="forbid")

    sample: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the sample.")
    reviewer: Reviewer
    verdict: Verdict | None = Field(None, description="Of a track: is it a person, all along?")
    boxes: list[tuple[Coordinate, Coordinate, Coordinate, Coordinate]] | None = Field(
        None, max_length=1000, description="Of a frame: x0, y0, x1, y1 of everybody, in pixels; may be empty."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.verdict is None) == (self.boxes is None):
            raise ValueError("verdict, boxes: exactly one of them is expected")
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


class NewUndo(BaseModel):
    """Whose newest label is taken back."""

    model_config = ConfigDict(extra="forbid")

    reviewer: Reviewer


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


class AgreementsAnswer(BaseModel):
    """Agreement of every two reviewers, and what they differ in."""

    pairs: list[AgreementAnswer]
    conflicts: list[Conflict]


@router.get("/next", summary="What a reviewer may judge next")
def list_next(
    reviewer: Annotated[str, Query(min_length=1, max_length=64)],
    services: ServicesDep,
    *,
    unit: SampleUnit = "track",
    queue: SampleQueue = "random",
    camera: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> list[SampleAnswer]:
    """Return what this reviewer has not judged and whose picture is still there, oldest first."""
    cameras = None if camera is None else [camera]
    found = services.samples.open_samples(unit, queue, reviewer=reviewer, camera_ids=cameras, limit=limit)
    return [SampleAnswer.of(sample) for sample in found]


@router.post("/labels", status_code=201, summary="Say what a sample is")
def add_label(label: NewLabel, services: ServicesDep) -> LabelAnswer:
    """Keep a verdict or a frame's boxes; to change one's mind is to say it again."""
    sample = services.samples.sample(label.sample)
    wanted: dict[str, SampleUnit] = {"verdict": "track", "boxes": "frame"}
    given = "verdict" if label.verdict is not None else "boxes"
    if sample.unit != wanted[given]:
        raise invalid(given, f"is said of a {wanted[given]}, this sample is a {sample.unit}; it was not kept")
    if label.boxes is not None:
        _check_inside(label.boxes, sample)
    content = {"verdict": label.verdict} if label.boxes is None else {"boxes": [list(box) for box in label.boxes]}
    kept = services.samples.add_label(SampleLabel(label.sample, label.reviewer, datetime.now(UTC), "reviewer", content))
    return _answer(kept)


@router.post("/undo", summary="Take back one's newest label")
def undo(who: NewUndo, services: ServicesDep) -> LabelAnswer:
    """Mark the reviewer's newest standing label as taken back; 404 when there is none."""
    undone = services.samples.undo_last(who.reviewer, at=datetime.now(UTC))
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
    """Compare every two reviewers on the random tracks of that window that both judged."""
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
    return AgreementsAnswer(pairs=pairs, conflicts=conflicts)


def _random_tracks(services: ServicesDep) -> list[Sample]:
    now = datetime.now(UTC)
    window = timedelta(days=services.settings.quality_window_days)
    return services.samples.samples(since=now - window, until=now, unit="track", queue="random")


def _check_inside(boxes: list[tuple[float, float, float, float]], sample: Sample) -> None:
    if any(x1 > sample.width_px or y1 > sample.height_px for _, _, x1, y1 in boxes):
        size = f"{sample.width_px} x {sample.height_px}"
        raise invalid("boxes", f"one reaches beyond the picture of {size} pixels; nothing was kept")


def _answer(label: SampleLabel) -> LabelAnswer:
    return LabelAnswer(
        number=label.number,
        sample=label.sample_id,
        reviewer=label.reviewer,
        at=label.at,
        undone_at=label.undone_at,
    )
