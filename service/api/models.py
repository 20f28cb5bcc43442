"""Which models there are and who serves; promoting one, trying one out, going back; who did what."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from footfall.domain import NAME_PATTERN, ModelAction, ModelChange, ModelOrigin, RegisteredModel
from footfall.stores.registry import Outcome
from footfall.stores.runs import read_examples
from service.api.problems import RESPONSES, invalid
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1/models", tags=["models"], responses=RESPONSES)


_RUN: Final = re.compile(r"[0-9a-f]{32}")
_LONG: Final = ("figures", "stress", "training")
"""Parts of a gate report that its own call gives: the list of all models is asked for every few seconds."""
_SUMMED_UP: Final = ("all", "old", "new")


class Compared(BaseModel):
    """F1 of a model and of the champion that it was judged against, each at its own threshold; null without people."""

    champion: float | None
    challenger: float | None


class ModelEntry(BaseModel):
    """A model that every program can get."""

    sha256: str
    name: str
    origin: ModelOrigin
    run: str = Field(description="The retraining that made it; empty for others.")
    threshold: float
    licence: str
    description: str
    card: dict[str, Any] = Field(description="The content of its `model.json`.")
    gates: dict[str, Any] | None = Field(
        description="What its gates found, without figures and curves; null: it went through none."
    )
    compared: dict[str, Compared] = Field(description="On all frames of the test, old and new ones; may be empty.")
    rejected: bool = Field(description="Its gates said no: it is promoted only with `force`.")
    size_bytes: int
    added_at: datetime
    added_by: str
    refused_at: datetime | None = Field(description="When a service could not use it.")
    files_deleted_at: datetime | None = Field(
        description="When its files were removed because nothing needed them; it cannot be promoted."
    )
    refusal: str

    @classmethod
    def of(cls, model: RegisteredModel) -> "ModelEntry":
        """Return the answer for a model."""
        report = model.gates or {}
        of_both = [report.get("figures", {}).get(name, {}).get("parts", {}) for name in ("champion", "challenger")]
        return cls(
            sha256=model.sha256,
            name=model.name,
            origin=model.origin,
            run=model.run,
            threshold=float(model.card.get("threshold", 0.25)),
            licence=str(model.card.get("licence", "unknown")),
            description=str(model.card.get("description", "")),
            card=dict(model.card),
            gates=None if model.gates is None else {key: each for key, each in report.items() if key not in _LONG},
            compared={
                part: Compared(champion=of_both[0][part].get("f1"), challenger=of_both[1][part].get("f1"))
                for part in _SUMMED_UP
                if part in of_both[0] and part in of_both[1]
            },
            rejected=model.is_rejected,
            size_bytes=model.size_bytes,
            added_at=model.added_at,
            added_by=model.added_by,
            refused_at=model.refused_at,
            files_deleted_at=model.files_deleted_at,
            refusal=model.refusal,
        )


class ChangeAnswer(BaseModel):
    """One entry of the promotion log; digests of models, null for nobody."""

    number: int
    at: datetime
    actor: str
    action: ModelAction
    before: str | None = Field(description="The model that had the place.")
    model: str | None = Field(description="The model that has it now.")
    why: str
    gates_digest: str = Field(description="Of the gate report of that time; empty without one.")
    champion: str | None
    challenger: str | None
    previous: str | None
    canaries: list[str]
    outcome: Outcome | None = Field(None, description="What became of asking just now.")

    @classmethod
    def of(cls, change: ModelChange, outcome: Outcome | None = None) -> "ChangeAnswer":
        """Return the answer for a change."""
        aliases = change.aliases
        return cls(
            number=aliases.number,
            at=change.at,
            actor=change.actor,
            action=change.action,
            before=change.before,
            model=change.model,
            why=change.why,
            gates_digest=change.gates_digest,
            champion=aliases.champion,
            challenger=aliases.challenger,
            previous=aliases.previous,
            canaries=list(aliases.canaries),
            outcome=outcome,
        )


class FindsAnswer(BaseModel):
    """What a model surely finds on a frame."""

    errors: int = Field(description="Wrong finds and people missed.")
    finds: list[dict[str, Any]] = Field(description="`box` (x0, y0, x1, y1 in pixels), `score`, and whether `right`.")


class ExampleAnswer(BaseModel):
    """A frame of the test on which a model errs more often than the champion it was judged against, or less often."""

    sample: str = Field(description="Its picture: `/api/v1/samples/ID/picture`.")
    camera: str
    taken_at: datetime
    width_px: int
    height_px: int
    new: bool = Field(description="Of what was to be learned.")
    truth: list[list[float]] = Field(description="Boxes of everybody; x0, y0, x1, y1 in pixels.")
    champion: FindsAnswer
    challenger: FindsAnswer


class ReportAnswer(BaseModel):
    """Everything that a retraining found out about its model."""

    sha256: str
    name: str
    run: str
    report: dict[str, Any] | None = Field(
        description="Gates, figures (parts and the curve of precision and recall, of both models), stress, training; "
        "null: it went through no gates."
    )
    examples: list[ExampleAnswer] = Field(description="Only frames whose picture is still kept.")


class ShadowAnswer(BaseModel):
    """How far the challenger agrees with the champion on single frames of cameras that are no canaries."""

    frames: int
    both: int = Field(description="People that both surely found.")
    champion: int = Field(description="Only the champion.")
    challenger: int = Field(description="Only the challenger.")
    agreement: float | None = Field(description="2 · both ÷ all of one and all of the other; null: nobody was found.")


class RunningAnswer(BaseModel):
    """What this service runs; digests."""

    pinned: str | None = Field(description="FOOTFALL_MODEL, which wins over the registry; null without it.")
    champion: str
    challenger: str | None
    canaries: list[str]
    follows: bool = Field(description="Whether everything that the registry wants runs here.")
    shadow: ShadowAnswer | None = Field(description="Null without a challenger, or where it is switched off.")


class ModelsAnswer(BaseModel):
    """The registry and what is made of it."""

    number: int = Field(description="Of the newest change; send it as `seen` with the next one.")
    champion: str | None
    challenger: str | None
    previous: str | None
    canaries: list[str]
    running: RunningAnswer
    models: list[ModelEntry]
    log: list[ChangeAnswer] = Field(description="Newest first.")


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$", description="Who wants it, for the log.")
    why: str = Field(min_length=3, max_length=500, description="For people, one line.")
    seen: int | None = Field(
        None, ge=0, description="Number of the newest change that you know of; if there is a newer one: 409."
    )


class NewPromotion(_Asked):
    """Which model is to be the champion."""

    model: str = Field(min_length=1, max_length=64, description="Name, or first digits of its sha256.")
    force: bool = Field(False, description="Also if its gates have rejected it.")


class NewCanary(NewPromotion):
    """Which model is tried out, and where."""

    cameras: list[Annotated[str, Field(pattern=NAME_PATTERN)]] = Field(
        default_factory=list, max_length=1000, description="Cameras that it looks at; empty: none yet."
    )


class NewWithdrawal(_Asked):
    """That the challenger is tried out no more."""


class NewRollback(_Asked):
    """That the last step is taken back."""


@router.get("", summary="Models, who serves, and the log")
def list_models(services: ServicesDep, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> ModelsAnswer:
    """Return every model, the aliases, what runs here, and the newest `limit` changes."""
    aliases = services.registry.aliases()
    running = services.rollout.status
    return ModelsAnswer(
        number=aliases.number,
        champion=aliases.champion,
        challenger=aliases.challenger,
        previous=aliases.previous,
        canaries=list(aliases.canaries),
        running=RunningAnswer(
            pinned=running.pinned,
            champion=running.champion,
            challenger=running.challenger,
            canaries=list(running.canaries),
            follows=running.follows,
            shadow=_shadow(services, running.challenger),
        ),
        models=[ModelEntry.of(each) for each in services.registry.models()],
        log=[ChangeAnswer.of(each) for each in services.registry.log(limit=limit)],
    )


@router.get("/{sha256}/report", summary="What a retraining found out about its model")
def read_report(
    sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the model.")],
    request: Request,
    services: ServicesDep,
) -> ReportAnswer:
    """Return the whole report of the gates, with frames on which the model differs from the champion of that time."""
    model = services.registry.model(sha256)
    may_see = request.state.role != "viewer"  # sampled pictures are not for viewers, nor where people were on them
    known = read_examples(services.blobs, model.run) if may_see and _RUN.fullmatch(model.run) else []
    return ReportAnswer(
        sha256=model.sha256,
        name=model.name,
        run=model.run,
        report=None if model.gates is None else dict(model.gates),
        examples=_examples(services, known),
    )


@router.post("/promote", summary="Make a model the champion")
def promote_model(wanted: NewPromotion, services: ServicesDep) -> ChangeAnswer:
    """Services swap within `FOOTFALL_MODELS_INTERVAL_S`, between two batches; asking again changes nothing."""
    model = services.registry.find(wanted.model)
    return ChangeAnswer.of(
        *services.registry.promote(model.sha256, **_who(wanted), seen=wanted.seen, is_forced=wanted.force)
    )


@router.post("/canary", summary="Try a model out on some cameras")
def try_model_out(wanted: NewCanary, services: ServicesDep) -> ChangeAnswer:
    """The challenger looks at these cameras, the champion at the others."""
    _check_cameras(services, wanted.cameras)
    model = services.registry.find(wanted.model)
    return ChangeAnswer.of(
        *services.registry.try_out(
            model.sha256, wanted.cameras, **_who(wanted), seen=wanted.seen, is_forced=wanted.force
        )
    )


@router.post("/withdraw", summary="Try the challenger out no more")
def withdraw_model(wanted: NewWithdrawal, services: ServicesDep) -> ChangeAnswer:
    """The champion looks at every camera again."""
    return ChangeAnswer.of(*services.registry.withdraw(**_who(wanted), seen=wanted.seen))


@router.post("/rollback", summary="Take the last step back")
def roll_back(wanted: NewRollback, services: ServicesDep) -> ChangeAnswer:
    """A challenger with canaries is withdrawn; else the previous champion serves again. One step only."""
    return ChangeAnswer.of(*services.registry.rollback(**_who(wanted), seen=wanted.seen))


def _examples(services: Services, told: list[dict[str, Any]]) -> list[ExampleAnswer]:
    """Return what may be shown: nothing of a frame whose picture is not kept any more."""
    kept = {
        sample.id: sample
        for sample in services.samples.known([each["sample"] for each in told])
        if sample.picture_deleted_at is None
    }
    return [
        ExampleAnswer(
            sample=sample.id,
            camera=sample.camera_id,
            taken_at=sample.taken_at,
            width_px=sample.width_px,
            height_px=sample.height_px,
            new=each["new"],
            truth=each["truth"],
            champion=FindsAnswer(**each["champion"]),
            challenger=FindsAnswer(**each["challenger"]),
        )
        for each in told
        if (sample := kept.get(each["sample"])) is not None
    ]


def _who(wanted: _Asked) -> dict[str, Any]:
    return {"actor": wanted.by, "why": wanted.why, "at": datetime.now(UTC)}


def _shadow(services: Services, challenger: str | None) -> ShadowAnswer | None:
    if services.shadow is None or challenger is None:
        return None
    found = services.shadow.so_far(challenger)
    return ShadowAnswer(
        frames=found.frames,
        both=found.both,
        champion=found.champion,
        challenger=found.challenger,
        agreement=found.agreement,
    )


def _check_cameras(services: Services, cameras: list[str]) -> None:
    unknown = sorted(set(cameras) - {camera.id for camera in services.database.cameras()})
    if unknown:
        raise invalid("cameras", f"{unknown[0]!r} is no camera of this site; nothing was changed")
