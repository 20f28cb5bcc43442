"""What one more camera would cost, told before it is added and with the answer that adds it; it is never refused."""

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from footfall.domain import Camera, CameraState
from footfall.errors import UnknownRecordError
from service.api.answers import CameraAnswer
from service.api.problems import RESPONSES
from service.api.services import Services, ServicesDep
from service.capacity import Capacity, Load, Stage

router = APIRouter(prefix="/api/v1", tags=["system"], responses=RESPONSES)

_STAGES: Final[dict[Stage, str]] = {
    "decode": "decoding",
    "detect": "the detector",
    "count": "tracking and counting",
    "other": "records and pages",
}
_NEW: Final = "a new camera"
"""No camera's id: there is a space in it."""


class LoadAnswer(BaseModel):
    """What all cameras that are switched on ask for, whether they send now or not."""

    needed_fps: float = Field(description="Analyses a second asked for: each camera's rate, or what it sends.")
    available_fps: float = Field(description="Analyses a second that could be done.")
    cores_needed: float
    rate_share: float = Field(description="Share of its rate that each camera gets, priorities aside; 1: all of it.")


class AdmissionAnswer(BaseModel):
    """What a camera costs, by what those that run cost on average over the last seconds."""

    fits: bool = Field(description="Whether every camera keeps its rate with it; if not, it is watched all the same.")
    summary: str = Field(description="One line for people.")
    cores: float = Field(description="What it takes; of one that is changed, so many more than before, or fewer.")
    camera_fps: float = Field(description="Analyses a second that it gets, priorities aside.")
    before: LoadAnswer
    after: LoadAnswer
    limiting_stage: Stage = Field(description="What takes the most CPU time with it.")


class AdmittedCameraAnswer(CameraAnswer):
    """A camera as configured now, and what it costs."""

    admission: AdmissionAnswer | None = Field(
        description="null while nothing is analysed, so that no cost is known, and where the camera is switched off."
    )


@router.get("/admission", summary="What one more camera would cost")
def read_admission(
    services: ServicesDep,
    target_fps: Annotated[float, Query(gt=0, le=60, description="Analyses a second aimed at.")] = 5.0,
) -> AdmissionAnswer | None:
    """Return what a camera like those that run would take, and what it would leave for all; null while unknown."""
    now = services.capacity()
    if now is None:
        return None
    before = _targets(services, services.database.cameras())
    return _answer(now, before, {**before, _NEW: target_fps}, target_fps)


def admitted(
    services: Services, camera: Camera, others: Iterable[Camera], stored: Camera | None
) -> AdmittedCameraAnswer:
    """Return the answer for a camera that is added or changed.

    Args:
        others: all other cameras.
        stored: as it was before; None: it is new.
    """
    answer = CameraAnswer.of(camera).model_dump()
    now = services.capacity()
    if now is None or not camera.enabled:
        return AdmittedCameraAnswer(**answer, admission=None)
    rest = _targets(services, others)
    before = rest | (_targets(services, [stored]) if stored is not None else {})
    admission = _answer(now, before, {**rest, camera.id: camera.target_fps}, camera.target_fps)
    return AdmittedCameraAnswer(**answer, admission=admission)


def _targets(services: Services, cameras: Iterable[Camera]) -> dict[str, float]:
    return {each.id: each.target_fps for each in cameras if each.enabled and not _has_ended(services, each.id)}


def _has_ended(services: Services, camera_id: str) -> bool:
    try:
        return services.live.view(camera_id).state is CameraState.ENDED
    except UnknownRecordError:
        return False


def _answer(now: Capacity, before: dict[str, float], after: dict[str, float], target_fps: float) -> AdmissionAnswer:
    old, new = now.load_of(before), now.load_of(after)
    cores, camera_fps = new.cores - old.cores, target_fps * new.share
    limit = _STAGES[new.limiting_stage]
    if new.fits:
        summary = (
            f"It {'frees' if cores < 0 else 'takes'} {abs(cores):.2f} of {now.cores} cores. With it "
            f"{new.needed_fps:.0f} of {new.available_fps:.0f} analyses a second are in use "
            f"({new.needed_fps / new.available_fps:.0%}); most goes into {limit}."
        )
    else:
        summary = (
            f"The machine is too small for it: with it {new.needed_fps:.0f} analyses a second are needed (now "
            f"{old.needed_fps:.0f}), and {new.available_fps:.0f} can be done. It is watched all the same; each camera "
            f"gets {new.share:.0%} of its rate, this one {camera_fps:.1f} of {target_fps:g} a second. Most goes into "
            f"{limit}."
        )
    return AdmissionAnswer(
        fits=new.fits,
        summary=summary,
        cores=round(cores, 3),
        camera_fps=round(camera_fps, 2),
        before=_load(old),
        after=_load(new),
        limiting_stage=new.limiting_stage,
    )


def _load(load: Load) -> LoadAnswer:
    return LoadAnswer(
        needed_fps=round(load.needed_fps, 2),
        available_fps=round(load.available_fps, 2),
        cores_needed=round(load.cores, 3),
        rate_share=round(load.share, 3),
    )
