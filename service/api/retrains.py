"""Asking for a better model: by people and by automation; what became of it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from footfall.domain import (
    NAME_PATTERN,
    RetrainAnswer,
    RetrainCause,
    RetrainOutcome,
    RetrainProgress,
    RetrainRequest,
    RetrainSource,
    RetrainState,
)
from service.api.problems import RESPONSES, ProblemError, invalid
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1/retrains", tags=["retrains"], responses=RESPONSES)

RequestId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of the request.")]
_WHY = {
    "active": "another one is not over yet; one at a time",
    "cooldown": "the last one ended too short a time ago; wait, or send `force`",
}


class NewRetrain(BaseModel):
    """Why a better model is wanted."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=500, description="For people, one line.")
    asked_by: str = Field("api", min_length=1, max_length=64, description="Who wants it.")
    cause: RetrainCause = "asked"
    cameras: list[Annotated[str, Field(pattern=NAME_PATTERN)]] = Field(
        default_factory=list, max_length=1000, description="Of which cameras; empty is the whole site."
    )
    force: bool = Field(False, description="Also if the same was asked before, and soon after the last one.")


class RetrainEnd(BaseModel):
    """How a retraining ended, told by whoever a webhook let run it."""

    model_config = ConfigDict(extra="forbid")

    outcome: RetrainOutcome
    note: str = Field("", max_length=500)


class ProgressAnswer(BaseModel):
    """How far a retraining is, as its run told last."""

    at: datetime
    stale: bool = Field(description="Nothing was told for a quarter of an hour: the run may be gone.")
    stage: str
    number: int = Field(description="Which stage it is, of `stages`.")
    stages: int
    what: str
    step: int | None = Field(description="Of training; null outside it.")
    steps: int | None
    loss: float | None = Field(description="Mean since the last report; null outside training.")
    losses: dict[str, float] = Field(description="Its parts: `box`, `cls`, `dfl`; empty outside training.")
    epoch: float | None = Field(
        description="How often each new picture was learned from, on the average; null outside training."
    )
    epochs: float | None = Field(description="How often it will be in all.")
    done: float | None = Field(description="Share of the planned time that lies behind; null before there is a plan.")
    left_s: float | None = Field(description="Until its end; null before there is a plan.")

    @classmethod
    def of(cls, progress: RetrainProgress, now: datetime) -> "ProgressAnswer":
        """Return the answer for progress as of `now`."""
        return cls(
            at=progress.at,
            stale=progress.is_stale(now),
            stage=progress.stage,
            number=progress.number,
            stages=progress.stages,
            what=progress.what,
            step=progress.step,
            steps=progress.steps,
            loss=progress.loss,
            losses=dict(progress.losses),
            epoch=progress.epoch,
            epochs=progress.epochs,
            done=progress.done,
            left_s=progress.left_s,
        )


class RetrainRequestAnswer(BaseModel):
    """A request for a better model and how far it is."""

    id: str
    cause: RetrainCause
    cameras: list[str] = Field(description="Empty is the whole site.")
    champion: str = Field(description="First digits of the sha256 of the model that was in use; may be empty.")
    reason: str
    source: RetrainSource
    asked_by: str
    asked_at: datetime
    state: RetrainState
    launched_at: datetime | None
    cancel_at: datetime | None = Field(description="When somebody wanted it to end.")
    ended_at: datetime | None
    outcome: RetrainOutcome | None = Field(description="`rejected`: the new model did not pass the gates.")
    note: str
    answer: RetrainAnswer | None = Field(None, description="What became of asking just now.")
    progress: ProgressAnswer | None = Field(None, description="While it runs; null until its run tells something.")

    @classmethod
    def of(
        cls, request: RetrainRequest, answer: RetrainAnswer | None = None, progress: ProgressAnswer | None = None
    ) -> "RetrainRequestAnswer":
        """Return the answer for a request."""
        return cls(
            id=request.id,
            cause=request.cause,
            cameras=request.slice.split(",") if request.slice else [],
            champion=request.champion,
            reason=request.reason,
            source=request.source,
            asked_by=request.asked_by,
            asked_at=request.at,
            state=request.state,
            launched_at=request.launched_at,
            cancel_at=request.cancel_at,
            ended_at=request.ended_at,
            outcome=request.outcome,
            note=request.note,
            answer=answer,
            progress=progress,
        )


@router.get("", summary="List requests for a better model")
def list_retrains(
    services: ServicesDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[RetrainRequestAnswer]:
    """Return requests, newest first."""
    return [_with_progress(each, services) for each in services.retrains.requests(limit=limit)]


@router.post("", status_code=201, summary="Ask for a better model")
def ask_for_retrain(wanted: NewRetrain, response: Response, services: ServicesDep) -> RetrainRequestAnswer:
    """Ask once: 201 a new request, 200 the same was asked before, 409 another one stands in the way.

    A launcher must be set (`FOOTFALL_RETRAIN_LAUNCHER`) and a monitor run; until then the request waits.
    """
    unknown = sorted(set(wanted.cameras) - {camera.id for camera in services.database.cameras()})
    if unknown:
        raise invalid("cameras", f"{unknown[0]!r} is no camera of this site; nothing was asked")
    request = RetrainRequest(
        id=uuid.uuid4().hex,
        site=services.database.setting("site") or "site",
        cause=wanted.cause,
        slice=",".join(sorted(set(wanted.cameras))),
        champion=services.detector().version.sha256[:12],
        reason=wanted.reason,
        source="api",
        asked_by=wanted.asked_by,
        at=datetime.now(UTC),
    )
    cooldown = timedelta(hours=services.settings.retrain_cooldown_h)
    found, answer = services.retrains.ask(request, cooldown=cooldown, is_forced=wanted.force)
    if answer in _WHY:
        raise ProblemError(409, f"request {found.id}: {_WHY[answer]}")
    if answer == "duplicate":
        response.status_code = 200
    return RetrainRequestAnswer.of(found, answer)


@router.get("/{request_id}", summary="A request for a better model")
def read_retrain(request_id: RequestId, services: ServicesDep) -> RetrainRequestAnswer:
    """Return a request and how far it is."""
    return _with_progress(services.retrains.request(request_id), services)


@router.post("/{request_id}/cancel", summary="Want a retraining to end")
def cancel_retrain(request_id: RequestId, services: ServicesDep) -> RetrainRequestAnswer:
    """End it: at once while it waits, in a moment while it runs; one that is over stays as it is."""
    return RetrainRequestAnswer.of(services.retrains.cancel(request_id, at=datetime.now(UTC)))


@router.post("/{request_id}/end", summary="Tell how a retraining ended that a webhook let run")
def end_retrain(request_id: RequestId, end: RetrainEnd, services: ServicesDep) -> RetrainRequestAnswer:
    """Keep the end of a running request; the same end again changes nothing, another one is refused (409)."""
    request = services.retrains.request(request_id)
    if request.state == "waiting" or "webhook" not in request.handle:
        raise ProblemError(409, f"request {request_id}: no webhook runs it; its end is not yours to tell")
    if request.state == "ended":
        if request.outcome != end.outcome:
            raise ProblemError(409, f"request {request_id}: has ended as {request.outcome!r} already")
        return RetrainRequestAnswer.of(request)
    services.retrains.ended(request_id, end.outcome, end.note, at=datetime.now(UTC))
    return RetrainRequestAnswer.of(services.retrains.request(request_id))


def _with_progress(request: RetrainRequest, services: Services) -> RetrainRequestAnswer:
    told = services.retrains.progress(request.id) if request.state == "running" else None
    progress = None if told is None else ProgressAnswer.of(told, datetime.now(UTC))
    return RetrainRequestAnswer.of(request, progress=progress)
