"""Counts of lines and zones by minute, hour or day, with coverage, as JSON or CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from footfall.causes import ABOUT
from footfall.domain import NAME_PATTERN, DriftCause
from service.api.problems import RESPONSES, invalid
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1", tags=["counts"], responses=RESPONSES)

Bucket = Literal["minute", "hour", "day"]
MAX_ROWS: Final = 100_000
_BUCKET: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_MOST: Final = {"minute": timedelta(days=7), "hour": timedelta(days=366), "day": timedelta(days=3660)}
_CSV: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


class CountAnswer(BaseModel):
    """What one line counted in one bucket."""

    camera: str
    line: str
    bucket_at: datetime = Field(description="Start of the bucket; UTC.")
    in_: int = Field(serialization_alias="in", description="Gross: U-turns count in both directions.")
    out: int = Field(description="Gross: U-turns count in both directions.")
    effective_in: int = Field(description="Without U-turns.")
    effective_out: int = Field(description="Without U-turns.")
    watched_s: float = Field(description="Seconds in which the camera was watched.")
    seconds: float = Field(description="Seconds of the bucket that lie in the time asked for and in the past.")
    coverage: float = Field(description="watched_s / seconds; where it is under 1, people may have gone uncounted.")
    valid: bool = Field(description="false: in a part of it the camera looked elsewhere, see `invalid`.")


class InvalidAnswer(BaseModel):
    """When the counts of a camera mean something else than they say; they are given all the same."""

    camera: str
    since: datetime
    until: datetime | None = Field(description="null: still.")
    cause: DriftCause
    means: str = Field(description="What happened to the camera, in words.")


class CountsAnswer(BaseModel):
    """Counts of lines."""

    bucket: Bucket
    since: datetime
    until: datetime
    rows: list[CountAnswer]
    invalid: list[InvalidAnswer]


class ZoneCountAnswer(BaseModel):
    """What happened in one zone in one bucket."""

    camera: str
    zone: str
    bucket_at: datetime = Field(description="Start of the bucket; UTC.")
    visits: int = Field(description="Stays that ended in the bucket.")
    left: int = Field(description="Stays that ended with the person seen leaving.")
    lost: int = Field(description="Stays that ended with the person lost from view inside.")
    mean_dwell_s: float | None = Field(description="Mean of the finished stays; null when there is none.")
    watched_s: float = Field(description="Seconds in which the camera was watched.")
    seconds: float = Field(description="Seconds of the bucket that lie in the time asked for and in the past.")
    coverage: float = Field(description="watched_s / seconds.")
    valid: bool = Field(description="false: in a part of it the camera looked elsewhere, see `invalid`.")


class ZoneCountsAnswer(BaseModel):
    """Counts of zones."""

    bucket: Bucket
    since: datetime
    until: datetime
    rows: list[ZoneCountAnswer]
    invalid: list[InvalidAnswer]


class Span(BaseModel):
    """The checked time range of a question."""

    since: datetime
    until: datetime
    bucket: Bucket
    cameras: list[str] | None


def span(
    services: ServicesDep,
    bucket: Annotated[Bucket, Query(description="Length of a bucket.")] = "hour",
    since: Annotated[AwareDatetime | None, Query(description="Start; default: 60 buckets before `until`.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="End, not included; default: now.")] = None,
    camera: Annotated[
        list[Annotated[str, Field(pattern=NAME_PATTERN)]] | None,
        Query(max_length=1000, description="Only these cameras; may be repeated."),
    ] = None,
) -> Span:
    """Check a time range.

    Raises:
        ProblemError: it is empty, too long, or would give too many rows.
        UnknownRecordError: a camera is not there.
    """
    end = (until or datetime.now(UTC)).astimezone(UTC)
    start = (since or end - 60 * _BUCKET[bucket]).astimezone(UTC)
    if start >= end:
        raise invalid("since", "not before `until`; expected an earlier time")
    if end - start > _MOST[bucket]:
        raise invalid("since", f"more than {_MOST[bucket].days} days before `until`; ask for less or a longer bucket")
    cameras = [services.database.camera(each) for each in camera] if camera else services.database.cameras()
    parts = sum(max(len(each.lines), len(each.zones)) for each in cameras)
    rows = parts * ((end - start) / _BUCKET[bucket] + 1)
    if rows > MAX_ROWS:
        raise invalid(
            "since",
            f"the answer would have {rows:.0f} rows, at most {MAX_ROWS} are given; ask for less or a longer bucket",
        )
    return Span(since=start, until=end, bucket=bucket, cameras=camera)


SpanDep = Annotated[Span, Depends(span)]
Format = Annotated[Literal["json", "csv"] | None, Query(description="Wins over the Accept header.")]
Accept = Annotated[str, Header(description="`text/csv` gives CSV.")]


@router.get("/counts", response_model=CountsAnswer, responses=_CSV, summary="Counts of lines")
def read_counts(
    services: ServicesDep,
    asked: SpanDep,
    accept: Accept = "",
    format: Format = None,  # noqa: A002  the public name
) -> CountsAnswer | Response:
    """Return one row per camera, line and bucket; a bucket without people has a row too, with its coverage."""
    invalid_in = _invalid(services, asked)
    rows = [
        CountAnswer(
            camera=row.camera_id,
            line=row.line,
            bucket_at=row.bucket_at,
            in_=row.in_,
            out=row.out,
            effective_in=row.effective_in,
            effective_out=row.effective_out,
            watched_s=round(row.watched_s, 3),
            seconds=round(row.seconds, 3),
            coverage=round(row.coverage, 4),
            valid=_is_valid(asked, invalid_in, row.camera_id, row.bucket_at),
        )
        for row in services.database.counts(
            since=asked.since, until=asked.until, bucket=asked.bucket, camera_ids=asked.cameras
        )
    ]
    if _wants_csv(accept, format):
        return csv_response(list(CountAnswer.model_fields), rows, "counts.csv")
    return CountsAnswer(bucket=asked.bucket, since=asked.since, until=asked.until, rows=rows, invalid=invalid_in)


@router.get("/zone-counts", response_model=ZoneCountsAnswer, responses=_CSV, summary="Counts of zones")
def read_zone_counts(
    services: ServicesDep,
    asked: SpanDep,
    accept: Accept = "",
    format: Format = None,  # noqa: A002  the public name
) -> ZoneCountsAnswer | Response:
    """Return one row per camera, zone and bucket."""
    invalid_in = _invalid(services, asked)
    rows = [
        ZoneCountAnswer(
            camera=row.camera_id,
            zone=row.zone,
            bucket_at=row.bucket_at,
            visits=row.visits,
            left=row.left,
            lost=row.lost,
            mean_dwell_s=None if row.mean_dwell_s is None else round(row.mean_dwell_s, 2),
            watched_s=round(row.watched_s, 3),
            seconds=round(row.seconds, 3),
            coverage=round(row.coverage, 4),
            valid=_is_valid(asked, invalid_in, row.camera_id, row.bucket_at),
        )
        for row in services.database.zone_counts(
            since=asked.since, until=asked.until, bucket=asked.bucket, camera_ids=asked.cameras
        )
    ]
    if _wants_csv(accept, format):
        return csv_response(list(ZoneCountAnswer.model_fields), rows, "zone-counts.csv")
    return ZoneCountsAnswer(bucket=asked.bucket, since=asked.since, until=asked.until, rows=rows, invalid=invalid_in)


def _invalid(services: Services, asked: Span) -> list[InvalidAnswer]:
    return [
        InvalidAnswer(
            camera=episode.camera_id,
            since=episode.since_at,
            until=episode.closed_at,
            cause=episode.cause,
            means=ABOUT[episode.cause].means,
        )
        for episode in services.drift.invalidating(since=asked.since, until=asked.until)
        if asked.cameras is None or episode.camera_id in asked.cameras
    ]


def _is_valid(asked: Span, invalid_in: Sequence[InvalidAnswer], camera_id: str, bucket_at: datetime) -> bool:
    begin, end = max(bucket_at, asked.since), min(bucket_at + _BUCKET[asked.bucket], asked.until)
    return not any(
        each.camera == camera_id and each.since < end and (each.until is None or each.until > begin)
        for each in invalid_in
    )


def csv_cell(value: object) -> str:
    """Return a value that no spreadsheet takes for a formula.

    >>> csv_cell("=1+1"), csv_cell("gate-2"), csv_cell(None), csv_cell(-3), csv_cell(True)
    ("'=1+1", 'gate-2', '', '-3', 'true')
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def csv_response(fields: Sequence[str], rows: Iterable[BaseModel], filename: str) -> Response:
    """Return rows as a CSV download; the header names the columns as JSON does."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([field.rstrip("_") for field in fields])
    writer.writerows([csv_cell(getattr(row, field)) for field in fields] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _wants_csv(accept: str, format_: str | None) -> bool:
    return format_ == "csv" if format_ else "text/csv" in accept.lower()
