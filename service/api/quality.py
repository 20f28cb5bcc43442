"""How right the counting is: what the monitor found last."""

from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from footfall.domain import QualityEstimate, QualityMeasure, QualityScope
from service.api.problems import RESPONSES
from service.api.services import ServicesDep

router = APIRouter(prefix="/api/v1/quality", tags=["quality"], responses=RESPONSES)

_OLDEST: Final = timedelta(days=1)


class EstimateAnswer(BaseModel):
    """How right the counting is in one respect, or how much is missing until that can be said."""

    measure: QualityMeasure
    scope: QualityScope
    camera: str = Field(description="Empty for the site.")
    line: str = Field(description="Empty but for figures of one line.")
    model: str = Field(description="First digits of the detector's sha256.")
    value: float | None = Field(description="null: too little is known; see `missing`.")
    lower: float | None = Field(description="Lower end of the 95 % interval; null where there is none.")
    upper: float | None
    n: int = Field(description="Labels, people or crossings that it rests on.")
    missing: int = Field(description="How many more are needed until there is a value.")
    population: int | None = Field(description="How many it speaks for, where that is known.")
    since: datetime
    until: datetime
    newest_label_at: datetime | None
    definition: str

    @classmethod
    def of(cls, estimate: QualityEstimate) -> "EstimateAnswer":
        """Return the answer for an estimate."""
        return cls(
            measure=estimate.measure,
            scope=estimate.scope,
            camera=estimate.camera_id,
            line=estimate.line,
            model=estimate.model,
            value=estimate.value,
            lower=estimate.lower,
            upper=estimate.upper,
            n=estimate.n,
            missing=estimate.missing,
            population=estimate.population,
            since=estimate.since,
            until=estimate.until,
            newest_label_at=estimate.newest_at,
            definition=estimate.definition,
        )


class QualityAnswer(BaseModel):
    """What the monitor found last."""

    checked_at: datetime | None = Field(description="null: no monitor has checked within a day; start one.")
    precision_target: float
    estimates: list[EstimateAnswer]


@router.get("", summary="How right the counting is")
def read_quality(services: ServicesDep) -> QualityAnswer:
    """Return precision, recall, count accuracy and balance by site, camera and line, each with what it rests on."""
    found = services.quality.newest(since=datetime.now(UTC) - _OLDEST)
    return QualityAnswer(
        checked_at=found[0].at if found else None,
        precision_target=services.settings.precision_target,
        estimates=[EstimateAnswer.of(each) for each in found],
    )
