"""What a drawn camera truly showed, beside what was counted of it; real cameras have no such truth."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from footfall.domain import NAME_PATTERN, Crossing, Direction
from footfall.vision.evaluation import DIRECTIONS, TrueEvent, match_events
from service.api.problems import RESPONSES, ProblemError
from service.api.services import Services, ServicesDep
from service.simulated import SceneTruth

router = APIRouter(prefix="/api/v1", tags=["live"], responses=RESPONSES)

CameraId = Annotated[str, Path(pattern=NAME_PATTERN, description="Id of the camera.")]
_SETTLED: Final = timedelta(seconds=3)
"""Who crossed later than this before now may not have been counted yet: following and storing take their time."""
_PAGE: Final = 1000


class LineTruthAnswer(BaseModel):
    """One line."""

    line: str
    truth: dict[Direction, int]
    found: dict[Direction, int]


class TruthAnswer(BaseModel):
    """A drawn scene's crossings, true and counted, since its lines were drawn."""

    camera: str
    since: datetime = Field(description="When both counts began; UTC.")
    until: datetime = Field(description="Up to when they are compared; UTC.")
    truth: int = Field(description="True crossings, also of seconds in which the camera was not watched.")
    found: int = Field(description="Counted crossings.")
    accuracy: float | None = Field(description="1 − Σ|found − true| ÷ Σ true over lines and directions; null without.")
    event_precision: float | None = Field(description="Share of the counted crossings that happened; null without.")
    event_recall: float | None = Field(description="Share of the true crossings that were counted; null without.")
    lines: list[LineTruthAnswer]


@router.get("/cameras/{camera_id}/truth", summary="True crossings of a drawn camera")
def read_truth(camera_id: CameraId, services: ServicesDep) -> TruthAnswer:
    """Compare what was counted with what happened; 404 for a real camera, of which nobody knows that."""
    camera = services.database.camera(camera_id)
    truth = services.fleet.truth(camera_id)
    if truth is None:
        raise ProblemError(404, f"camera {camera_id!r} has no known truth; only sim: cameras that showed a picture do")
    found = _found(services, camera_id, truth.since)
    return compare(camera_id, truth, found, [line.name for line in camera.lines])


def compare(camera_id: str, truth: SceneTruth, found: Sequence[Crossing], lines: Sequence[str]) -> TruthAnswer:
    """Pair true with counted crossings, line by line, and leave the last seconds out of both."""
    until = max(truth.since, truth.until - _SETTLED)
    settled_s = (until - truth.since).total_seconds()
    answers, errors, paired = [], 0, 0
    for name in lines:
        true_events = [
            TrueEvent((each.at - truth.since).total_seconds(), each.direction)
            for each in truth.crossings
            if each.line == name
        ]
        found_events = [
            TrueEvent((each.at - truth.since).total_seconds(), each.direction) for each in found if each.line == name
        ]
        partner = {column: row for row, column in match_events(true_events, found_events)}
        # Belongs to the time compared: by its true moment if it has one, by its own otherwise.
        counted = [
            each
            for column, each in enumerate(found_events)
            if (true_events[partner[column]] if column in partner else each).at_s < settled_s
        ]
        happened = [each for each in true_events if each.at_s < settled_s]
        paired += sum(true_events[row].at_s < settled_s for row in partner.values())
        answer = LineTruthAnswer(
            line=name,
            truth={direction: sum(each.direction == direction for each in happened) for direction in DIRECTIONS},
            found={direction: sum(each.direction == direction for each in counted) for direction in DIRECTIONS},
        )
        errors += sum(abs(answer.truth[direction] - answer.found[direction]) for direction in DIRECTIONS)
        answers.append(answer)
    total = sum(sum(answer.truth.values()) for answer in answers)
    counted_total = sum(sum(answer.found.values()) for answer in answers)
    return TruthAnswer(
        camera=camera_id,
        since=truth.since,
        until=until,
        truth=total,
        found=counted_total,
        accuracy=1 - errors / total if total else None,
        event_precision=paired / counted_total if counted_total else None,
        event_recall=paired / total if total else None,
        lines=answers,
    )


def _found(services: Services, camera_id: str, since: datetime) -> list[Crossing]:
    crossings: list[Crossing] = []
    after: int | None = 0
    while after is not None:
        page = services.database.events(after=after, limit=_PAGE, camera_id=camera_id, since=since)
        crossings += [event.record for event in page.events if isinstance(event.record, Crossing)]
        after = page.next_cursor
    return crossings
