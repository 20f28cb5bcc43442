"""What became of cameras' pictures: verdicts, episodes and their reports; what people say to them."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from footfall.causes import ABOUT, STATISTICS, Remedy
from footfall.domain import (
    NAME_PATTERN,
    Camera,
    DriftAcceptance,
    DriftCause,
    DriftEnd,
    DriftEpisode,
    DriftReference,
    DriftState,
    DriftTier,
    DriftVerdict,
    FeatureDrift,
)
from footfall.errors import UnknownRecordError
from footfall.redaction import place_of
from service.api.problems import RESPONSES, ProblemError, invalid
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1/drift", tags=["drift"], responses=RESPONSES)

MOST_VERDICTS: Final = 20_000
"""In one answer; with statistics a tenth of it, because each verdict has about thirty."""
_MOST_DAYS: Final = 62
_OLDEST_BEGIN: Final = timedelta(days=60)

REPORT_HEADERS: Final = {
    # Evidently's page is one file with its scripts in it. It gets an origin of its own as well, and no network.
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    # With `same-origin` a browser opens no sandboxed page in a tab of its own.
    "Cross-Origin-Opener-Policy": "unsafe-none",
}

CameraId = Annotated[str, Path(pattern=NAME_PATTERN, description="Id of the camera.")]
EpisodeId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of the episode.")]
Who = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$", description="Who says it.")]
Cameras = Annotated[
    list[Annotated[str, Field(pattern=NAME_PATTERN)]] | None,
    Query(alias="camera", max_length=1000, description="Only these cameras; may be repeated."),
]
Time = Annotated[AwareDatetime | None, Query()]


class CauseAnswer(BaseModel):
    """What happened to a camera, in words."""

    name: DriftCause
    means: str
    remedy: Remedy = Field(description="Who can do something: somebody at the camera, a retraining, or nobody.")
    next_step: str = Field(description="What to do first.")

    @classmethod
    def of(cls, cause: DriftCause) -> "CauseAnswer":
        """Return what a cause means."""
        about = ABOUT[cause]
        return cls(name=cause, means=about.means, remedy=about.remedy, next_step=about.next_step)


class StatisticAnswer(BaseModel):
    """How far one statistic is from what it usually is."""

    score: float = Field(description="Distance between the reference and the window; ≥ 0.")
    threshold: float = Field(description="What the score must pass to be more than the usual variation.")
    shift: float = Field(description="Difference of the means in spreads of the reference; negative where it fell.")
    usual: float = Field(description="Mean of the reference, in the statistic's unit.")
    now: float = Field(description="Mean of the window.")

    @classmethod
    def of(cls, feature: FeatureDrift) -> "StatisticAnswer":
        """Return the answer for a statistic, with as many digits as anybody reads."""
        return cls(**{name: float(f"{value:.5g}") for name, value in dataclasses.asdict(feature).items()})


class VerdictAnswer(BaseModel):
    """What one window tells."""

    camera: str
    begin_at: datetime
    end_at: datetime
    judged_at: datetime
    rows: int = Field(description="Rows of statistics in the window.")
    state: DriftState = Field(description="`insufficient` and `suppressed` are no evidence, either way.")
    tier: DriftTier
    reference: DriftReference = Field(description="What it was compared with.")
    ratio: float | None = Field(description="Largest score ÷ threshold; null where nothing could be compared.")
    cause: CauseAnswer | None
    evidence: list[str] = Field(description="Statistics that belong to the cause, the leading one first.")
    others: list[DriftCause] = Field(description="Further causes that fit.")
    note: str
    has_report: bool
    statistics: dict[str, StatisticAnswer] | None = Field(description="null where several cameras were asked for.")

    @classmethod
    def of(cls, verdict: DriftVerdict, *, with_statistics: bool) -> "VerdictAnswer":
        """Return the answer for a verdict."""
        ratio = verdict.ratio
        return cls(
            camera=verdict.camera_id,
            begin_at=verdict.begin_at,
            end_at=verdict.end_at,
            judged_at=verdict.at,
            rows=verdict.rows,
            state=verdict.state,
            tier=verdict.tier,
            reference=verdict.reference,
            ratio=None if ratio is None else round(ratio, 3),
            cause=None if verdict.cause is None else CauseAnswer.of(verdict.cause),
            evidence=list(verdict.evidence),
            others=list(verdict.others),
            note=verdict.note,
            has_report=bool(verdict.report_key),
            statistics={name: StatisticAnswer.of(each) for name, each in verdict.features.items()}
            if with_statistics
            else None,
        )


class EpisodeAnswer(BaseModel):
    """A camera is not as it was, for long enough that somebody should look."""

    id: str
    camera: str
    cause: CauseAnswer
    since_at: datetime = Field(description="Begin of the first unusual window.")
    opened_at: datetime = Field(description="When it was noticed.")
    last_at: datetime = Field(description="End of the newest window that belongs to it.")
    invalidates_counts: bool = Field(description="Counts from `since_at` to the end mean something else than they say.")
    batch_until: datetime | None = Field(description="Until when pictures are drawn for labels.")
    closed_at: datetime | None
    end: DriftEnd | None
    closed_by: str
    note: str

    @classmethod
    def of(cls, episode: DriftEpisode) -> "EpisodeAnswer":
        """Return the answer for an episode."""
        return cls(**_episode_values(episode))


class PictureAnswer(BaseModel):
    """A sampled frame, heads pixelated."""

    sample: str = Field(description="Its picture: /api/v1/samples/{sample}/picture.")
    taken_at: datetime
    width_px: int
    height_px: int


class EpisodeDetailAnswer(EpisodeAnswer):
    """An episode with what the camera showed before and since."""

    before: PictureAnswer | None = Field(description="Newest sampled frame before it began that is still kept.")
    after: PictureAnswer | None = Field(description="Newest sampled frame since.")


class AcceptanceAnswer(BaseModel):
    """Somebody said which windows show the camera as it should be."""

    camera: str
    begins_at: datetime | None = Field(description="Windows before are no measure; null: the earlier begin stays.")
    until_at: datetime = Field(description="Windows from then on are none either, until the next acceptance.")
    at: datetime
    by: str
    note: str

    @classmethod
    def of(cls, acceptance: DriftAcceptance) -> "AcceptanceAnswer":
        """Return the answer for an acceptance."""
        return cls(
            camera=acceptance.camera_id,
            begins_at=acceptance.begins_at,
            until_at=acceptance.until_at,
            at=acceptance.at,
            by=acceptance.by,
            note=acceptance.note,
        )


class CameraDriftAnswer(BaseModel):
    """How a camera is now, compared with what it usually shows."""

    camera: str
    name: str
    enabled: bool
    verdict: VerdictAnswer | None = Field(description="Of the newest window; null: none was judged.")
    episode: EpisodeAnswer | None = Field(description="The open one.")
    counts_valid: bool = Field(description="false: its counts mean something else than they say, see `episode`.")
    can_sample: bool = Field(description="Whether pictures may be drawn for labels.")
    learning_until: datetime | None = Field(description="Until when what it shows is taken as how it should be.")


class DriftAnswer(BaseModel):
    """Every camera's newest verdict."""

    checked_at: datetime | None = Field(description="When a window was judged last; null: never.")
    cameras: list[CameraDriftAnswer]
    statistics: dict[str, str] = Field(description="Statistic → what it is, in a few words.")
    batch_h: float = Field(description="For so long pictures are drawn for labels.")
    learning_days: int = Field(description="What a camera shows for so long after a new view was accepted is usual.")


class NewAcceptance(BaseModel):
    """What somebody takes as how the camera should look."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["days", "anew"] = Field(
        description="`days`: what it showed until now is usual. `anew`: it was changed; only what it shows since is."
    )
    by: Who
    note: str = Field("", max_length=500, description="Why, one line.")
    begins_at: AwareDatetime | None = Field(
        None, description="Of `anew`: since when it shows what it should. Default: now."
    )


class NewWord(BaseModel):
    """Who does something, and why."""

    model_config = ConfigDict(extra="forbid")

    by: Who
    note: str = Field("", max_length=500, description="Why, one line.")


class AcceptedAnswer(BaseModel):
    """What was accepted, and the episode that it ended."""

    acceptance: AcceptanceAnswer
    ended: EpisodeAnswer | None


@router.get("", summary="How every camera is now")
def read_drift(services: ServicesDep) -> DriftAnswer:
    """Return the newest verdict and the open episode of each camera, by id."""
    verdicts, episodes = services.drift.last_verdicts(), services.drift.open_episodes()
    now = datetime.now(UTC)
    newest = services.drift.newest_acceptances()
    cameras = []
    for camera in sorted(services.database.cameras(), key=lambda each: each.id):
        verdict, episode = verdicts.get(camera.id), episodes.get(camera.id)
        accepted = newest.get(camera.id)
        is_learning = accepted is not None and accepted.begins_at is not None and accepted.until_at > now
        cameras.append(
            CameraDriftAnswer(
                camera=camera.id,
                name=camera.name,
                enabled=camera.enabled,
                verdict=None if verdict is None else VerdictAnswer.of(verdict, with_statistics=False),
                episode=None if episode is None else EpisodeAnswer.of(episode),
                counts_valid=episode is None or not episode.invalidates,
                can_sample=camera.sampling is not None,
                learning_until=accepted.until_at if accepted is not None and is_learning else None,
            )
        )
    return DriftAnswer(
        checked_at=max((verdict.at for verdict in verdicts.values()), default=None),
        cameras=cameras,
        statistics=dict(STATISTICS),
        batch_h=services.settings.drift_batch_h,
        learning_days=services.settings.drift_learning_days,
    )


@router.get("/verdicts", summary="What windows told")
def list_verdicts(
    services: ServicesDep, camera: Cameras = None, since: Time = None, until: Time = None
) -> list[VerdictAnswer]:
    """Return verdicts of windows that began in [since, until), oldest first; by default of the last seven days."""
    begin, end = _span(since, until)
    is_one = camera is not None and len(camera) == 1
    most = MOST_VERDICTS // 10 if is_one else MOST_VERDICTS
    found = services.drift.verdicts(since=begin, until=end, camera_ids=camera, limit=most + 1)
    if len(found) > most:
        raise invalid("since", f"the answer would have more than {most} verdicts; ask for a shorter time")
    return [VerdictAnswer.of(each, with_statistics=is_one) for each in found]


@router.get("/episodes", summary="When cameras were not as they were")
def list_episodes(
    services: ServicesDep,
    camera: Cameras = None,
    since: Time = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[EpisodeAnswer]:
    """Return episodes that were not over at `since` (default: 30 days ago), newest first."""
    begin = datetime.now(UTC) - timedelta(days=30) if since is None else since.astimezone(UTC)
    return [EpisodeAnswer.of(each) for each in services.drift.episodes(since=begin, camera_ids=camera, limit=limit)]


@router.get("/episodes/{episode_id}", summary="An episode, with what the camera showed before and since")
def read_episode(episode_id: EpisodeId, services: ServicesDep) -> EpisodeDetailAnswer:
    """Return an episode; pictures are there where sampling is on, for as long as they are kept."""
    episode = services.drift.episode(episode_id)
    end = episode.closed_at or datetime.now(UTC)
    return EpisodeDetailAnswer(
        **_episode_values(episode),
        before=_newest_frame(services, episode.camera_id, before=episode.since_at),
        after=_newest_frame(services, episode.camera_id, before=end, since=episode.since_at),
    )


@router.get("/cameras/{camera_id}/acceptances", summary="What was accepted of a camera")
def list_acceptances(camera_id: CameraId, services: ServicesDep) -> list[AcceptanceAnswer]:
    """Return the trail, newest first; the newest one holds."""
    return [AcceptanceAnswer.of(each) for each in services.drift.acceptances(camera_id)]


@router.post("/cameras/{camera_id}/accept", status_code=201, summary="Accept what a camera shows")
def accept(camera_id: CameraId, wanted: NewAcceptance, services: ServicesDep) -> AcceptedAnswer:
    """Take what a camera shows as how it should look; its open episode ends as accepted.

    `anew` also lets the service learn the camera's frozen view anew. 409 where days are to be accepted of a camera that
    looks elsewhere: its counts would go on to mean something else.
    """
    services.database.camera(camera_id)
    now = datetime.now(UTC)
    episode = services.drift.open_episodes().get(camera_id)
    if wanted.kind == "days":
        if wanted.begins_at is not None:
            raise invalid("begins_at", "is only of `anew`; leave it out")
        if episode is not None and episode.invalidates:
            raise ProblemError(409, f"camera {camera_id!r}: {_ELSEWHERE}; nothing was accepted")
        if not any(each.begins_at for each in services.drift.acceptances(camera_id)):
            raise ProblemError(
                409, f"camera {camera_id!r}: no window of it was judged yet, so there is nothing to accept"
            )
        acceptance = DriftAcceptance(camera_id, None, now, now, wanted.by, wanted.note)
        services.drift.accept(acceptance)
    else:
        begins_at = now if wanted.begins_at is None else wanted.begins_at.astimezone(UTC)
        if not now - _OLDEST_BEGIN <= begins_at <= now:
            raise invalid("begins_at", f"expected a time in the last {_OLDEST_BEGIN.days} days")
        acceptance = _accept_anew(services, camera_id, begins_at, now, by=wanted.by, note=wanted.note)
    ended = None
    if episode is not None:
        ended = services.drift.end_episode(episode.id, "accepted", at=now, by=wanted.by, note=wanted.note)
    return AcceptedAnswer(
        acceptance=AcceptanceAnswer.of(acceptance), ended=None if ended is None else EpisodeAnswer.of(ended)
    )


@router.post("/episodes/{episode_id}/ignore", summary="Say that an episode does not matter")
def ignore(episode_id: EpisodeId, word: NewWord, services: ServicesDep) -> EpisodeAnswer:
    """End an episode without learning from it; 409 when it is over, or while counts mean something else."""
    episode = _open(services, episode_id)
    if episode.invalidates:
        raise ProblemError(409, f"camera {episode.camera_id!r}: {_ELSEWHERE}; the episode stays open")
    now = datetime.now(UTC)
    return EpisodeAnswer.of(services.drift.end_episode(episode_id, "ignored", at=now, by=word.by, note=word.note))


@router.post("/episodes/{episode_id}/batch", summary="Have pictures drawn for labels")
def open_batch(episode_id: EpisodeId, word: NewWord, services: ServicesDep) -> EpisodeAnswer:
    """Draw pictures of this camera for labels, as long as the settings say; 409 without leave to keep any."""
    del word  # who asked is checked like everywhere else; the pictures have a trail of their own
    episode = _open(services, episode_id)
    if services.database.camera(episode.camera_id).sampling is None:
        raise ProblemError(
            409,
            f"camera {episode.camera_id!r}: has no leave to keep pictures for labels; allow it first (`sampling` with "
            "a purpose)",
        )
    until = datetime.now(UTC) + timedelta(hours=services.settings.drift_batch_h)
    return EpisodeAnswer.of(services.drift.open_batch(episode_id, until=until))


@router.get(
    "/reports/{camera_id}/{begin_at}",
    summary="The report on a window",
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "application/json": {}}, "description": "Made by Evidently."}},
)
def read_report(
    camera_id: CameraId,
    begin_at: Annotated[AwareDatetime, Path(description="Begin of the window.")],
    services: ServicesDep,
    format: Literal["html", "json"] = "html",  # noqa: A002  the public name
) -> Response:
    """Return the evidence for a verdict; 404 where none was made or its time is over."""
    verdict = services.drift.verdict(camera_id, begin_at.astimezone(UTC))
    nothing = ProblemError(404, f"camera {camera_id!r}: there is no report on the window from {begin_at.isoformat()}")
    if not verdict.report_key:
        raise nothing
    try:
        content = services.blobs.get(f"{verdict.report_key}.{'html.gz' if format == 'html' else 'json'}")
    except UnknownRecordError:
        raise nothing from None
    if format == "html":
        # Kept as it travels: megabytes become hundreds of kilobytes.
        headers = {**REPORT_HEADERS, "Content-Encoding": "gzip"}
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)
    name = f"drift-{camera_id}-{verdict.begin_at:%Y%m%dT%H%M%SZ}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/json", headers=headers)


def note_redrawn(services: Services, before: Camera | None, after: Camera, *, by: str) -> None:
    """End the episode that invalidates a camera's counts when its lines or zones were drawn anew, and learn its view.

    A camera with another source begins anew as well: it shows another place. Another password is no other source.
    Removing or turning round a line, or changing a name, is no drawing.
    """
    if before is not None and place_of(before.url) != place_of(after.url):
        now = datetime.now(UTC)
        note = "it has another source"
        _accept_anew(services, after.id, now, now, by=by, note=note)
        episode = services.drift.open_episodes().get(after.id)
        if episode is not None:
            services.drift.end_episode(episode.id, "accepted", at=now, by=by, note=note)
        return
    if before is None or not _shapes(after) - _shapes(before):
        return
    episode = services.drift.open_episodes().get(after.id)
    if episode is None or not episode.invalidates:
        return
    now = datetime.now(UTC)
    note = "lines or zones were drawn anew"
    _accept_anew(services, after.id, now, now, by=by, note=note)
    services.drift.end_episode(episode.id, "redrawn", at=now, by=by, note=note)


_ELSEWHERE: Final = (
    "it looks elsewhere, so its counts mean something else than they say; turn it back, draw its lines anew, or accept "
    "the new view"
)


def _accept_anew(
    services: Services, camera_id: str, begins_at: datetime, now: datetime, *, by: str, note: str
) -> DriftAcceptance:
    until_at = begins_at + timedelta(days=services.settings.drift_learning_days)
    acceptance = DriftAcceptance(camera_id, begins_at, until_at, now, by, note)
    services.drift.accept(acceptance)
    services.fleet.forget_view(camera_id)
    return acceptance


def _shapes(camera: Camera) -> set[tuple[tuple[float, float], ...]]:
    lines = {tuple(sorted((line.start, line.end))) for line in camera.lines}
    return lines | {zone.polygon for zone in camera.zones}


def _open(services: Services, episode_id: str) -> DriftEpisode:
    episode = services.drift.episode(episode_id)
    if episode.closed_at is not None:
        raise ProblemError(
            409,
            f"episode {episode_id}: is over since {episode.closed_at:%F %T} UTC ({episode.end}, {episode.closed_by})",
        )
    return episode


def _newest_frame(
    services: Services, camera_id: str, *, before: datetime, since: datetime | None = None
) -> PictureAnswer | None:
    found = services.samples.newest_picture(camera_id, "frame", before=before, since=since)
    if found is None:
        return None
    return PictureAnswer(sample=found.id, taken_at=found.taken_at, width_px=found.width_px, height_px=found.height_px)


def _span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    end = (until or datetime.now(UTC)).astimezone(UTC)
    begin = (since or end - timedelta(days=7)).astimezone(UTC)
    if begin >= end:
        raise invalid("since", "not before `until`; expected an earlier time")
    if end - begin > timedelta(days=_MOST_DAYS):
        raise invalid("since", f"more than {_MOST_DAYS} days before `until`; ask for less")
    return begin, end


def _episode_values(episode: DriftEpisode) -> dict[str, object]:
    return {
        "id": episode.id,
        "camera": episode.camera_id,
        "cause": CauseAnswer.of(episode.cause),
        "since_at": episode.since_at,
        "opened_at": episode.opened_at,
        "last_at": episode.last_at,
        "invalidates_counts": episode.invalidates,
        "batch_until": episode.batch_until,
        "closed_at": episode.closed_at,
        "end": episode.end,
        "closed_by": episode.closed_by,
        "note": episode.note,
    }
