"""What Alertmanager tells, turned into requests for a better model; knows no launcher."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from footfall.domain import NAME_PATTERN, RetrainCause, RetrainRequest

if TYPE_CHECKING:
    from datetime import datetime

ASKS: Final = "ask"
"""Value of the label `retrain` of alerts that ask for a better model; all others are none of our business."""
_CAUSES: Final[tuple[RetrainCause, ...]] = get_args(RetrainCause)
_CAUSE_OF: Final[dict[str, RetrainCause]] = {"FootfallPrecisionBelowTarget": "precision"}


class Alert(BaseModel):
    """One alert as Alertmanager sends it; what is not named here is passed over."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(default_factory=dict, max_length=100)
    annotations: dict[str, str] = Field(default_factory=dict, max_length=100)


class Notification(BaseModel):
    """What Alertmanager posts to a webhook. Source: its documentation, payload version 4."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: list[Alert] = Field(max_length=1000)


def request_of(alert: Alert, *, site: str, now: datetime) -> RetrainRequest | None:
    """Return what an alert asks for; None when it is over, does not ask, or names what no alert of ours names."""
    labels = alert.labels
    if alert.status != "firing" or labels.get("retrain") != ASKS:
        return None
    camera, model = labels.get("camera", ""), labels.get("model", "")
    named = labels.get("cause") or _CAUSE_OF.get(labels.get("alertname", ""), "unknown")
    cause = next((each for each in _CAUSES if each == named), None)
    if cause is None or (camera and not re.fullmatch(NAME_PATTERN, camera)):
        return None
    return RetrainRequest(
        id=uuid.uuid4().hex,
        site=site,
        cause=cause,
        slice=camera,
        champion=model if re.fullmatch(r"[0-9a-f]{12}", model) else "",
        reason=alert.annotations.get("summary", labels.get("alertname", ""))[:500],
        source="alert",
        asked_by=f"alertmanager: {labels.get('alertname', '')}"[:64],
        at=now,
    )
