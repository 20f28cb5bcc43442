"""Draws people, frames and clips for review by known chances, and keeps their pictures no longer than allowed.

Heads are pixelated before a picture leaves the analysis thread; nothing else is ever written.
"""

from __future__ import annotations

import queue
import random
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import structlog

from footfall.domain import Population, Sample, Sampling
from footfall.errors import StoreError
from footfall.stores.runs import forget_examples, forget_pictures
from footfall.vision.privacy import pixelate_heads
from service.clips import AROUND_S, MEDIA_TYPE, ClipError, ClipRecorder, starts_in_period

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from footfall.domain import Camera, DeletionReason, Line, SampleQueue, SampleUnit
    from footfall.stores.blobs import BlobStore
    from footfall.stores.samples import SampleStore
    from footfall.vision.analysis import Analysis
    from service.clips import Clip
    from service.metrics import Metrics

_log = structlog.get_logger(__name__)

BANDS: Final = 5
"""Bands of confidence that tracks are told apart by: 0.0-0.2 is "0"."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_LOST_S: Final = 3.0
"""Who was not seen for so long is gone: the same as for visits."""
_LONGEST_S: Final = 600.0
"""Who stays longer is drawn after this time and once more for the rest: pictures in memory have an end."""
_VIEW_EVERY_S: Final = 0.5
_VIEW_HEIGHT_PX: Final = 320
_MARGIN: Final = 0.25
_RECENT_S: Final = AROUND_S
"""Boxes of the last moment are pixelated too: somebody missed on this very frame was there a moment ago."""
_DOUBT: Final = 0.15
"""A mean confidence this little above the threshold is worth a look."""
_SHORT_S: Final = 1.0
DRIFTED: Final = "drifted"
"""Reason of targeted frames that were drawn because the camera is not as it was."""
DISAGREEING: Final = "disagreeing"
"""The reason of a frame on which champion and challenger, or system and teacher, see different people."""
_AT_ONCE: Final = timedelta(seconds=2)
"""A clip that cannot begin so soon after its time is not made."""
_QUEUE: Final = 32
_JPEG: Final = (cv2.IMWRITE_JPEG_QUALITY, 88)


def period_of(at: datetime, length: timedelta = _HOUR) -> datetime:
    """Return the begin of the period of the day, an hour or less, that a moment is in.

    >>> period_of(datetime(2026, 3, 1, 9, 47, 31, tzinfo=UTC), timedelta(minutes=10)).isoformat()
    '2026-03-01T09:40:00+00:00'
    """
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // length * length


def slots_in_period(quota: int, camera_id: str, begin_at: datetime, length: timedelta = _HOUR) -> tuple[int, float]:
    """How many of a day's quota fall to a period, and the chance that it had been one more than the least possible.

    Systematic: the day's slots lie a day ÷ quota apart from a start that is the same for the whole day, so the quota
    holds exactly (Särndal, Swensson and Wretman 1992, 3.4).

    Args:
        length: divides a day.

    Returns:
        Slots, and the share beyond the whole part of quota ÷ periods of a day.

    >>> day = [slots_in_period(40, "gate", datetime(2026, 3, 1, hour, tzinfo=UTC))[0] for hour in range(24)]
    >>> sum(day), sorted(set(day))
    (40, [1, 2])
    """
    start = random.Random(f"{camera_id}/{begin_at.date().isoformat()}/{quota}").random()  # noqa: S311  no secret
    periods = _DAY // length
    number = (begin_at - begin_at.replace(hour=0, minute=0, second=0, microsecond=0)) // length
    before, after = quota * number / periods, quota * (number + 1) / periods
    return int(after + start) - int(before + start), quota / periods - quota // periods


def chance(quota: int, population: int, length: timedelta = _HOUR) -> float:
    """Chance of one of `population` > 0 to be drawn in a period, over what the day's start may be.

    >>> chance(48, 4), chance(36, 1), chance(36, 3)
    (0.5, 1.0, 0.5)
    """
    periods = _DAY // length
    whole, part = quota // periods, quota / periods - quota // periods
    return (1 - part) * min(1.0, whole / population) + part * min(1.0, (whole + 1) / population)


@dataclass(slots=True)
class _Draft:
    """A sample with its picture, ready but for its chance and place."""

    taken_at: datetime
    stratum: str
    picture: NDArray[np.uint8]
    detail: dict[str, Any]
    reason: str = ""


@dataclass(slots=True)
class _Reservoir:
    """A period's draw of one unit: every candidate has the same chance. Source: Vitter 1985, algorithm R."""

    slots: int
    populations: dict[str, int] = field(default_factory=dict)
    drafts: list[_Draft] = field(default_factory=list)

    def place(self, stratum: str, rng: random.Random) -> int | None:
        """Count a candidate; tells which draft it takes the place of, if any."""
        self.populations[stratum] = self.populations.get(stratum, 0) + 1
        if len(self.drafts) < self.slots:
            return len(self.drafts)
        place = rng.randrange(sum(self.populations.values()))
        return place if place < self.slots else None

    def put(self, place: int, draft: _Draft) -> None:
        """Keep a draft."""
        self.drafts[place : place + 1] = [draft]


@dataclass(slots=True)
class _View:
    """Somebody at one moment; the box is in pixels of the picture."""

    picture: NDArray[np.uint8]
    box: tuple[float, float, float, float]


@dataclass(slots=True)
class _Person:
    """Somebody who is being followed."""

    since_s: float
    seen_s: float
    scores: list[float] = field(default_factory=list)
    views: list[_View] = field(default_factory=list)  # first, any, newest
    viewed: int = 0
    viewed_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class _Filmed:
    recorder: ClipRecorder
    probability: float


@dataclass(frozen=True, slots=True)
class _DoneClip:
    """A clip that only has to be written."""

    camera_id: str
    model: str
    sampling: Sampling
    clip: Clip
    probability: float


class _CameraSampler:
    """One camera's draws; used by the analysis thread only."""

    def __init__(self, camera_id: str, sampling: Sampling, model: str, rng: random.Random, period: timedelta) -> None:
        self.camera_id = camera_id
        self.sampling = sampling
        self.model = model
        self.hour_at: datetime | None = None
        self.tracks = _Reservoir(0)
        self.frames = _Reservoir(0)
        self.targeted = 0
        self.doubtful: list[_Draft] = []
        self.faults: list[str] = []
        self._clip_starts: list[datetime] = []
        self._clips: list[_Filmed] = []
        self._rng = rng
        self._period = period
        self._people: dict[int, _Person] = {}
        self._recent: deque[tuple[float, NDArray[np.float32]]] = deque()

    def begin(self, hour_at: datetime) -> None:
        """Start a period's draws; who is followed goes on."""

        def slots(quota: int, whose: str = self.camera_id) -> int:
            return slots_in_period(quota, whose, hour_at, self._period)[0]

        self.hour_at = hour_at
        self.tracks = _Reservoir(slots(self.sampling.tracks_per_day))
        self.frames = _Reservoir(slots(self.sampling.frames_per_day))
        self.targeted = slots(self.sampling.targeted_per_day)
        self.doubtful = []
        clips = slots(self.sampling.clips_per_day, f"{self.camera_id}/clips")
        self._clip_starts = starts_in_period(clips, self.camera_id, hour_at, self._period)

    def film(self, analysis: Analysis, lines: Sequence[Line]) -> list[_DoneClip]:
        """Take in the same frame for clips, before `observe`; returns those that are done."""
        now = analysis.frame.received_at
        while self._clip_starts and self._clip_starts[0] <= now:
            # Of a time when the camera was not watched there is no clip.
            if now - self._clip_starts.pop(0) <= _AT_ONCE and lines:
                line = self._rng.choice(lines)
                probability = min(1.0, self.sampling.clips_per_day * self.sampling.clip_s / 86400 / len(lines))
                self._clips.append(_Filmed(ClipRecorder(line, self.sampling.clip_s), probability))
        done = []
        for filmed in list(self._clips):
            try:
                clip = filmed.recorder.add(analysis, self._recent)
            except ClipError as error:
                self._clips.remove(filmed)
                self.faults.append(str(error))
                continue
            if clip is not None:
                self._clips.remove(filmed)
                done.append(_DoneClip(self.camera_id, self.model, self.sampling, clip, filmed.probability))
        return done

    def observe(self, analysis: Analysis) -> None:
        """Take in one analysed frame."""
        frame, now_s = analysis.frame, analysis.frame.received_s
        while self._recent and self._recent[0][0] < now_s - _RECENT_S:
            self._recent.popleft()
        self._recent.append((now_s, np.vstack([analysis.detections.boxes_px, analysis.tracks.boxes_px])))
        for person_id, box, score in zip(
            analysis.tracks.ids.tolist(),
            analysis.tracks.boxes_px.tolist(),
            analysis.tracks.scores.tolist(),
            strict=True,
        ):
            person = self._people.get(person_id)
            if person is None:
                person = self._people[person_id] = _Person(now_s, now_s)
            person.seen_s = now_s
            person.scores.append(score)
            if now_s - person.viewed_s >= _VIEW_EVERY_S:
                person.viewed_s = now_s
                self._look(person, frame.picture, box)
        for person_id in [
            key
            for key, person in self._people.items()
            if person.seen_s < now_s - _LOST_S or person.since_s < now_s - _LONGEST_S
        ]:
            self._end(self._people.pop(person_id), analysis)
        self._draw_frame(analysis)

    def close(self) -> None:
        """Nobody is followed any more; who was is not drawn, and not counted among those to draw from."""
        self._people.clear()
        self._recent.clear()
        self._clips.clear()

    def _draw_frame(self, analysis: Analysis) -> None:
        detections = analysis.detections
        sure = detections.scores >= detections.threshold
        place = self.frames.place("people" if sure.any() else "empty", self._rng)
        if place is not None and self.frames.slots:
            self.frames.put(place, self.draft_frame(analysis))

    def draft_frame(self, analysis: Analysis) -> _Draft:
        """Return the frame as a sample, heads pixelated; after `observe`, which knows everybody on it."""
        detections = analysis.detections
        sure = detections.scores >= detections.threshold
        boxes = np.column_stack([detections.boxes_px[sure], detections.scores[sure]])
        return _Draft(
            taken_at=analysis.frame.received_at,
            stratum="people" if sure.any() else "empty",
            picture=pixelate_heads(analysis.frame.picture, self._everybody()),
            detail={"threshold": detections.threshold, "boxes": boxes.round(2).tolist()},
        )

    def _everybody(self) -> NDArray[np.float32]:
        return np.vstack([boxes for _, boxes in self._recent]).astype(np.float32)

    def _look(self, person: _Person, picture: NDArray[np.uint8], box: list[float]) -> None:
        """Keep the first view, the newest, and any of those between."""
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = box
        margin = _MARGIN * (y1 - y0)
        left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
        right, bottom = min(width, int(x1 + margin) + 1), min(height, int(y1 + margin) + 1)
        if right - left < 2 or bottom - top < 2:
            return
        offset = np.array([left, top, left, top], np.float32)
        part = pixelate_heads(picture[top:bottom, left:right], self._everybody() - offset)
        scale = _VIEW_HEIGHT_PX / part.shape[0]
        size = max(1, round(part.shape[1] * scale)), _VIEW_HEIGHT_PX
        scaled = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        view = _View(scaled, ((x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale))
        person.viewed += 1
        if len(person.views) < 3:
            person.views.append(view)
            return
        if self._rng.randrange(person.viewed - 2) == 0:
            person.views[1] = person.views[2]
        person.views[2] = view

    def _end(self, person: _Person, analysis: Analysis) -> None:
        score = float(np.mean(person.scores))
        stratum = str(min(BANDS - 1, int(score * BANDS)))
        if not person.views:
            return
        draft = _sheet(person, score, stratum, analysis)
        place = self.tracks.place(stratum, self._rng)
        if place is not None and self.tracks.slots:
            self.tracks.put(place, draft)
            return
        reason = ""
        if score < analysis.detections.threshold + _DOUBT:
            reason = "uncertain"
        elif person.seen_s - person.since_s < _SHORT_S:
            reason = "short"
        if reason and len(self.doubtful) < self.targeted:
            draft.reason = reason
            self.doubtful.append(draft)


def _sheet(person: _Person, score: float, stratum: str, analysis: Analysis) -> _Draft:
    views, at_px = [], 0
    for view in person.views:
        width = view.picture.shape[1]
        x0, y0, x1, y1 = view.box
        views.append({"x0": at_px, "width": width, "box": [round(v, 1) for v in (x0 + at_px, y0, x1 + at_px, y1)]})
        at_px += width
    return _Draft(
        taken_at=analysis.frame.received_at,
        stratum=stratum,
        picture=np.asarray(cv2.hconcat([view.picture for view in person.views]), np.uint8),
        detail={"score": round(score, 4), "seconds": round(person.seen_s - person.since_s, 2), "views": views},
    )


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Frames of a camera that are wanted for labels, because it drifts.

    Attributes:
        until: none is drawn from then on; aware UTC.
        every: time between two of them.
    """

    until: datetime
    every: timedelta


@dataclass(frozen=True, slots=True)
class TrainingFrame:
    """A frame for labels, ready to be written.

    Attributes:
        most_a_day: of a camera's frames in the targeted queue; None: whoever wants them says how many.
    """

    camera_id: str
    hour_at: datetime
    model: str
    draft: _Draft
    most_a_day: int | None = None


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one period of one camera gave."""

    camera_id: str
    hour_at: datetime
    model: str
    sampling: Sampling
    tracks: _Reservoir
    frames: _Reservoir
    doubtful: Sequence[_Draft]


class Sampler:
    """Draws samples of all cameras that allow it, and writes them on its own thread.

    A period's samples are written when it is over or the camera is stopped: only then are their chances known.

    Args:
        model: gives the first digits of the sha256 of the detector that looks at a camera now.
        period: an hour, or a part that divides it.
    """

    def __init__(
        self,
        store: SampleStore,
        blobs: BlobStore,
        metrics: Metrics,
        *,
        model: Callable[[str], str],
        rng: random.Random,
        period: timedelta = _HOUR,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._metrics = metrics
        self._model = model
        self._rng = rng
        self._period = period
        self._cameras: dict[str, _CameraSampler] = {}
        self._batches: queue.Queue[_Batch | _DoneClip | TrainingFrame | None] = queue.Queue(_QUEUE)
        self._wanted: Mapping[str, LabelBatch] = {}
        self._labelled_at: dict[str, datetime] = {}
        self._thread = threading.Thread(target=self._write_all, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write what was drawn; tells whether that ended in time. The analysis has ended before."""
        for camera_id in list(self._cameras):
            self.forget(camera_id)
        if self._thread.ident is None:
            return True
        try:
            self._batches.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def want(self, batches: Mapping[str, LabelBatch]) -> None:
        """Draw frames for labels of these cameras, as far as they have leave, and of no others; from any thread."""
        self._wanted = dict(batches)

    def observe(self, camera: Camera, analysis: Analysis) -> None:
        """Take in an analysed frame; nothing for a camera without leave. On the analysis thread."""
        sampler = self._cameras.get(camera.id)
        model = self._model(camera.id)
        if sampler is not None and (sampler.sampling, sampler.model) != (camera.sampling, model):
            self.forget(camera.id)
            sampler = None
        if camera.sampling is None:
            return
        if sampler is None:
            sampler = self._cameras[camera.id] = _CameraSampler(
                camera.id, camera.sampling, model, self._rng, self._period
            )
        hour_at = period_of(analysis.frame.received_at, self._period)
        if sampler.hour_at != hour_at:
            self._hand_over(sampler)
            sampler.begin(hour_at)
        for clip in sampler.film(analysis, camera.lines):
            self._submit(clip)
        while sampler.faults:
            self._metrics.samples_dropped.labels("clip_cut").inc()
            _log.warning("a clip was left out", camera=camera.id, error=sampler.faults.pop())
        sampler.observe(analysis)
        self._label(sampler, analysis)

    def for_training(self, camera_id: str, analysis: Analysis) -> TrainingFrame | None:
        """Return this frame as one for labels; None without leave. On the analysis thread, after `observe`."""
        sampler = self._cameras.get(camera_id)
        if sampler is None or sampler.hour_at is None or sampler.sampling.targeted_per_day == 0:
            return None
        draft = sampler.draft_frame(analysis)
        return TrainingFrame(
            camera_id, sampler.hour_at, sampler.model, draft, most_a_day=sampler.sampling.targeted_per_day
        )

    def keep_for_training(self, frame: TrainingFrame, also_px: NDArray[np.float32]) -> None:
        """Keep such a frame because two models disagree about it; from any thread.

        Args:
            also_px: (N, 4) people that the other one found: their heads are pixelated too.
        """
        frame.draft.picture = pixelate_heads(frame.draft.picture, also_px)
        frame.draft.reason = DISAGREEING
        self._submit(frame)

    def _label(self, sampler: _CameraSampler, analysis: Analysis) -> None:
        """Hand over this frame for labels if one is due."""
        wanted, at = self._wanted.get(sampler.camera_id), analysis.frame.received_at
        last_at = self._labelled_at.get(sampler.camera_id)
        if wanted is None or at >= wanted.until or (last_at is not None and at - last_at < wanted.every):
            return
        assert sampler.hour_at is not None
        self._labelled_at[sampler.camera_id] = at
        draft = sampler.draft_frame(analysis)
        draft.reason = DRIFTED
        self._submit(TrainingFrame(sampler.camera_id, sampler.hour_at, sampler.model, draft))

    def interrupt(self, camera_id: str) -> None:
        """The camera is not watched for a while: who was followed is not drawn."""
        sampler = self._cameras.get(camera_id)
        if sampler is not None:
            sampler.close()

    def forget(self, camera_id: str) -> None:
        """Write what was drawn of a camera and draw no more."""
        sampler = self._cameras.pop(camera_id, None)
        if sampler is not None:
            sampler.close()
            self._hand_over(sampler)

    def _hand_over(self, sampler: _CameraSampler) -> None:
        if sampler.hour_at is None:
            return
        batch = _Batch(
            sampler.camera_id,
            sampler.hour_at,
            sampler.model,
            sampler.sampling,
            sampler.tracks,
            sampler.frames,
            tuple(sampler.doubtful),
        )
        self._submit(batch)

    def _submit(self, work: _Batch | _DoneClip | TrainingFrame) -> None:
        try:
            self._batches.put_nowait(work)
        except queue.Full:
            # Populations and samples go together: the estimates rest on the hours that are there.
            self._metrics.samples_dropped.labels("queue_full").inc()

    def _write_all(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                if isinstance(batch, _DoneClip):
                    self._keep_clip(batch)
                elif isinstance(batch, TrainingFrame):
                    if self._is_enough(batch):
                        continue
                    self._keep(batch, batch.draft, "frame", "targeted", None)
                else:
                    self._write(batch)
            except (StoreError, OSError) as error:
                self._metrics.samples_dropped.labels("not_written").inc()
                _log.error("samples could not be written", camera=batch.camera_id, error=str(error))

    def _is_enough(self, frame: TrainingFrame) -> bool:
        if frame.most_a_day is None:
            return False
        midnight = period_of(frame.hour_at, _DAY)
        return self._store.drawn(frame.camera_id, "frame", "targeted", since=midnight) >= frame.most_a_day

    def _write(self, batch: _Batch) -> None:
        midnight = period_of(batch.hour_at, _DAY)
        quotas: tuple[tuple[SampleUnit, _Reservoir, int], ...] = (
            ("track", batch.tracks, batch.sampling.tracks_per_day),
            ("frame", batch.frames, batch.sampling.frames_per_day),
        )
        for unit, drawn, quota in quotas:
            total = sum(drawn.populations.values())
            if total == 0 or quota == 0:
                continue
            if self._store.drawn(batch.camera_id, unit, "random", since=midnight) + len(drawn.drafts) > quota:
                # After a restart within the period; without its population it biases nothing.
                self._metrics.samples_dropped.labels("quota").inc()
                continue
            for draft in drawn.drafts:
                self._keep(batch, draft, unit, "random", chance(quota, total, self._period))
            self._store.add_populations(
                [
                    Population(batch.camera_id, batch.hour_at, unit, stratum, batch.model, count)
                    for stratum, count in sorted(drawn.populations.items())
                ]
            )
        done = self._store.drawn(batch.camera_id, "track", "targeted", since=midnight)
        for draft in batch.doubtful[: max(0, batch.sampling.targeted_per_day - done)]:
            self._keep(batch, draft, "track", "targeted", None)

    def _keep(
        self,
        batch: _Batch | TrainingFrame,
        draft: _Draft,
        unit: SampleUnit,
        into: SampleQueue,
        probability: float | None,
    ) -> None:
        encoded, jpeg = cv2.imencode(".jpg", draft.picture, _JPEG)
        if not encoded:
            raise StoreError(f"camera {batch.camera_id!r}: a sampled picture could not be encoded; it is left out")
        sample_id, content = uuid.uuid4().hex, jpeg.tobytes()
        sample = Sample(
            id=sample_id,
            camera_id=batch.camera_id,
            unit=unit,
            queue=into,
            reason=draft.reason,
            hour_at=batch.hour_at,
            stratum=draft.stratum,
            model=batch.model,
            taken_at=draft.taken_at,
            probability=probability,
            blob_key=_blob_key(batch.camera_id, draft.taken_at, f"{sample_id}.jpg"),
            media_type="image/jpeg",
            width_px=draft.picture.shape[1],
            height_px=draft.picture.shape[0],
            size_bytes=len(content),
            detail=draft.detail,
        )
        self._put(sample, content)

    def _keep_clip(self, done: _DoneClip) -> None:
        clip = done.clip
        midnight = period_of(clip.begin_at, _DAY)
        if self._store.drawn(done.camera_id, "clip", "random", since=midnight) >= done.sampling.clips_per_day:
            self._metrics.samples_dropped.labels("quota").inc()
            return
        sample_id = uuid.uuid4().hex
        sample = Sample(
            id=sample_id,
            camera_id=done.camera_id,
            unit="clip",
            queue="random",
            hour_at=period_of(clip.begin_at, self._period),
            stratum=clip.line,
            model=done.model,
            taken_at=clip.begin_at,
            probability=done.probability,
            blob_key=_blob_key(done.camera_id, clip.begin_at, f"{sample_id}.mp4"),
            media_type=MEDIA_TYPE,
            width_px=clip.width_px,
            height_px=clip.height_px,
            size_bytes=len(clip.content),
            detail=clip.detail,
        )
        self._put(sample, clip.content)

    def _put(self, sample: Sample, content: bytes) -> None:
        self._blobs.put(sample.blob_key, content)
        self._store.add(sample)
        self._metrics.samples.labels(sample.camera_id, sample.unit, sample.queue).inc()


def _blob_key(camera_id: str, taken_at: datetime, name: str) -> str:
    return f"samples/{camera_id}/{taken_at.astimezone(UTC).date().isoformat()}/{name}"


class SampleKeeper:
    """Deletes pictures whose time is over, that are too many, or that somebody wants gone; leaves a trail.

    Args:
        runs: folder of retrainings, which keep lists of frames; None: there are none.
    """

    def __init__(
        self, store: SampleStore, blobs: BlobStore, metrics: Metrics, *, most_bytes: int, runs: Path | None = None
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._metrics = metrics
        self._most_bytes = most_bytes
        self._runs = runs

    def sweep(self, cameras: Sequence[Camera], now: datetime) -> None:
        """Delete what has been kept long enough, then the oldest until the rest fits; and blobs that no row knows.

        Raises:
            StoreError: a store did not answer; told as a metric as well, and tried again the next time.
        """
        try:
            self._sweep(cameras, now)
        except StoreError:
            self._metrics.sampling_job_failures.inc()
            raise
        self._metrics.sampling_job_last_success.set(now.timestamp())

    def delete(self, camera_id: str, day: datetime, *, actor: str, now: datetime) -> int:
        """Delete a camera's samples of one day, with pictures and all that was said of them; returns how many."""
        begin = day.replace(hour=0, minute=0, second=0, microsecond=0)
        deleted = 0
        while gone := self._store.samples(since=begin, until=begin + timedelta(days=1), camera_ids=[camera_id]):
            for sample in gone:
                self._blobs.delete(sample.blob_key)
            self._forget(gone, now)
            self._store.delete(gone, at=now, actor=actor)
            self._metrics.samples_deleted.labels("request").inc(len(gone))
            deleted += len(gone)
        self._metrics.samples_stored_bytes.set(self._store.stored_bytes())
        return deleted

    def _sweep(self, cameras: Sequence[Camera], now: datetime) -> None:
        rules = {camera.id: camera.sampling for camera in cameras if camera.sampling is not None}
        usual = Sampling(purpose="")  # for cameras that are gone or took their leave back
        for camera_id in self._store.camera_ids():
            rule = rules.get(camera_id, usual)
            while gone := self._store.expired(
                camera_id,
                unlabelled_before=now - timedelta(hours=rule.retention_h),
                labelled_before=now - timedelta(days=rule.labelled_retention_days),
            ):
                self._drop(gone, now, "expired")
        while (excess := self._store.stored_bytes() - self._most_bytes) > 0:
            gone = []
            for sample in self._store.oldest_pictures(1000):
                if excess <= 0:
                    break
                gone.append(sample)
                excess -= sample.size_bytes
            self._drop(gone, now, "disk")
        # A picture is written before its row; a crash between leaves it alone.
        known = {sample.blob_key for sample in self._store.oldest_pictures(10_000)}
        for blob in list(self._blobs.blobs("samples")):
            if blob.key not in known and blob.changed_at < now - _HOUR and len(known) < 10_000:
                self._blobs.delete(blob.key)
        self._metrics.samples_stored_bytes.set(self._store.stored_bytes())

    def _forget(self, gone: Sequence[Sample], now: datetime) -> None:
        """Retrainings keep lists and copies of frames: what is deleted is deleted there, too."""
        frames = [each.id for each in gone if each.unit == "frame"]
        if self._runs is not None:
            forget_pictures(self._runs, frames, at=now)
        forget_examples(self._blobs, frames)

    def _drop(self, gone: Sequence[Sample], now: datetime, reason: DeletionReason) -> None:
        for sample in gone:
            self._blobs.delete(sample.blob_key)
        self._forget(gone, now)
        self._store.note_pictures_deleted(gone, at=now, actor="retention", reason=reason)
        self._metrics.samples_deleted.labels(reason).inc(len(gone))
