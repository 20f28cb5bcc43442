"""Says what a source is, or why it gives no picture and what to do; keeps nothing, and never shows a password."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from footfall.config import check_source_url
from footfall.errors import (
    AuthFailedError,
    FootfallError,
    NotFoundError,
    RedirectRefusedError,
    SourceError,
    StalledError,
)
from footfall.redaction import encode_userinfo, redact, redact_url
from service.clock import SystemClock
from service.decoder import DecodeChoice
from service.preflight import UnreachableError
from service.simulated import SimulatedCamera, is_simulated
from service.source import open_source

if TYPE_CHECKING:
    from footfall.config import Settings
    from footfall.domain import Transport
    from service.clock import Clock
    from service.source import PictureSource

_ADVICE: Final[tuple[tuple[type[FootfallError], str], ...]] = (
    (AuthFailedError, "Check user and password. Wait half an hour if the camera may have locked this machine out."),
    (NotFoundError, "Check what follows the host, or the file's name; the camera's manual names its stream paths."),
    (RedirectRefusedError, "Give the final address, if you trust the machine it is on."),
    (StalledError, "Try the other transport; see whether the camera's limit of viewers is reached; restart it."),
    (UnreachableError, "Check host, port and cabling, and that this machine may reach the camera's network."),
)


_BURST_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a source is, or why not.

    Attributes:
        url: as asked for, masked.
        ok: pictures come.
        transport: of RTSP media; None for other sources.
        announced_fps: what the source claims; None when it claims nothing.
        measured_fps: pictures a second over about two seconds; of a film, its own rate; None when too few came.
        first_picture_s: from the first packet to the first healthy picture; seconds.
        corrupt_pictures: broken pictures met while measuring.
        decoded_by: `software` or a device's name; None of a drawn scene.
        decode_refusal: why the device that is set does not decode it; empty when it does, or none is set.
        problem: why there is no picture; empty when there is.
        advice: what to do about it; empty when nothing.
    """

    url: str
    ok: bool
    codec: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    announced_fps: float | None = None
    measured_fps: float | None = None
    transport: Transport | None = None
    first_picture_s: float | None = None
    corrupt_pictures: int = 0
    decoded_by: str | None = None
    decode_refusal: str = ""
    problem: str = ""
    advice: str = ""


def probe(
    url: str,
    settings: Settings,
    *,
    transport: Transport = "tcp",
    measure_s: float = 2.0,
    clock: Clock | None = None,
) -> ProbeReport:
    """Open a source, watch it for a moment and hang up; takes at most two open timeouts and a stall timeout.

    Raises nothing about the source: what is wrong with it is in the report.
    """
    clock = clock or SystemClock()
    shown = redact_url(url)
    try:
        check_source_url(url)
    except ValueError as error:
        return ProbeReport(shown, ok=False, problem=redact(str(error), url), advice="Give a camera's URL or a film.")
    try:
        started_s = clock.monotonic()
        if is_simulated(url):
            with SimulatedCamera(url, clock=clock).open(max_pixels=settings.max_pixels) as scene:
                return _measure(
                    scene,
                    shown,
                    transport=None,
                    started_s=started_s,
                    measure_s=measure_s,
                    give_up_s=settings.stall_timeout_s,
                    clock=clock,
                )
        decoding = DecodeChoice(settings.decode_device)
        with open_source(
            url,
            transport=transport,
            open_timeout_s=settings.open_timeout_s,
            read_timeout_s=0.6 * settings.stall_timeout_s,
            max_pixels=settings.max_pixels,
            clock=clock,
            decoding=decoding,
        ) as source:
            report = _measure(
                source,
                shown,
                transport=transport if url.lower().startswith("rtsp") else None,
                started_s=started_s,
                measure_s=measure_s,
                give_up_s=settings.stall_timeout_s,
                clock=clock,
            )
            return replace(report, decode_refusal=decoding.refusal)
    except FootfallError as error:
        advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
        return ProbeReport(shown, ok=False, problem=redact(str(error), url, encode_userinfo(url)), advice=advice)


def _measure(
    source: PictureSource,
    shown: str,
    *,
    transport: Transport | None,
    started_s: float,
    measure_s: float,
    give_up_s: float,
    clock: Clock,
) -> ProbeReport:
    opened_s = clock.monotonic()
    corrupt = healthy = before = 0
    first_s = last_s = first_picture_s = 0.0
    width, height = source.width_px, source.height_px
    for picture in source.pictures():
        now_s = clock.monotonic()
        if picture is not None and picture.is_corrupt:
            corrupt += 1
        elif picture is not None:
            width, height = picture.width_px, picture.height_px
            # A film is read as fast as it goes: only its own clock tells its rate.
            last_s = picture.position_s or 0.0 if source.is_paced else now_s
            if not healthy:
                first_picture_s = now_s - started_s
            # A camera's first pictures come in a burst: they waited while the stream was looked at.
            if not healthy or (not source.is_paced and now_s - started_s - first_picture_s < _BURST_S):
                first_s, before = last_s, healthy
            healthy += 1
        if healthy and last_s - first_s >= measure_s:
            break
        if not healthy and now_s - opened_s > give_up_s:
            break
    if not healthy:
        if corrupt:
            raise SourceError(f"{shown}: all {corrupt} pictures are broken")
        raise StalledError(f"{shown}: connected, but no picture could be decoded")
    return ProbeReport(
        shown,
        ok=True,
        codec=source.codec,
        width_px=width,
        height_px=height,
        announced_fps=source.announced_fps,
        measured_fps=round((healthy - 1 - before) / (last_s - first_s), 2) if last_s > first_s else None,
        transport=transport,
        first_picture_s=round(first_picture_s, 3),
        corrupt_pictures=corrupt,
        decoded_by=source.decoded_by,
        advice="" if not corrupt else "Some pictures are broken: prefer TCP, and look at the network.",
    )
