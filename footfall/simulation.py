"""What a `sim:` URL says: scene, people, picture and what goes wrong with it when; draws nothing.

Grammar: `sim:SCENE?people=12&seed=7&fps=10&size=1280x720&dark=3&at=20&ramp=5&until=40&fog=2`. A degradation is
`KIND=SEVERITY`; `at`, `ramp` and `until` that follow it say when, in seconds since the camera was started.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

SCENES: Final = ("mall", "corridor", "plaza")
"""A mall entrance seen obliquely, a corridor along its axis, a plaza from above."""

PICTURE_KINDS: Final = (
    "dark",
    "glare",
    "fog",
    "defocus",
    "motion-blur",
    "noise",
    "infrared",
    "rain",
    "bitrate",
    "colour",
    "dirt",
    "covered",
    "moved",
    "frozen",
    "slow",
)
"""What can go wrong with any picture, drawn or filmed; see `footfall.vision.degradation`."""

SCENE_KINDS: Final = ("crowding", "appearance", "disconnected")
"""What only a drawn scene can do: more people, people who look otherwise, a camera that does not answer."""

MOST_SEVERE: Final = 5


@dataclass(frozen=True, slots=True)
class Degradation:
    """Something that goes wrong with a camera for a while.

    Attributes:
        kind: one of `PICTURE_KINDS` or `SCENE_KINDS`.
        severity: 1 (hardly seen) to 5 (hardly anything is left).
        at_s: when it begins.
        ramp_s: how long it takes to grow from nothing to its severity; it ends at once.
        until_s: when it ends; None never.
    """

    kind: str
    severity: int
    at_s: float = 0.0
    ramp_s: float = 0.0
    until_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in PICTURE_KINDS + SCENE_KINDS:
            raise ValueError(
                f"degradation {self.kind!r} is not known; expected one of {_listed(PICTURE_KINDS + SCENE_KINDS)}"
            )
        if not 1 <= self.severity <= MOST_SEVERE:
            raise ValueError(f"{self.kind}: severity {self.severity} is not in 1 to {MOST_SEVERE}")
        if self.at_s < 0 or self.ramp_s < 0:
            raise ValueError(f"{self.kind}: at={self.at_s:g} and ramp={self.ramp_s:g} must not be negative; seconds")
        if self.until_s is not None and self.until_s <= self.at_s:
            raise ValueError(f"{self.kind}: until={self.until_s:g} is not after at={self.at_s:g}")

    def severity_at(self, time_s: float) -> float:
        """Severity at a moment, 0 when it is not there; grows linearly over the ramp.

        >>> fog = Degradation("fog", 4, at_s=10, ramp_s=8, until_s=30)
        >>> [fog.severity_at(s) for s in (9, 12, 18, 29, 30)]
        [0.0, 1.0, 4.0, 4.0, 0.0]
        """
        if time_s < self.at_s or (self.until_s is not None and time_s >= self.until_s):
            return 0.0
        grown = 1.0 if self.ramp_s == 0 else min(1.0, (time_s - self.at_s) / self.ramp_s)
        return self.severity * grown


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """A camera that looks at a drawn scene.

    Attributes:
        people: about how many are in view or near it at a time.
        start_s: the scene has been going on for this long when the camera is started.
    """

    scene: str
    people: int = 12
    seed: int = 1
    fps: float = 10.0
    width_px: int = 1280
    height_px: int = 720
    start_s: float = 0.0
    degradations: tuple[Degradation, ...] = ()


def parse_simulation_url(url: str) -> SimulationSettings:
    """Read a `sim:` URL.

    Raises:
        ValueError: names the part, the value met and what is expected.

    >>> parse_simulation_url("sim:mall?people=3&dark=2&at=20&until=40").degradations
    (Degradation(kind='dark', severity=2, at_s=20.0, ramp_s=0.0, until_s=40.0),)
    """
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "sim":
        raise ValueError(f"scheme {scheme[:20]!r} is not sim:")
    scene, _, query = rest.removeprefix("//").partition("?")
    if scene not in SCENES:
        raise ValueError(f"sim: scene {scene[:40]!r} is not known; expected one of {_listed(SCENES)}")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=100)
    except ValueError:
        raise ValueError(f"sim: {query[:80]!r} is not key=value&key=value") from None
    values, schedules = _read_pairs(pairs)
    return SimulationSettings(
        scene=scene,
        people=int(values.get("people", 12)),
        seed=int(values.get("seed", 1)),
        fps=values.get("fps", 10.0),
        width_px=int(values.get("width_px", 1280)),
        height_px=int(values.get("height_px", 720)),
        start_s=values.get("start", 0.0),
        degradations=tuple(Degradation(**schedule) for schedule in schedules),  # type: ignore[arg-type]
    )


_TIMES: Final = ("at", "ramp", "until")
_RANGES: Final[dict[str, tuple[float, float, bool]]] = {
    "people": (0, 200, True),
    "seed": (0, 2**31 - 1, True),
    "fps": (0.1, 60, False),
    "start": (0, 86400, False),
}
"""Key → least, most, whole numbers only."""


def _read_pairs(pairs: list[tuple[str, str]]) -> tuple[dict[str, float], list[dict[str, float | str]]]:
    """Return the settings, and the degradations in the order in which they stand."""
    values: dict[str, float] = {}
    schedules: list[dict[str, float | str]] = []
    for key, text in pairs:
        if key == "size":
            values["width_px"], values["height_px"] = _size(text)
        elif key in _RANGES:
            values[key] = _number(key, text)
        elif key in _TIMES:
            if not schedules:
                raise ValueError(f"sim: {key}={text[:20]} follows no degradation; write it after one: dark=3&{key}=20")
            schedules[-1][f"{key}_s"] = _seconds(key, text)
        elif key in PICTURE_KINDS + SCENE_KINDS:
            if not re.fullmatch(rf"[1-{MOST_SEVERE}]", text):
                raise ValueError(f"sim: {key}={text[:20]}: expected a severity of 1 to {MOST_SEVERE}")
            schedules.append({"kind": key, "severity": int(text)})
        else:
            known = (*_RANGES, "size", *_TIMES, *PICTURE_KINDS, *SCENE_KINDS)
            raise ValueError(f"sim: {key[:40]!r} is not known; expected one of {_listed(known)}")
    return values, schedules


def _number(key: str, text: str) -> float:
    least, most, whole = _RANGES[key]
    pattern = r"\d{1,10}" if whole else r"\d{1,10}(?:\.\d{1,6})?"
    if not re.fullmatch(pattern, text, re.ASCII) or not least <= float(text) <= most:
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"sim: {key}={text[:20]}: expected {kind} from {least:g} to {most:g}")
    return float(text)


def _seconds(key: str, text: str) -> float:
    if not re.fullmatch(r"\d{1,7}(?:\.\d{1,6})?", text, re.ASCII) or not math.isfinite(float(text)):
        raise ValueError(f"sim: {key}={text[:20]}: expected seconds since the camera was started")
    return float(text)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text, re.ASCII)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (160 <= width <= 3840 and 120 <= height <= 2160) or width % 2 or height % 2:
        raise ValueError(f"sim: size={text[:20]}: expected even WIDTHxHEIGHT from 160x120 to 3840x2160")
    return width, height


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
