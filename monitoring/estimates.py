"""From evidence to what is said about quality: which figure for whom, and what exactly it means; knows no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from footfall.domain import QualityEstimate
from monitoring.quality import (
    assisted_precision,
    audited_count_accuracy,
    audited_recall,
    balance_error,
    calibrate,
    reviewed_precision,
    teacher_agreement,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from footfall.domain import QualityMeasure, QualityScope
    from footfall.stores.database import CountRow
    from monitoring.evidence import CameraEvidence, Evidence
    from monitoring.quality import Calibration, Estimate

LEAST_COVERAGE: Final = 0.95
"""Of a day on which a camera was watched for less, in and out need not balance."""
LEAST_CALIBRATION: Final = 50

PRECISION: Final = (
    "share of tracked people that are people, by verdicts on tracks of the random queue; by camera and band of "
    "confidence; at the model's own threshold; Wilson 95 %"
)
ESTIMATED: Final = (
    "mean of what the confidences of random tracks are worth by the site's verdicts (isotonic); an estimate, no verdict"
)
ASSISTED: Final = (
    "precision_reviewed sharpened by what a stronger model says of more random tracks, as far as it agrees with the "
    "verdicts (PPI++); tracks that wait for a verdict must be like those that have one"
)
AGREEMENT: Final = (
    "2 * both / (system + teacher) of people found on random frames, heads pixelated, IoU 0.5, each at its own "
    "threshold; what both miss does not show; Wilson 95 % for clusters of camera-hours"
)
RECALL: Final = (
    "share of the people marked on fully labelled random frames that were found, IoU 0.5, at the model's own "
    "threshold; Wilson 95 % for clusters of camera-hours"
)
COUNTS: Final = (
    "1 - |counted - true| / true over in and out of random clips around the line, counted by a person; Wilson 95 %"
)
BALANCE: Final = "|in - out| / (in + out) of the last whole day (UTC), watched for at least 95 %; symmetric errors hide"


@dataclass(frozen=True, slots=True)
class Window:
    """When a check was made and what it looks at; aware UTC."""

    at: datetime
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class _Place:
    """For whom a figure is."""

    scope: QualityScope
    camera_id: str = ""
    line: str = ""


def sample_estimates(
    evidence: Evidence, camera_ids: Sequence[str], window: Window, *, least: int
) -> list[QualityEstimate]:
    """Return what samples tell of the site and each camera; where it is too little, how much is missing.

    Args:
        camera_ids: those with leave for sampling, and those of which there is evidence.
        least: verdicts or people from which on a figure is given.
    """
    calibration = _calibration(list(evidence.cameras.values()))
    groups = [(_Place("site"), list(evidence.cameras.values()))]
    for camera_id in camera_ids:
        known = evidence.cameras.get(camera_id)
        groups.append((_Place("camera", camera_id), [] if known is None else [known]))
    found = []
    for place, cameras in groups:
        found.append(_precision(place, cameras, evidence.model, window, least))
        found.append(_recall(place, cameras, evidence.model, window, least))
        estimated = _estimated(place, cameras, calibration, evidence.model, window, least=least)
        found.append(estimated)
        if any(camera.taught or camera.other_opinions for camera in cameras):
            found.append(_assisted(place, cameras, evidence.model, window, least))
            found.append(_agreement(place, cameras, evidence.model, window, least))
    for camera_id, camera in sorted(evidence.cameras.items()):
        found += _count_accuracy(camera_id, camera, evidence.model, window, least)
    return found


def balance_estimates(rows: Sequence[CountRow], window: Window, *, least: int) -> list[QualityEstimate]:
    """Return the balance of each line on one whole day; of one that was not watched, or little crossed, nothing."""
    found = []
    for row in rows:
        total = row.in_ + row.out
        value = balance_error(row.in_, row.out)
        if value is None or row.coverage < LEAST_COVERAGE or total < least:
            continue
        found.append(
            QualityEstimate(
                measure="count_balance_error",
                scope="line",
                camera_id=row.camera_id,
                line=row.line,
                model="",
                at=window.at,
                since=window.since,
                until=window.until,
                newest_at=None,
                value=value,
                lower=None,
                upper=None,
                n=total,
                missing=0,
                population=None,
                definition=BALANCE,
            )
        )
    return found


def _precision(
    place: _Place, cameras: Sequence[CameraEvidence], model: str, window: Window, least: int
) -> QualityEstimate:
    # A camera without a verdict is not spoken for: its people are not in the population either.
    judged = [camera for camera in cameras if camera.reviewed]
    tracks = [track for camera in judged for track in camera.reviewed]
    populations = {
        (camera.reviewed[0].pool, band): count for camera in judged for band, count in camera.populations.items()
    }
    estimate = reviewed_precision(tracks, populations, least_n=least)
    newest = max((camera.verdict_at for camera in judged if camera.verdict_at), default=None)
    return _row(
        "precision_reviewed",
        place,
        model,
        window,
        estimate,
        n=len(tracks),
        least=least,
        newest_at=newest,
        population=sum(populations.values()),
        definition=PRECISION,
    )


def _assisted(
    place: _Place, cameras: Sequence[CameraEvidence], model: str, window: Window, least: int
) -> QualityEstimate:
    both = [
        (track, opinion)
        for camera in cameras
        for track, opinion in zip(camera.reviewed, camera.opinions, strict=True)
        if opinion is not None
    ]
    others = [each for camera in cameras for each in camera.other_opinions]
    estimate = assisted_precision(
        np.array([track.right for track, _ in both], np.bool_),
        np.array([opinion for _, opinion in both], np.float64),
        np.array([opinion for opinion, _ in others], np.float64),
        weights=np.array([track.weight for track, _ in both], np.float64),
        weights_on_all=np.array([weight for _, weight in others], np.float64),
        least_n=least,
    )
    newest = max((camera.verdict_at for camera in cameras if camera.verdict_at), default=None)
    return _row(
        "precision_assisted",
        place,
        model,
        window,
        estimate,
        n=len(both),
        least=least,
        newest_at=newest,
        population=None,
        definition=ASSISTED,
    )


def _agreement(
    place: _Place, cameras: Sequence[CameraEvidence], model: str, window: Window, least: int
) -> QualityEstimate:
    frames = [frame for camera in cameras for frame in camera.taught]
    return _row(
        "teacher_agreement",
        place,
        model,
        window,
        teacher_agreement(frames, least_people=least),
        n=sum(frame.found + frame.taught for frame in frames),
        least=least,
        newest_at=max((camera.taught_at for camera in cameras if camera.taught_at), default=None),
        population=None,
        definition=AGREEMENT,
    )


def _recall(
    place: _Place, cameras: Sequence[CameraEvidence], model: str, window: Window, least: int
) -> QualityEstimate:
    frames = [frame for camera in cameras for frame in camera.frames]
    estimate = audited_recall(frames, least_people=least)
    newest = max((camera.frame_label_at for camera in cameras if camera.frame_label_at), default=None)
    people = sum(frame.people for frame in frames)
    return _row(
        "recall_audited",
        place,
        model,
        window,
        estimate,
        n=people,
        least=least,
        newest_at=newest,
        population=None,
        definition=RECALL,
    )


def _count_accuracy(
    camera_id: str, camera: CameraEvidence, model: str, window: Window, least: int
) -> list[QualityEstimate]:
    return [
        _row(
            "count_accuracy_audited",
            _Place("line", camera_id, line),
            model,
            window,
            audited_count_accuracy(clips, least_crossings=least),
            n=sum(sum(clip.truth) for clip in clips),
            least=least,
            newest_at=camera.clip_label_at.get(line),
            population=None,
            definition=COUNTS,
        )
        for line, clips in sorted(camera.clips.items())
    ]


def _calibration(cameras: Sequence[CameraEvidence]) -> Calibration | None:
    scores = np.array([score for camera in cameras for score in camera.scores], np.float64)
    right = np.array([track.right for camera in cameras for track in camera.reviewed], np.bool_)
    return calibrate(scores, right, least_n=LEAST_CALIBRATION)


def _estimated(
    place: _Place,
    cameras: Sequence[CameraEvidence],
    calibration: Calibration | None,
    model: str,
    window: Window,
    *,
    least: int,
) -> QualityEstimate:
    drawn = [each for camera in cameras for each in camera.drawn]
    value = None
    if calibration is not None and len(drawn) >= least:
        scores, weights = np.array(drawn, np.float64).T
        value = float(np.average(calibration.apply(scores), weights=weights))
    newest = max((camera.verdict_at for camera in cameras if camera.verdict_at), default=None)
    return QualityEstimate(
        measure="precision_estimated",
        scope=place.scope,
        camera_id=place.camera_id,
        line=place.line,
        model=model,
        at=window.at,
        since=window.since,
        until=window.until,
        newest_at=newest,
        value=value,
        lower=None,
        upper=None,
        n=len(drawn),
        missing=0 if value is not None else max(least - len(drawn), 1),
        population=None,
        definition=ESTIMATED,
    )


def _row(
    measure: QualityMeasure,
    place: _Place,
    model: str,
    window: Window,
    estimate: Estimate | None,
    *,
    n: int,
    least: int,
    newest_at: datetime | None,
    population: int | None,
    definition: str,
) -> QualityEstimate:
    return QualityEstimate(
        measure=measure,
        scope=place.scope,
        camera_id=place.camera_id,
        line=place.line,
        model=model,
        at=window.at,
        since=window.since,
        until=window.until,
        newest_at=newest_at,
        value=None if estimate is None else estimate.value,
        lower=None if estimate is None else estimate.lower,
        upper=None if estimate is None else estimate.upper,
        n=n,
        # Enough in number but all from too few hours or clips: at least one more.
        missing=0 if estimate is not None else max(least - n, 1),
        population=population,
        definition=definition,
    )
