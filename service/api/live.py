"""What cameras show now: state, people, and the annotated picture as a snapshot or a stream."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Final

from anyio import CapacityLimiter, sleep, to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from footfall.domain import NAME_PATTERN, Camera, CameraState, DropReason
from footfall.errors import UnknownRecordError
from service.api.problems import RESPONSES, ProblemError
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1", tags=["live"], responses=RESPONSES)

MAX_STREAMS: Final = 32
_WAIT_S: Final = 1.0
_BOUNDARY: Final = "footfall-picture"
CameraId = Annotated[str, Path(pattern=NAME_PATTERN, description="Id of the camera.")]
Width = Annotated[int | None, Query(ge=32, le=4096, description="Width; pixels. Default: as the camera sends it.")]


class FramesAnswer(BaseModel):
    """The books: received = analysed + dropped + pending."""

    received: int
    analysed: int
    dropped: dict[DropReason, int]
    pending: int


class LiveAnswer(BaseModel):
    """What a camera shows now."""

    camera: str
    name: str
    state: CameraState
    detail: str = Field(description="One line for people.")
    state_since: datetime | None
    fps: float = Field(description="Frames analysed a second.")
    sequence: int | None = Field(description="Number of the newest analysed frame; null while not watched.")
    people: int | None = Field(description="People followed in the picture; null while not watched.")
    people_in_zone: dict[str, int] | None = Field(description="Zone → people inside; null while not watched.")
    frames: FramesAnswer | None


@router.get("/live", summary="All cameras now")
def read_live(services: ServicesDep) -> list[LiveAnswer]:
    """Return state and people of every camera, by id."""
    return [_live(services, camera) for camera in sorted(services.database.cameras(), key=lambda each: each.id)]


@router.get("/cameras/{camera_id}/live", summary="One camera now")
def read_camera_live(camera_id: CameraId, services: ServicesDep) -> LiveAnswer:
    """Return state and people of one camera."""
    return _live(services, services.database.camera(camera_id))


@router.get(
    "/cameras/{camera_id}/snapshot.jpg",
    summary="The annotated picture",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def read_snapshot(
    camera_id: CameraId,
    services: ServicesDep,
    width: Width = None,
    quality: Annotated[int, Query(ge=10, le=95, description="JPEG quality.")] = 80,
) -> Response:
    """Return the newest picture with people, lines, zones and counts drawn; 404 while there is none."""
    camera = services.database.camera(camera_id)
    picture = _picture(services, camera_id, width, quality)
    if picture is None:
        raise ProblemError(404, f"camera {camera_id!r} has no picture now; its state is {_state(services, camera)}")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get(
    "/cameras/{camera_id}/stream.mjpg",
    summary="The annotated picture as MJPEG",
    response_class=StreamingResponse,
    responses={200: {"content": {"multipart/x-mixed-replace": {}}}},
)
async def stream(  # noqa: PLR0917  query parameters, given by name
    request: Request,
    camera_id: CameraId,
    services: ServicesDep,
    width: Width = None,
    fps: Annotated[float, Query(gt=0, le=15, description="Most pictures a second.")] = 10.0,
    quality: Annotated[int, Query(ge=10, le=95, description="JPEG quality.")] = 75,
) -> StreamingResponse:
    """Send each new annotated picture until the client goes, the camera is removed or the service stops."""
    await to_thread.run_sync(services.database.camera, camera_id)
    limiter: CapacityLimiter = request.app.state.stream_limiter
    if limiter.available_tokens < 1:
        raise ProblemError(
            503, f"{MAX_STREAMS} streams are open already; try later or use snapshots", headers={"Retry-After": "5"}
        )
    return StreamingResponse(
        _pictures(
            services,
            camera_id,
            width=width,
            quality=quality,
            interval_s=1 / fps,
            limiter=limiter,
            waiters=request.app.state.waiter_limiter,
        ),
        media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}",
        headers={"Cache-Control": "no-store"},
    )


async def _pictures(
    services: Services,
    camera_id: str,
    *,
    width: int | None,
    quality: int,
    interval_s: float,
    limiter: CapacityLimiter,
    waiters: CapacityLimiter,
) -> AsyncIterator[bytes]:
    async with limiter:
        shown = -1
        yield f"--{_BOUNDARY}\r\n".encode()
        while not services.stopping.is_set():
            started_s = time.monotonic()
            try:
                newest = await to_thread.run_sync(
                    services.live.wait_for_picture, camera_id, shown, _WAIT_S, limiter=waiters, abandon_on_cancel=True
                )
                if newest == shown:
                    continue
                picture = await to_thread.run_sync(_picture, services, camera_id, width, quality, limiter=waiters)
            except UnknownRecordError:
                return
            shown = newest
            if picture is None:
                await sleep(interval_s)
                continue
            # The boundary follows at once: a browser shows a part only when it has seen the next boundary.
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
            yield head + picture + f"\r\n--{_BOUNDARY}\r\n".encode()
            await sleep(max(0.0, interval_s - (time.monotonic() - started_s)))


def _picture(services: Services, camera_id: str, width: int | None, quality: int) -> bytes | None:
    return services.live.annotated_jpeg(camera_id, width_px=width, quality=quality)


def _state(services: Services, camera: Camera) -> CameraState:
    return _live(services, camera).state


def _live(services: Services, camera: Camera) -> LiveAnswer:
    try:
        view = services.live.view(camera.id)
    except UnknownRecordError:
        # Stored, but not started yet.
        state = CameraState.CONNECTING if camera.enabled else CameraState.DISABLED
        return LiveAnswer(
            camera=camera.id,
            name=camera.name,
            state=state,
            detail="",
            state_since=None,
            fps=0.0,
            sequence=None,
            people=None,
            people_in_zone=None,
            frames=None,
        )
    now = view.analysis
    return LiveAnswer(
        camera=camera.id,
        name=camera.name,
        state=view.state,
        detail=view.detail,
        state_since=view.state_since,
        fps=round(view.fps, 2),
        sequence=None if now is None else now.frame.sequence,
        people=None if now is None else len(now.tracks.ids),
        people_in_zone=None if now is None else dict(now.people_in_zone),
        frames=FramesAnswer(
            received=view.frames.received,
            analysed=view.frames.analysed,
            dropped=dict(view.frames.dropped),
            pending=view.frames.pending,
        ),
    )
