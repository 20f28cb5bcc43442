"""What runs here: version, model, database; health, readiness and metrics."""

from collections import Counter
from datetime import UTC, datetime
from typing import Final, Literal

from anyio import CapacityLimiter, fail_after, to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from footfall import __version__
from footfall.domain import CameraState
from footfall.errors import FootfallError, UnknownRecordError
from service.api.problems import RESPONSES, ProblemError
from service.api.services import Services, ServicesDep
from service.capacity import Stage

router = APIRouter(tags=["system"], responses=RESPONSES)

_READY_TIMEOUT_S: Final = 2.0
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class ModelAnswer(BaseModel):
    """The detector in use."""

    name: str
    sha256: str
    threshold: float
    licence: str
    description: str
    runtime: str


class CapacityAnswer(BaseModel):
    """Whether the machine is large enough, over the last seconds."""

    needed_fps: float = Field(description="Analyses a second asked for: each camera's rate, or what it sends.")
    available_fps: float = Field(description="Analyses a second that could be done at what they cost now.")
    ratio: float = Field(description="Needed ÷ available; above 1 the machine is too small and rates fall.")
    limiting_stage: Stage = Field(description="What takes the most CPU time.")
    stage_ms: dict[Stage, float] = Field(description="CPU time of each stage for an analysed frame; milliseconds.")
    cores: int = Field(description="That the service may use.")
    cores_used: float
    next_camera_cores: float = Field(description="What one more camera like these would take.")
    cameras_possible: int = Field(description="How many like these fit in all.")


class SystemAnswer(BaseModel):
    """This service."""

    version: str
    now: datetime = Field(description="The service's clock; UTC.")
    site: str | None
    model: ModelAnswer
    database: Literal["sqlite", "postgresql"]
    recorder_healthy: bool = Field(description="Whether records become durable; if not, they wait.")
    cameras: dict[CameraState, int] = Field(description="State → number of cameras.")
    capacity: CapacityAnswer | None = Field(description="None while nothing is analysed.")


class StatusAnswer(BaseModel):
    """One word."""

    status: Literal["ok", "ready"]


@router.get("/api/v1/system", summary="This service")
def read_system(services: ServicesDep) -> SystemAnswer:
    """Return version, model, database and cameras by state."""
    detector = services.detector()
    model = detector.version
    states = Counter(_state(services, camera.id, enabled=camera.enabled) for camera in services.database.cameras())
    url = services.settings.sqlalchemy_url
    return SystemAnswer(
        version=__version__,
        now=datetime.now(UTC),
        site=services.database.setting("site"),
        model=ModelAnswer(
            name=model.name,
            sha256=model.sha256,
            threshold=model.threshold,
            licence=model.licence,
            description=model.description,
            runtime=detector.runtime,
        ),
        database="sqlite" if url.startswith("sqlite") else "postgresql",
        recorder_healthy=services.recorder.healthy,
        cameras=dict(states),
        capacity=_capacity(services),
    )


def _capacity(services: Services) -> CapacityAnswer | None:
    now = services.capacity()
    if now is None:
        return None
    return CapacityAnswer(
        needed_fps=round(now.needed_fps, 2),
        available_fps=round(now.available_fps, 2),
        ratio=round(now.ratio, 3),
        limiting_stage=now.limiting_stage,
        stage_ms={stage: round(value, 2) for stage, value in now.stage_ms.items()},
        cores=now.cores,
        cores_used=round(now.cores_used, 2),
        next_camera_cores=round(now.next_camera_cores, 3),
        cameras_possible=now.cameras_possible,
    )


@router.get("/healthz", summary="The process is alive")
async def read_health() -> StatusAnswer:
    """Answer always; says nothing of cameras, model or database, so no camera can make it restart."""
    return StatusAnswer(status="ok")


@router.get("/readyz", summary="Ready to serve")
async def read_readiness(request: Request, services: ServicesDep) -> StatusAnswer:
    """Answer 200 when the model is loaded and the database answers, 503 otherwise."""
    limiter: CapacityLimiter = request.app.state.ready_limiter
    try:
        with fail_after(_READY_TIMEOUT_S):
            await to_thread.run_sync(_check, services, limiter=limiter, abandon_on_cancel=True)
    except TimeoutError:
        raise ProblemError(503, f"not ready: no answer from the database within {_READY_TIMEOUT_S} s") from None
    return StatusAnswer(status="ready")


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
def read_metrics(services: ServicesDep) -> Response:
    """Return every metric in Prometheus' text format."""
    return Response(services.metrics.render(), media_type=_METRICS_TYPE)


def _check(services: Services) -> None:
    try:
        services.detector()
    except FootfallError as error:
        raise ProblemError(503, f"not ready: the model is not loaded ({type(error).__name__})") from None
    try:
        services.database.ping()
    except FootfallError as error:
        raise ProblemError(503, f"not ready: the database does not answer ({type(error).__name__})") from None


def _state(services: Services, camera_id: str, *, enabled: bool) -> CameraState:
    try:
        return services.live.view(camera_id).state
    except UnknownRecordError:
        return CameraState.CONNECTING if enabled else CameraState.DISABLED
