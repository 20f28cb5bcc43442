"""What one retraining is asked for, from wherever it is told; starts nothing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from footfall.domain import NAME_PATTERN, RetrainCause, RetrainRequest
from footfall.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from retrain.technique import Technique

ENVIRONMENT: Final = "FOOTFALL_RETRAIN_REQUEST"
_ID = r"^[0-9a-f]{32}$"


class Asked(BaseModel):
    """A request as a launcher tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=_ID)
    site: str = Field(pattern=NAME_PATTERN)
    cause: RetrainCause
    cameras: tuple[str, ...] = ()
    champion: str = Field("", pattern=r"^(?:[0-9a-f]{12})?$")
    reason: str = ""
    since: datetime | None = Field(None, description="From when on frames are new: when the drift began.")


@dataclass(frozen=True, slots=True)
class Job:
    """One retraining.

    Attributes:
        cameras: of the slice; empty is the whole site.
        champion: first 12 digits of the sha256 of the model that was in use; empty where nobody said.
        new_since: frames of the slice from this moment on are what is to be learned; aware UTC.
    """

    request_id: str
    site: str
    cause: RetrainCause
    cameras: tuple[str, ...]
    champion: str
    reason: str
    new_since: datetime

    def is_new(self, camera_id: str, taken_at: datetime) -> bool:
        """Whether a frame is of what is to be learned."""
        return taken_at >= self.new_since and (not self.cameras or camera_id in self.cameras)


@dataclass(frozen=True, slots=True)
class Options:
    """How it is done.

    Attributes:
        technique: None leaves it to the rule.
        steps: of training; None by the number of frames.
        least_frames: fewer new labelled frames train nothing.
        input_size: of serving: longer side of the network's input in pixels.
        runtime: of serving: models are judged as they will run.
        drawn: drawn frames for replay, where the model in use was trained on drawn scenes.
        most_old, most_taught: bounds on frames for replay, and on those that a teacher labels.
        stress_frames: frames of the test that are degraded in every way.
        may_mirror: neither lines nor perspective matter.
        open_seal: judge by the sealed half of the test too.
        with_int8: try 8 bits, and keep them where they lose little and are faster.
        int8_time_ratio: they must take less than this share of the time, else they only lose.
    """

    technique: Technique | None = None
    steps: int | None = None
    least_frames: int = 300
    seed: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    input_size: int = 640
    runtime: Literal["onnxruntime", "openvino"] = "onnxruntime"
    drawn: int = 600
    most_old: int = 4000
    most_taught: int = 2000
    stress_frames: int = 24
    may_mirror: bool = False
    open_seal: bool = False
    with_int8: bool = True
    int8_time_ratio: float = 0.95


def read_job(
    told: str | None,
    stored: Callable[[str], RetrainRequest],
    began: Callable[[RetrainCause, Sequence[str]], datetime | None],
    *,
    now: datetime,
    new_days: float,
) -> Job:
    """Read the request from a file, from the environment, or by its id from the records.

    Args:
        told: a file with JSON, or the id; None takes `FOOTFALL_RETRAIN_REQUEST` of the environment.
        stored: gives a stored request by its id.
        began: tells since when cameras (none: the whole site) drift for a cause; None where they do not.
        new_days: without a better word, frames of the last so many days are new.

    Raises:
        SettingsError: nothing was told, or it is not understood.
        StoreError: there is no such request.
    """
    text, where = _text(told)
    if text is None:
        request = stored(str(told))
        cameras = tuple(request.slice.split(",")) if request.slice else ()
        asked = Asked(
            id=request.id,
            site=request.site,
            cause=request.cause,
            cameras=cameras,
            champion=request.champion,
            reason=request.reason,
        )
    else:
        try:
            asked = Asked.model_validate(json.loads(text))
        except (json.JSONDecodeError, ValidationError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else "not JSON"
            raise SettingsError(f"{where}: is no request ({what}); nothing is trained") from None
    since = asked.since or began(asked.cause, asked.cameras) or now - timedelta(days=new_days)
    if since.tzinfo is None:
        raise SettingsError(f"{where}: since: {since.isoformat()} has no time zone; nothing is trained")
    return Job(asked.id, asked.site, asked.cause, asked.cameras, asked.champion, asked.reason, since)


def _text(told: str | None) -> tuple[str | None, str]:
    """The JSON, and where it is from; None where `told` is the id of a stored request."""
    if told is None:
        if ENVIRONMENT not in os.environ:
            raise SettingsError(f"--request: no request; expected a file, an id, or {ENVIRONMENT} in the environment")
        return os.environ[ENVIRONMENT], ENVIRONMENT
    path = Path(told)
    if path.is_file():
        return path.read_text(encoding="utf-8"), f"--request {path.name}"
    if len(told) == 32 and all(digit in "0123456789abcdef" for digit in told):
        return None, "--request"
    raise SettingsError(f"--request {told!r}: is neither a file nor the id of a request (32 hexadecimal digits)")


def as_json(job: Job, options: Options) -> dict[str, Any]:
    """Return what `from_json` reads."""
    return asdict(job) | {"new_since": job.new_since.isoformat(), "options": asdict(options)}


def from_json(content: Mapping[str, Any]) -> tuple[Job, Options]:
    """Read what was asked for when a run began: whoever goes on with it does not ask anew."""
    values = {key: value for key, value in content.items() if key in Job.__dataclass_fields__}
    values |= {"cameras": tuple(values["cameras"]), "new_since": datetime.fromisoformat(values["new_since"])}
    return Job(**values), Options(**content["options"])
