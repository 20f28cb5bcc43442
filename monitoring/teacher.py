"""Asks a stronger model about sampled pictures, within a share of one core; estimates nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import structlog

from footfall.domain import SampleLabel
from footfall.errors import StoreError
from footfall.vision.boxes import pairwise_iou
from monitoring.evidence import matched_boxes

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from footfall.domain import Detections, Sample, SampleUnit
    from footfall.stores.blobs import BlobStore
    from footfall.stores.samples import SampleStore
    from footfall.vision.detector import Detector
    from monitoring.metrics import MonitorMetrics

_log = structlog.get_logger(__name__)
IOU: Final = 0.5
_AT_ONCE: Final = 20
_REST_S: Final = 30.0
"""When nothing waits, or a store is away."""
_UNITS: Final[tuple[SampleUnit, ...]] = ("track", "frame")


class Teacher:
    """Looks at what was drawn at random, heads pixelated as it is, and keeps what it finds beside people's words.

    Its words have the source `teacher` and its own name: no person's figure is made from them, and no picture is kept
    longer for them. Where it sees things very differently, the picture also goes into the targeted queue, for training,
    as a copy of its own within the camera's quota (`targeted_per_day`).

    Of a track it says in what share of the moments it finds a person in the same place (IoU 0.5); of a frame, where it
    finds people at its own threshold.

    Args:
        detector: the stronger model, for whole frames; one thread is enough.
        near: the same model for the moments of a track, which are small.
        cpu_share: of one core, in (0, 1]: after each picture it rests until it has used no more.
        quotas: camera → targeted samples a day; cameras without leave are not in it.
    """

    def __init__(
        self,
        store: SampleStore,
        blobs: BlobStore,
        metrics: MonitorMetrics,
        *,
        detector: Detector,
        near: Detector,
        cpu_share: float,
        quotas: Callable[[], Mapping[str, int]],
    ) -> None:
        self._quotas = quotas
        self._store = store
        self._blobs = blobs
        self._metrics = metrics
        self._detector = detector
        self._near = near
        self._cpu_share = cpu_share
        version = detector.version
        self.name = f"{version.name} {version.sha256[:12]}"[:64]
        self._unreadable: set[str] = set()

    def run(self, stopping: threading.Event) -> None:
        """Judge what waits until `stopping` is set; whatever fails is tried again later."""
        if hasattr(os, "SCHED_IDLE"):
            # Of this thread alone: it works when nobody else wants to. Some containers forbid it.
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while not stopping.is_set():
            try:
                judged = self.judge_waiting(stopping)
            except (StoreError, OSError) as error:
                _log.error("the teacher rests", error=str(error))
                judged = 0
            if judged == 0 and stopping.wait(_REST_S):
                return

    def judge_waiting(self, stopping: threading.Event) -> int:
        """Judge some of what waits, oldest first; returns how many.

        Raises:
            StoreError: a store did not answer; what was judged before is kept.
        """
        judged = 0
        for unit in _UNITS:
            waiting = self._store.open_samples(
                unit, "random", reviewer=self.name, limit=_AT_ONCE + len(self._unreadable)
            )
            for sample in waiting:
                if stopping.is_set():
                    return judged
                if sample.id in self._unreadable:
                    continue
                begin_s, begin_cpu_s = time.monotonic(), time.thread_time()
                content = self._look(sample)
                if content is None:
                    continue
                self._store.add_label(SampleLabel(sample.id, self.name, datetime.now(UTC), "teacher", content))
                if _differs(sample, content):
                    self._target(sample)
                judged += 1
                self._metrics.teacher_labels.labels(unit).inc()
                used_s = time.thread_time() - begin_cpu_s
                self._metrics.teacher_cpu_seconds.inc(used_s)
                stopping.wait(max(0.0, used_s / self._cpu_share - (time.monotonic() - begin_s)))
        return judged

    def _look(self, sample: Sample) -> dict[str, Any] | None:
        try:
            raw = np.frombuffer(self._blobs.get(sample.blob_key), np.uint8)
        except StoreError:
            # Deleted since it was listed, or never written; the next ones may be there.
            raw = np.empty(0, np.uint8)
        picture = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
        if picture is None:
            self._unreadable.add(sample.id)
            self._metrics.teacher_failures.inc()
            _log.warning("a sample's picture cannot be read; the teacher passes it over", sample=sample.id)
            return None
        if sample.unit == "frame":
            (found,) = self._detector.detect([np.asarray(picture, np.uint8)])
            return {"boxes": _sure(found).round(2).tolist()}
        confirmed = [self._confirms(np.asarray(picture, np.uint8), view) for view in sample.detail["views"]]
        return {"agrees": round(sum(confirmed) / len(confirmed), 4)}

    def _target(self, sample: Sample) -> None:
        midnight = sample.taken_at.replace(hour=0, minute=0, second=0, microsecond=0)
        done = self._store.drawn(
            sample.camera_id, sample.unit, "targeted", since=midnight, until=midnight + timedelta(days=1)
        )
        if done >= self._quotas().get(sample.camera_id, 0):
            return
        copy_id = uuid.uuid4().hex
        key = f"{sample.blob_key.rpartition('/')[0]}/{copy_id}.jpg"
        self._blobs.put(key, self._blobs.get(sample.blob_key))
        self._store.add(
            dataclasses.replace(
                sample, id=copy_id, queue="targeted", reason="disagreeing", probability=None, blob_key=key
            )
        )

    def _confirms(self, sheet: NDArray[np.uint8], view: dict[str, Any]) -> bool:
        begin, width = view["x0"], view["width"]
        (found,) = self._near.detect([np.ascontiguousarray(sheet[:, begin : begin + width])])
        box = np.array([view["box"]], np.float32) - np.array([begin, 0, begin, 0], np.float32)
        return bool((pairwise_iou(box, _sure(found)) >= IOU).any())


def _differs(sample: Sample, content: Mapping[str, Any]) -> bool:
    """Whether it sees a track in less than half of its moments, or of a frame's people under two thirds too."""
    if sample.unit == "track":
        return bool(content["agrees"] < 0.5)
    found = np.array([box[:4] for box in sample.detail["boxes"]], np.float64).reshape(-1, 4)
    taught = np.array(content["boxes"], np.float64).reshape(-1, 4)
    both = matched_boxes(taught, found)
    return 2 * both < 2 / 3 * (len(found) + len(taught))


def _sure(found: Detections) -> NDArray[np.float32]:
    return found.boxes_px[found.scores >= found.threshold]
