"""Reads what people said of samples out of the stores, in the shapes that the estimators want; estimates nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import linear_sum_assignment
from supervision import box_iou_batch

from footfall.agreement import newest_verdicts, together
from monitoring.quality import AuditedClip, AuditedFrame, ReviewedTrack, TaughtFrame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from footfall.domain import Population, Sample, SampleLabel, SampleUnit
    from footfall.stores.samples import SampleStore

IOU: Final = 0.5
_UNITS: Final[tuple[SampleUnit, ...]] = ("track", "frame", "clip")


@dataclass(slots=True)
class CameraEvidence:
    """What is known of one camera.

    Attributes:
        populations: band of confidence → tracks there were.
        reviewed: random tracks with a verdict of right or wrong.
        scores: of these, mean confidences.
        drawn: mean confidences and weights of all random tracks, reviewed or not.
        frames: random frames on which somebody marked everybody.
        clips: line → clips in which somebody counted.
        opinions: of the reviewed, what the teacher says, in [0, 1]; None: it was not asked.
        other_opinions: of random tracks nobody was sure about, what the teacher says, and weights.
        taught: random frames on which the teacher looked for people too.
    """

    populations: dict[str, int] = field(default_factory=dict)
    reviewed: list[ReviewedTrack] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    drawn: list[tuple[float, float]] = field(default_factory=list)
    frames: list[AuditedFrame] = field(default_factory=list)
    clips: dict[str, list[AuditedClip]] = field(default_factory=dict)
    verdict_at: datetime | None = None
    frame_label_at: datetime | None = None
    clip_label_at: dict[str, datetime] = field(default_factory=dict)
    opinions: list[float | None] = field(default_factory=list)
    other_opinions: list[tuple[float, float]] = field(default_factory=list)
    taught: list[TaughtFrame] = field(default_factory=list)
    taught_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a site's cameras in a window of time, with one model only.

    Attributes:
        model: first digits of its sha256; empty when nothing was ever drawn.
        cameras: those of which something was drawn.
    """

    model: str
    cameras: Mapping[str, CameraEvidence]


def read_evidence(
    store: SampleStore,
    *,
    since: datetime,
    until: datetime,
    model: str | None = None,
    champion: str | None = None,
    without: str | None = None,
) -> Evidence:
    """Read random samples of periods from `since` on, taken until `until`, with what was said of them.

    A period's samples are all in or all out, as its population is. Targeted ones are never read.

    Args:
        model: first 12 digits of the sha256 of the model in question; None: the newest.
        champion: the same of the champion: rather than the newest, once something was drawn with it.
        without: of a model that is only tried out on some cameras: it is not taken for the newest.
    """
    tracks, frames, clips = (
        [each for each in store.samples(since=since, until=until, unit=unit, queue="random") if each.hour_at >= since]
        for unit in _UNITS
    )
    populations = store.populations("track", since=since, until=until)
    if model is None:
        model = _newest_model(populations, [*tracks, *frames, *clips], champion, without)
    cameras: defaultdict[str, CameraEvidence] = defaultdict(CameraEvidence)
    for row in populations:
        if row.model == model:
            bands = cameras[row.camera_id].populations
            bands[row.stratum] = bands.get(row.stratum, 0) + row.count
    _add_tracks(cameras, [each for each in tracks if each.model == model], store)
    _add_frames(cameras, [each for each in frames if each.model == model], store)
    _add_clips(cameras, [each for each in clips if each.model == model], store)
    return Evidence(model, dict(cameras))


def _newest_model(
    populations: Iterable[Population], samples: Iterable[Sample], champion: str | None, without: str | None
) -> str:
    seen = [(row.hour_at, row.model) for row in populations] + [(each.hour_at, each.model) for each in samples]
    if champion is not None and any(model == champion for _, model in seen):
        return champion
    return max((each for each in seen if each[1] != without), default=(None, ""))[1]


def _add_tracks(cameras: defaultdict[str, CameraEvidence], tracks: Sequence[Sample], store: SampleStore) -> None:
    labels = _labels_of(store, tracks)
    verdicts = newest_verdicts([label for said in labels.values() for label in said])
    taught = _taught(store, tracks, "agrees")
    for track in tracks:
        camera = cameras[track.camera_id]
        assert track.probability is not None
        weight, score = 1 / track.probability, float(track.detail["score"])
        camera.drawn.append((score, weight))
        verdict = together(verdicts.get(track.id, {}).values())
        opinion = taught.get(track.id)
        agrees = None if opinion is None else float(opinion.content["agrees"])
        # Its hour may have begun before the window, which leaves its population out.
        if verdict not in {"right", "wrong"} or track.stratum not in camera.populations:
            if agrees is not None:
                camera.other_opinions.append((agrees, weight))
            continue
        camera.opinions.append(agrees)
        camera.reviewed.append(ReviewedTrack(verdict == "right", track.stratum, track.camera_id, weight))
        camera.scores.append(score)
        camera.verdict_at = _later(camera.verdict_at, [label.at for label in labels[track.id]])


def _add_frames(cameras: defaultdict[str, CameraEvidence], frames: Sequence[Sample], store: SampleStore) -> None:
    labels = _labels_of(store, frames)
    taught = _taught(store, frames, "boxes")
    for frame in frames:
        assert frame.probability is not None
        found = _boxes(box[:4] for box in frame.detail["boxes"])
        cluster = f"{frame.camera_id} {frame.hour_at.isoformat()}"
        camera = cameras[frame.camera_id]
        opinion = taught.get(frame.id)
        if opinion is not None:
            theirs = _boxes(opinion.content["boxes"])
            both = matched_boxes(theirs, found)
            camera.taught.append(TaughtFrame(len(found), len(theirs), both, 1 / frame.probability, cluster))
            camera.taught_at = _later(camera.taught_at, [opinion.at])
        newest = _newest(labels.get(frame.id, ()), "boxes")
        if newest is None:
            continue
        truth = _boxes(newest.content["boxes"])
        matched = matched_boxes(truth, found)
        camera.frames.append(AuditedFrame(len(truth), matched, 1 / frame.probability, cluster))
        camera.frame_label_at = _later(camera.frame_label_at, [newest.at])


def matched_boxes(truth: NDArray[np.float64], found: NDArray[np.float64]) -> int:
    """How many of the true boxes were found, one find for each."""
    if not len(truth) or not len(found):
        return 0
    enough = box_iou_batch(truth, found) >= IOU
    rows, columns = linear_sum_assignment(enough, maximize=True)
    return int(enough[rows, columns].sum())


def _add_clips(cameras: defaultdict[str, CameraEvidence], clips: Sequence[Sample], store: SampleStore) -> None:
    labels = _labels_of(store, clips)
    for clip in clips:
        newest = _newest(labels.get(clip.id, ()), "presses")
        if newest is None:
            continue
        line, counted = str(clip.detail["line"]), clip.detail["counted"]
        camera = cameras[clip.camera_id]
        camera.clips.setdefault(line, []).append(
            AuditedClip(
                truth=(int(newest.content["in"]), int(newest.content["out"])),
                counted=(int(counted["in"]), int(counted["out"])),
            )
        )
        camera.clip_label_at[line] = max(camera.clip_label_at.get(line, newest.at), newest.at)


def _labels_of(store: SampleStore, samples: Sequence[Sample]) -> dict[str, list[SampleLabel]]:
    labels: dict[str, list[SampleLabel]] = {}
    for label in store.labels([sample.id for sample in samples]):
        labels.setdefault(label.sample_id, []).append(label)
    return labels


def _taught(store: SampleStore, samples: Sequence[Sample], wanted: str) -> dict[str, SampleLabel]:
    """Sample → word of the teacher that spoke last; what another one said before is of another worth."""
    labels = [
        label
        for label in store.labels([sample.id for sample in samples], with_teacher=True)
        if label.source == "teacher" and wanted in label.content
    ]
    return {label.sample_id: label for label in labels if label.reviewer == labels[-1].reviewer}


def _boxes(rows: Iterable[Sequence[float]]) -> NDArray[np.float64]:
    return np.array(list(rows), np.float64).reshape(-1, 4)


def _newest(labels: Iterable[SampleLabel], wanted: str) -> SampleLabel | None:
    """Newest standing label of anybody that says what is wanted."""
    said = [label for label in labels if wanted in label.content]
    return said[-1] if said else None


def _later(known: datetime | None, times: Iterable[datetime]) -> datetime:
    return max([*([] if known is None else [known]), *times])
