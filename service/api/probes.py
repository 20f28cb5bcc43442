"""Tries a source before it becomes a camera; keeps nothing."""

from dataclasses import asdict
from typing import Final, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from footfall.config import check_source_url
from footfall.redaction import redact
from service.api.problems import RESPONSES, ProblemError
from service.api.services import ServicesDep
from service.probe import ProbeReport, probe

router = APIRouter(prefix="/api/v1/cameras", tags=["cameras"], responses=RESPONSES)

MAX_PROBES: Final = 4


class ProbeRequest(BaseModel):
    """A source to be tried."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: SecretStr = Field(description="As for a camera; write-only.")
    transport: Literal["tcp", "udp"] = Field("tcp", description="How RTSP media travels.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: SecretStr) -> SecretStr:
        check_source_url(url.get_secret_value())
        return url


class ProbeAnswer(BaseModel):
    """What the source is, or why it gives no picture."""

    ok: bool
    url_masked: str
    summary: str = Field(description="One line for people.")
    codec: str | None
    width_px: int | None
    height_px: int | None
    announced_fps: float | None
    measured_fps: float | None
    transport: Literal["tcp", "udp"] | None
    first_picture_s: float | None
    corrupt_pictures: int
    decoded_by: str | None = Field(description="`software` or a device's name; null of a drawn scene, or unknown.")
    decode_refusal: str = Field(
        description="Why the device that is set does not decode it; empty when it does, or none is set."
    )
    problem: str = Field(description="Empty when pictures come.")
    advice: str


@router.post("/probe", summary="Try a source")
async def probe_source(wanted: ProbeRequest, request: Request, services: ServicesDep) -> ProbeAnswer:
    """Open the source, watch it for about two seconds and hang up; a source that fails is an answer with `ok` false."""
    limiter: CapacityLimiter = request.app.state.probe_limiter
    if limiter.available_tokens < 1:
        raise ProblemError(
            503, f"{MAX_PROBES} sources are being tried; try again shortly", headers={"Retry-After": "5"}
        )
    url = wanted.url.get_secret_value()
    report = await to_thread.run_sync(
        lambda: probe(url, services.settings, transport=wanted.transport), limiter=limiter, abandon_on_cancel=True
    )
    values = {name: redact(value, url) if isinstance(value, str) else value for name, value in asdict(report).items()}
    return ProbeAnswer(url_masked=values.pop("url"), summary=redact(_summary(report), url), **values)


def _summary(report: ProbeReport) -> str:
    if not report.ok:
        return f"{report.problem}. {report.advice}".strip() if report.advice else report.problem
    rate = report.measured_fps or report.announced_fps
    parts = [
        report.codec or "unknown codec",
        f"{report.width_px}×{report.height_px}",
        *([f"{rate:.1f} pictures a second"] if rate else []),
        *([f"first picture after {report.first_picture_s:.1f} s"] if report.first_picture_s is not None else []),
        *([f"decoded in software: {report.decode_refusal}"] if report.decode_refusal else []),
        *([report.advice] if report.advice else []),
    ]
    return ", ".join(parts)
