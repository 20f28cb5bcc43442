"""Verdicts and episodes of cameras as the monitor leaves them, for what reads them."""

from __future__ import annotations

import math
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from footfall.domain import DriftEpisode, DriftVerdict, FeatureDrift

if TYPE_CHECKING:
    from footfall.domain import DriftCause
    from footfall.stores.drift import DriftStore

HOUR = timedelta(hours=1)
USUAL = {
    "luminance": 118.0,
    "contrast": 52.0,
    "sharpness": 0.31,
    "noise": 1.8,
    "saturation": 61.0,
    "haze": 34.0,
    "view_match": 0.92,
    "faint_share": 0.03,
    "detections": 4.2,
    "confidence_mean": 0.78,
}
"""Means of a calm camera."""
CHANGES: dict[DriftCause, dict[str, float]] = {
    "fog": {"contrast": 0.4, "haze": 2.4, "luminance": 1.3, "saturation": 0.5},
    "moved": {"view_match": 0.1, "faint_share": 6.0, "confidence_mean": 0.9},
    "dark": {"luminance": 0.3, "contrast": 0.5, "noise": 3.0},
    "covered": {"faint_share": 8.0, "detections": 0.3},
    "crowding": {"detections": 3.0},
    "appearance": {"confidence_mean": 0.7},
}
"""Statistic → factor, the leading one first."""


class Drifted:
    """Puts into a store what happened to cameras; hours count from `now`."""

    def __init__(self, store: DriftStore, now: datetime) -> None:
        self.store = store
        self.now = now

    def verdict(self, camera_id: str, hours: float, cause: DriftCause | None = None, **changes: Any) -> DriftVerdict:
        """Of the window that begins then; without a cause it is as usual."""
        begin_at = self.now + hours * HOUR
        changed = CHANGES[cause] if cause else {}
        values: dict[str, Any] = {
            "camera_id": camera_id,
            "begin_at": begin_at,
            "end_at": begin_at + HOUR,
            "at": begin_at + HOUR + timedelta(minutes=2),
            "rows": 3600,
            "state": "unusual" if cause else "usual",
            "tier": "investigate" if cause else "calm",
            "reference": "own",
            "features": {
                name: self._feature(usual, changed.get(name, 1.0), hours + number)
                for number, (name, usual) in enumerate(USUAL.items())
            },
            "cause": cause,
            "evidence": tuple(changed),
            "note": "compared with 12 like days",
        }
        if changes.get("state") in {"insufficient", "suppressed"}:
            values |= {"features": {}, "tier": "calm", "reference": "none", "cause": None, "evidence": ()}
        verdict = DriftVerdict(**(values | changes))
        assert self.store.put_verdict(verdict)
        return verdict

    def calm(self, camera_id: str, *, hours: int) -> None:
        """So many windows as usual, up to now."""
        for hour in range(-hours, 0):
            self.verdict(camera_id, hour)

    def episode(self, camera_id: str, cause: DriftCause, *, since_h: float, **changes: Any) -> DriftEpisode:
        """One that is open."""
        since_at = self.now + since_h * HOUR
        values: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "camera_id": camera_id,
            "cause": cause,
            "since_at": since_at,
            "opened_at": since_at + 3 * HOUR,
            "last_at": self.now,
        }
        episode = DriftEpisode(**(values | changes))
        assert self.store.open_episode(episode)
        return episode

    @staticmethod
    def _feature(usual: float, factor: float, phase: float) -> FeatureDrift:
        now = usual * factor * (1 + 0.02 * math.sin(phase))  # never the same
        spread = 0.08 * usual
        size = abs(math.log(factor)) * 3 + abs(now / factor - usual) / spread
        return FeatureDrift(score=0.2 + size, threshold=0.8, shift=(now - usual) / spread, usual=usual, now=now)
