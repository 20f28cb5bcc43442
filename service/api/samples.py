"""What was kept of cameras for review: list it, look at it, delete it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from footfall.domain import NAME_PATTERN, Sample, SampleQueue, SampleUnit
from service.api.problems import RESPONSES, ProblemError
from service.api.services import ServicesDep

router = APIRouter(prefix="/api/v1/samples", tags=["samples"], responses=RESPONSES)

Camera = Annotated[str, Query(pattern=NAME_PATTERN, description="Id of the camera; it may be gone already.")]
Day = Annotated[date, Query(description="Day in UTC, such as 2026-03-01.")]
SampleId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of the sample.")]


class SampleAnswer(BaseModel):
    """Something that was kept for people to judge, heads pixelated."""

    id: str
    camera: str
    unit: SampleUnit
    queue: SampleQueue = Field(description="Only `random` samples carry estimates.")
    reason: str = Field(description="Why it is in the targeted queue; else empty.")
    taken_at: datetime
    stratum: str = Field(description="Band of confidence of a track; `people` or `empty` of a frame; line of a clip.")
    model: str = Field(description="First digits of the detector's sha256.")
    probability: float | None = Field(description="Chance to be drawn; null in the targeted queue.")
    width_px: int
    height_px: int
    has_picture: bool = Field(description="False when its time is over; what was said of it stays.")
    detail: dict[str, Any]

    @classmethod
    def of(cls, sample: Sample, *, is_told: bool = True) -> "SampleAnswer":
        """Return what may be shown of a sample; `is_told`: also what the system counted in a clip."""
        detail = dict(sample.detail)
        if not is_told:
            # Who is yet to count must not know what the system counted.
            for name in ("counted", "crossings"):
                detail.pop(name, None)
        return cls(
            id=sample.id,
            camera=sample.camera_id,
            unit=sample.unit,
            queue=sample.queue,
            reason=sample.reason,
            taken_at=sample.taken_at,
            stratum=sample.stratum,
            model=sample.model,
            probability=sample.probability,
            width_px=sample.width_px,
            height_px=sample.height_px,
            has_picture=sample.picture_deleted_at is None,
            detail=detail,
        )


class DeletedAnswer(BaseModel):
    """How much was deleted."""

    samples: int


@router.get("", summary="List a camera's samples of a day")
def list_samples(
    camera: Camera,
    day: Day,
    services: ServicesDep,
    *,
    unit: SampleUnit | None = None,
    queue: SampleQueue | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[SampleAnswer]:
    """Return samples of either queue, oldest first."""
    since = datetime.combine(day, time(), UTC)
    found = services.samples.samples(
        since=since, until=since + timedelta(days=1), unit=unit, queue=queue, camera_ids=[camera], limit=limit
    )
    return [SampleAnswer.of(sample) for sample in found]


@router.get(
    "/{sample_id}/picture",
    summary="A sample's picture or film",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "video/mp4": {}}, "description": "The picture or film."}},
)
def read_picture(sample_id: SampleId, services: ServicesDep) -> Response:
    """Return the picture; 404 when it was deleted."""
    sample = services.samples.sample(sample_id)
    if sample.picture_deleted_at is not None:
        gone_at = f"{sample.picture_deleted_at:%F %T} UTC"
        raise ProblemError(
            404, f"sample {sample_id!r}: its picture was deleted at {gone_at}; what was said of it stays"
        )
    content = services.blobs.get(sample.blob_key)
    return Response(content, media_type=sample.media_type, headers={"Cache-Control": "private, max-age=3600"})


@router.delete("", summary="Delete a camera's samples of a day")
def delete_samples(camera: Camera, day: Day, services: ServicesDep) -> DeletedAnswer:
    """Delete pictures, rows and all that was said of them; that it was done stays in the trail."""
    begin = datetime.combine(day, time(), UTC)
    return DeletedAnswer(samples=services.keeper.delete(camera, begin, actor="api", now=datetime.now(UTC)))
