"""Cameras, their lines and zones: read, add, change, remove; a URL goes in and never comes out."""

import dataclasses
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from footfall.config import MAX_CAMERAS, CameraSettings, LineSettings, Name, SamplingSettings, ZoneSettings
from footfall.domain import NAME_PATTERN, Camera, Line, Zone
from footfall.redaction import MASK, redact_url
from service.api.admission import AdmittedCameraAnswer, admitted
from service.api.answers import CameraAnswer, LineAnswer, ZoneAnswer
from service.api.drift import note_redrawn
from service.api.problems import RESPONSES, ProblemError, as_request_error, invalid
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1/cameras", tags=["cameras"], responses=RESPONSES)

Model = TypeVar("Model", bound=BaseModel)
Part = TypeVar("Part", bound=Line | Zone)
CameraId = Annotated[str, Path(pattern=NAME_PATTERN, description="Id of the camera.")]
By = Annotated[
    str,
    Query(
        min_length=1,
        max_length=64,
        pattern=r"^\S(.*\S)?$",
        description="Who does it. Drawing lines or zones anew ends what made the counts of a moved camera invalid.",
    ),
]
PartName = Annotated[str, Path(pattern=NAME_PATTERN, description="Name of the line or zone.")]


class CameraChange(BaseModel):
    """What of a camera is to be changed; every value is checked like that of a new camera."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: Name | None = Field(None, description="May be given, but only as it is: an id never changes.")
    url: SecretStr | None = Field(
        None, description="Write-only. Left out, or sent as `url_masked` shows it, the stored URL is kept."
    )
    name: str | None = Field(None, max_length=200, description="What people call it.")
    enabled: bool | None = Field(None, description="Whether it is watched.")
    target_fps: float | None = Field(None, gt=0, le=60, description="Analyses a second aimed at.")
    priority: int | None = Field(
        None,
        ge=1,
        le=10,
        description="Where the machine is too small, it waits this many times less than others.",
    )
    transport: Literal["tcp", "udp"] | None = Field(None, description="How RTSP media travels.")
    loop: bool | None = Field(None, description="A file starts again at its end.")
    lines: list[LineSettings] | None = Field(None, max_length=64, description="Counting lines.")
    zones: list[ZoneSettings] | None = Field(None, max_length=64, description="Zones.")
    sampling: SamplingSettings | None = Field(None, description="Pictures for review; null ends it.")


class NewLine(BaseModel):
    """A line whose name is in the path."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    start: tuple[float, float] = Field(description="x, y as shares of width and height.")
    end: tuple[float, float] = Field(description="x, y; crossing to the right of start→end on screen is `in`.")


class NewZone(BaseModel):
    """A zone whose name is in the path."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    polygon: list[tuple[float, float]] = Field(description="At least three corners: x, y as shares.")
    min_inside_s: float = Field(0.0, description="A shorter stay is no visit; seconds.")


@router.get("", summary="List the cameras")
def list_cameras(services: ServicesDep) -> list[CameraAnswer]:
    """Return every camera as configured, by id."""
    return [CameraAnswer.of(camera) for camera in sorted(services.database.cameras(), key=lambda each: each.id)]


@router.post("", status_code=201, summary="Add a camera")
def add_camera(settings: CameraSettings, services: ServicesDep, response: Response) -> AdmittedCameraAnswer:
    """Store a camera, start to watch it and tell what it costs; 409 when the id is taken."""
    with services.config_lock:
        cameras = services.database.cameras()
        if any(camera.id == settings.id for camera in cameras):
            raise ProblemError(409, f"camera {settings.id!r} is there already; change it with PUT or PATCH")
        _check_number(len(cameras))
        camera = settings.to_domain()
        _apply(services, camera, None, "api")
    response.headers["Location"] = f"/api/v1/cameras/{camera.id}"
    return admitted(services, camera, cameras, None)


@router.get("/{camera_id}", summary="Read a camera")
def read_camera(camera_id: CameraId, services: ServicesDep) -> CameraAnswer:
    """Return one camera as configured."""
    return CameraAnswer.of(services.database.camera(camera_id))


@router.put("/{camera_id}", summary="Replace or add a camera", responses={201: {"description": "It was added."}})
def replace_camera(
    camera_id: CameraId, change: CameraChange, services: ServicesDep, response: Response, by: By = "api"
) -> AdmittedCameraAnswer:
    """Store a camera and tell what it costs; what is left out takes its default, except the URL, which is kept."""
    with services.config_lock:
        cameras = {camera.id: camera for camera in services.database.cameras()}
        stored = cameras.pop(camera_id, None)
        if stored is None:
            _check_number(len(cameras))
            response.status_code = 201
        camera = _merged({}, camera_id, change, stored)
        _apply(services, camera, stored, by)
    return admitted(services, camera, cameras.values(), stored)


@router.patch("/{camera_id}", summary="Change a camera")
def change_camera(
    camera_id: CameraId, change: CameraChange, services: ServicesDep, by: By = "api"
) -> AdmittedCameraAnswer:
    """Change what is given, keep the rest and tell what the camera costs."""
    with services.config_lock:
        stored = services.database.camera(camera_id)
        base = dataclasses.asdict(stored)
        camera = _merged(base, camera_id, change, stored)
        _apply(services, camera, stored, by)
        others = [each for each in services.database.cameras() if each.id != camera_id]
    return admitted(services, camera, others, stored)


@router.delete("/{camera_id}", status_code=204, summary="Remove a camera")
def remove_camera(camera_id: CameraId, services: ServicesDep) -> None:
    """Stop watching a camera and forget its configuration; its counts and events stay."""
    with services.config_lock:
        services.database.delete_camera(camera_id)
        services.fleet.remove(camera_id)


@router.get("/{camera_id}/lines", summary="List a camera's lines", tags=["lines and zones"])
def list_lines(camera_id: CameraId, services: ServicesDep) -> list[LineAnswer]:
    """Return the counting lines of a camera."""
    return CameraAnswer.of(services.database.camera(camera_id)).lines


@router.put("/{camera_id}/lines", summary="Replace all lines", tags=["lines and zones"])
def replace_lines(
    camera_id: CameraId, lines: list[LineSettings], services: ServicesDep, by: By = "api"
) -> list[LineAnswer]:
    """Take these lines and no others."""
    return _change_parts(services, camera_id, CameraChange(lines=lines), by).lines


@router.put("/{camera_id}/lines/{name}", summary="Add or replace a line", tags=["lines and zones"])
def put_line(camera_id: CameraId, name: PartName, line: NewLine, services: ServicesDep, by: By = "api") -> LineAnswer:
    """Store one line under its name."""
    new = _checked(LineSettings, {"name": name, "start": line.start, "end": line.end}).to_domain()
    with services.config_lock:
        camera = services.database.camera(camera_id)
        lines = _with_part(camera.lines, new)
        if len(lines) > 64:
            raise ProblemError(409, f"camera {camera_id!r} has 64 lines, the most there can be; delete one first")
        _apply(services, dataclasses.replace(camera, lines=lines), camera, by)
    return LineAnswer(name=new.name, start=new.start, end=new.end)


@router.delete("/{camera_id}/lines/{name}", status_code=204, summary="Remove a line", tags=["lines and zones"])
def delete_line(camera_id: CameraId, name: PartName, services: ServicesDep) -> None:
    """Remove one line; what it counted stays."""
    with services.config_lock:
        camera = services.database.camera(camera_id)
        lines = tuple(line for line in camera.lines if line.name != name)
        if len(lines) == len(camera.lines):
            raise ProblemError(404, f"camera {camera_id!r} has no line {name!r}")
        _apply(services, dataclasses.replace(camera, lines=lines), camera, "api")


@router.get("/{camera_id}/zones", summary="List a camera's zones", tags=["lines and zones"])
def list_zones(camera_id: CameraId, services: ServicesDep) -> list[ZoneAnswer]:
    """Return the zones of a camera."""
    return CameraAnswer.of(services.database.camera(camera_id)).zones


@router.put("/{camera_id}/zones", summary="Replace all zones", tags=["lines and zones"])
def replace_zones(
    camera_id: CameraId, zones: list[ZoneSettings], services: ServicesDep, by: By = "api"
) -> list[ZoneAnswer]:
    """Take these zones and no others."""
    return _change_parts(services, camera_id, CameraChange(zones=zones), by).zones


@router.put("/{camera_id}/zones/{name}", summary="Add or replace a zone", tags=["lines and zones"])
def put_zone(camera_id: CameraId, name: PartName, zone: NewZone, services: ServicesDep, by: By = "api") -> ZoneAnswer:
    """Store one zone under its name."""
    new = _checked(ZoneSettings, {"name": name, **zone.model_dump()}).to_domain()
    with services.config_lock:
        camera = services.database.camera(camera_id)
        zones = _with_part(camera.zones, new)
        if len(zones) > 64:
            raise ProblemError(409, f"camera {camera_id!r} has 64 zones, the most there can be; delete one first")
        _apply(services, dataclasses.replace(camera, zones=zones), camera, by)
    return ZoneAnswer(name=new.name, polygon=list(new.polygon), min_inside_s=new.min_inside_s)


@router.delete("/{camera_id}/zones/{name}", status_code=204, summary="Remove a zone", tags=["lines and zones"])
def delete_zone(camera_id: CameraId, name: PartName, services: ServicesDep) -> None:
    """Remove one zone; its visits stay."""
    with services.config_lock:
        camera = services.database.camera(camera_id)
        zones = tuple(zone for zone in camera.zones if zone.name != name)
        if len(zones) == len(camera.zones):
            raise ProblemError(404, f"camera {camera_id!r} has no zone {name!r}")
        _apply(services, dataclasses.replace(camera, zones=zones), camera, "api")


def _apply(services: Services, camera: Camera, before: Camera | None, by: str) -> None:
    # Stored first: what runs must come back after a restart.
    services.database.put_camera(camera)
    services.fleet.apply(camera)
    note_redrawn(services, before, camera, by=by)


def _check_number(cameras: int) -> None:
    if cameras >= MAX_CAMERAS:
        raise ProblemError(409, f"there are {cameras} cameras, the most there can be; delete one first")


def _change_parts(services: Services, camera_id: str, change: CameraChange, by: str) -> CameraAnswer:
    return change_camera(camera_id, change, services, by)


def _merged(base: dict[str, Any], camera_id: str, change: CameraChange, stored: Camera | None) -> Camera:
    if change.id is not None and change.id != camera_id:
        raise invalid("id", f"differs from the id in the path, {camera_id!r}; an id never changes")
    given = change.model_dump(exclude_none=True, exclude={"id", "url"})
    if "sampling" in change.model_fields_set:
        given["sampling"] = None if change.sampling is None else change.sampling.model_dump()
    url = _url(change, stored)
    return _checked(CameraSettings, {**base, **given, "id": camera_id, "url": url}).to_domain()


def _url(change: CameraChange, stored: Camera | None) -> str:
    sent = None if change.url is None else change.url.get_secret_value()
    if stored is not None and sent in {None, redact_url(stored.url)}:
        return stored.url
    if sent is None:
        raise invalid("url", "missing; a new camera needs one")
    if f"{MASK}@" in sent or f"={MASK}" in sent:
        # With a changed host the stored password would go to another machine.
        raise invalid("url", f"holds {MASK} where a secret stood; send the whole URL, or leave it out to keep it")
    return sent


def _checked(kind: type[Model], values: dict[str, Any]) -> Model:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise as_request_error(error) from None


def _with_part(parts: tuple[Part, ...], new: Part) -> tuple[Part, ...]:
    if any(part.name == new.name for part in parts):
        return tuple(new if part.name == new.name else part for part in parts)
    return (*parts, new)
