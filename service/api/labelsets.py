"""Labelled frames as a zip file for other tools, and their labels back."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import StreamingResponse

from footfall.domain import NAME_PATTERN
from service.api.problems import RESPONSES, ProblemError, invalid
from service.api.services import ServicesDep
from service.labelsets import (
    MAX_ARCHIVE_BYTES,
    LabelFormat,
    LabelSetError,
    export_frames,
    import_frames,
    pack_set,
    unpack_set,
)

router = APIRouter(prefix="/api/v1/review", tags=["review"], responses=RESPONSES)

MAX_FRAMES: Final = 1000
"""In one download: some 300 MB on the disk while it lasts."""
MAX_SKIPPED: Final = 100
_CHUNK: Final = 1 << 18

Format = Annotated[LabelFormat, Query(description="How labels are written.")]


class SkippedAnswer(BaseModel):
    """An image that was passed over."""

    name: str
    why: str


class ImportAnswer(BaseModel):
    """What was taken over of a set."""

    added: int = Field(description="Labels added.")
    unchanged: int = Field(description="Frames of which this reviewer's newest label says the same.")
    skipped: int = Field(description="Images passed over.")
    skipped_images: list[SkippedAnswer] = Field(description=f"The first {MAX_SKIPPED} of them.")
    ignored_boxes: dict[str, int] = Field(description="Boxes passed over, by class.")


async def _zip_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_ARCHIVE_BYTES:
            raise ProblemError(413, f"the zip file is larger than {MAX_ARCHIVE_BYTES} bytes; send less")
    return bytes(body)


@router.get(
    "/export",
    summary="Labelled frames as a data set",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The set as a zip file."}},
)
def export_labels(
    format: Format,  # noqa: A002  the parameter's name
    request: Request,
    services: ServicesDep,
    *,
    camera: Annotated[str | None, Query(pattern=NAME_PATTERN, description="Only of this camera.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Taken at or after this.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Taken before this.")] = None,
    unlabelled: Annotated[bool, Query(description="Also frames without a label, with the system's boxes.")] = False,
) -> StreamingResponse:
    """Return pictures and labels as CVAT and Label Studio read them; 422 when there is nothing or too much."""
    archive = tempfile.TemporaryFile()  # noqa: SIM115  closed when it was sent; it has no name, so nothing stays
    try:
        with _alone(request), tempfile.TemporaryDirectory(prefix="footfall-export-") as folder:
            export_frames(
                services.samples,
                services.blobs,
                Path(folder),
                format=format,
                camera_ids=None if camera is None else [camera],
                since=since,
                until=until,
                with_unlabelled=unlabelled,
                most=MAX_FRAMES,
            )
            pack_set(Path(folder), archive)
    except LabelSetError as error:
        archive.close()
        raise ProblemError(422, str(error)) from None
    except BaseException:
        archive.close()
        raise
    headers = {
        "Content-Disposition": f'attachment; filename="footfall-{format}.zip"',
        "Content-Length": str(archive.tell()),
    }
    archive.seek(0)
    return StreamingResponse(_chunks(archive), media_type="application/zip", headers=headers)


@router.post(
    "/import",
    status_code=201,
    summary="Take over the labels of a data set",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def import_labels(
    format: Format,  # noqa: A002  the parameter's name
    reviewer: Annotated[str, Query(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$", description="Who says it.")],
    archive: Annotated[bytes, Depends(_zip_body)],
    request: Request,
    services: ServicesDep,
) -> ImportAnswer:
    """Add a label to each frame whose id is in a name of the set; a set that cannot be read adds nothing."""
    try:
        with _alone(request), tempfile.TemporaryDirectory(prefix="footfall-import-") as folder:
            unpack_set(archive, Path(folder))
            taken = import_frames(
                services.samples, Path(folder), format=format, reviewer=reviewer, at=datetime.now(UTC)
            )
    except LabelSetError as error:
        raise invalid("body", str(error)) from None
    return ImportAnswer(
        added=taken.added,
        unchanged=taken.unchanged,
        skipped=len(taken.skipped),
        skipped_images=[SkippedAnswer(name=each.name, why=each.why) for each in taken.skipped[:MAX_SKIPPED]],
        ignored_boxes=dict(taken.ignored),
    )


@contextmanager
def _alone(request: Request) -> Iterator[None]:
    """One set at a time: each may take hundreds of megabytes."""
    lock = request.app.state.labelset_lock
    if not lock.acquire(timeout=1):
        raise ProblemError(503, "another set is being packed or read; try again shortly", headers={"Retry-After": "10"})
    try:
        yield
    finally:
        lock.release()


def _chunks(archive: BinaryIO) -> Iterator[bytes]:
    with archive:
        while chunk := archive.read(_CHUNK):
            yield chunk
