"""What Prometheus sees, on a registry of its own; label values come from the configuration only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from footfall.domain import CameraState, DropReason
from service.capacity import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from footfall.domain import Camera, Crossing, FrameStatistics, ModelVersion
    from service.capacity import Capacity

# A series more for each of ours, and Prometheus asks for none of them.
disable_created_metrics()  # type: ignore[no-untyped-call]

_LATENCY_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
_UNKNOWN: Final = float("nan")
RECONNECT_REASONS: Final = ("refused", "timeout", "ended", "stalled", "auth_failed", "not_found", "redirect", "error")
"""Why a camera had to be opened again: the values of the label `reason` of `footfall_reconnects_total`."""


class Metrics:
    """Every metric of the service; also a `service.frames.FrameObserver`."""

    def __init__(self) -> None:  # noqa: PLR0915  a statement a metric
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        registry = self.registry
        self.people_crossed = Counter(
            "footfall_people_crossed",
            "Crossings of a counting line, gross: U-turns count in both directions.",
            ["camera", "line", "direction"],
            registry=registry,
        )
        self.uturns = Counter(
            "footfall_uturns",
            "Crossings that took back an earlier one within the U-turn window; `direction` is that of the later one.",
            ["camera", "line", "direction"],
            registry=registry,
        )
        self.zone_people = Gauge(
            "footfall_zone_people",
            "People in a zone now; absent while the camera is not watched.",
            ["camera", "zone"],
            registry=registry,
        )
        self.zone_visits = Counter(
            "footfall_zone_visits",
            "Finished stays in a zone by how they ended: seen leaving, or lost from view.",
            ["camera", "zone", "outcome"],
            registry=registry,
        )
        self.zone_dwell_seconds = Histogram(
            "footfall_zone_dwell_seconds",
            "How long finished stays lasted.",
            ["camera", "zone"],
            buckets=(1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
            registry=registry,
        )
        self.frames_received = Counter(
            "footfall_frames_received", "Frames that came out of the decoder.", ["camera"], registry=registry
        )
        self.frames_analysed = Counter(
            "footfall_frames_analysed", "Frames that were analysed.", ["camera"], registry=registry
        )
        self.frames_rested = Counter(
            "footfall_frames_rested",
            "Analysed frames that needed no detector: nothing had changed since it looked, and nobody was there.",
            ["camera"],
            registry=registry,
        )
        self.frames_dropped = Counter(
            "footfall_frames_dropped",
            "Frames that were received and will never be analysed.",
            ["camera", "reason"],
            registry=registry,
        )
        self.frames_unaccounted = Gauge(
            "footfall_frames_unaccounted",
            "Received frames that are neither analysed, dropped nor waiting: anything but 0 is a fault of Footfall.",
            registry=registry,
        )
        self.frame_age_seconds = Histogram(
            "footfall_frame_age_seconds",
            "From the decoded picture to its counts.",
            ["camera"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.detector_seconds = Histogram(
            "footfall_detector_seconds",
            "Duration of one detector call (a batch of frames).",
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.detector_batch_frames = Histogram(
            "footfall_detector_batch_frames",
            "Frames in one detector call.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.camera_state = Gauge(
            "footfall_camera_state",
            "1 for the state that the camera is in, 0 for the others.",
            ["camera", "state"],
            registry=registry,
        )
        self.reconnects = Counter(
            "footfall_reconnects",
            "Times a camera had to be opened again, by what had gone wrong.",
            ["camera", "reason"],
            registry=registry,
        )
        self.decode_refused = Gauge(
            "footfall_decode_refused",
            "1 where the device that was asked for does not decode the camera, so that the processor does; else 0.",
            ["camera"],
            registry=registry,
        )
        self.last_frame_timestamp = Gauge(
            "footfall_last_frame_timestamp_seconds",
            "Receive time of the newest decoded picture; Unix time.",
            ["camera"],
            registry=registry,
        )
        self.watched_seconds = Counter(
            "footfall_watched_seconds", "Seconds in which the camera was watched.", ["camera"], registry=registry
        )
        self.capacity_ratio = Gauge(
            "footfall_capacity_ratio",
            "Analyses asked for over analyses the machine could do; above 1 it is too small and rates fall.",
            registry=registry,
        )
        self.analyses_needed = Gauge(
            "footfall_analyses_needed",
            "Analyses a second asked for: each camera's rate, or what it sends if that is less.",
            registry=registry,
        )
        self.analyses_available = Gauge(
            "footfall_analyses_available",
            "Analyses a second that the machine could do at what they cost now.",
            registry=registry,
        )
        self.stage_seconds = Gauge(
            "footfall_stage_cpu_seconds",
            "CPU time of a stage for an analysed frame, over the last seconds; the largest one limits.",
            ["stage"],
            registry=registry,
        )
        self.cameras_possible = Gauge(
            "footfall_cameras_possible",
            "Cameras like those that run, on average, that the machine holds in all.",
            registry=registry,
        )
        self.set_capacity(None)
        self.records_pending = Gauge(
            "footfall_records_pending", "Records that wait for their commit.", registry=registry
        )
        self.records_committed = Counter(
            "footfall_records_committed", "Records that became durable.", registry=registry
        )
        self.records_dropped = Counter(
            "footfall_records_dropped",
            "Records that could not be kept because the database was away for too long.",
            registry=registry,
        )
        self.commit_failures = Counter(
            "footfall_commit_failures", "Commits that failed and were tried again.", registry=registry
        )
        self.commit_seconds = Histogram(
            "footfall_commit_seconds", "Duration of one commit.", buckets=_LATENCY_BUCKETS, registry=registry
        )
        self.input_statistic = Gauge(
            "footfall_input_statistic",
            "Newest value of a statistic of the camera's pictures or detections; see docs/metrics.md.",
            ["camera", "statistic"],
            registry=registry,
        )
        self.samples = Counter(
            "footfall_samples",
            "Samples kept for review.",
            ["camera", "unit", "queue"],
            registry=registry,
        )
        self.samples_dropped = Counter(
            "footfall_samples_dropped",
            "Hours of a camera whose samples were not kept, and clips, by reason.",
            ["reason"],
            registry=registry,
        )
        self.samples_deleted = Counter(
            "footfall_samples_deleted", "Samples or their pictures deleted, by reason.", ["reason"], registry=registry
        )
        self.samples_stored_bytes = Gauge(
            "footfall_samples_stored_bytes", "Room that sampled pictures take.", registry=registry
        )
        self.sampling_job_failures = Counter(
            "footfall_sampling_job_failures",
            "Times the job that deletes sampled pictures could not do its work.",
            registry=registry,
        )
        self.sampling_job_last_success = Gauge(
            "footfall_sampling_job_last_success_timestamp_seconds",
            "When that job last did its work; Unix time.",
            registry=registry,
        )
        self.model = Info("footfall_model", "The detector in use; of all cameras but the canaries.", registry=registry)
        self.model_follows = Gauge(
            "footfall_model_follows_registry",
            "1 when every model that the registry wants runs, or FOOTFALL_MODEL pins one; 0 when one was refused.",
            registry=registry,
        )
        self.model_swaps = Counter(
            "footfall_model_swaps", "Models that were to be used, by outcome.", ["outcome"], registry=registry
        )
        for outcome in ("swapped", "refused"):
            self.model_swaps.labels(outcome)
        self.model_lookup_failures = Counter(
            "footfall_model_lookup_failures",
            "Looks at the registry that failed; what runs goes on.",
            registry=registry,
        )
        self.canary_cameras = Gauge(
            "footfall_canary_cameras", "Cameras that the challenger looks at.", registry=registry
        )
        self.shadow_frames = Counter(
            "footfall_shadow_frames", "Frames that the challenger looked at beside the champion.", registry=registry
        )
        self.shadow_frames_dropped = Counter(
            "footfall_shadow_frames_dropped",
            "Frames that were due for the challenger, which was busy or failed.",
            registry=registry,
        )
        self.shadow_people = Counter(
            "footfall_shadow_people",
            "People on these frames, by who surely found them.",
            ["found_by"],
            registry=registry,
        )
        for who in ("both", "champion", "challenger"):
            self.shadow_people.labels(who)
        self.build = Info("footfall_build", "This version of Footfall.", registry=registry)

    def add_camera(self, camera: Camera) -> None:
        """Show every series of a camera from the start, at 0, so that `increase()` misses no first event."""
        for line in camera.lines:
            for direction in ("in", "out"):
                self.people_crossed.labels(camera.id, line.name, direction)
                self.uturns.labels(camera.id, line.name, direction)
        for zone in camera.zones:
            for outcome in ("left", "lost"):
                self.zone_visits.labels(camera.id, zone.name, outcome)
            self.zone_dwell_seconds.labels(camera.id, zone.name)
        self.frames_received.labels(camera.id)
        self.frames_analysed.labels(camera.id)
        self.watched_seconds.labels(camera.id)
        for drop_reason in DropReason:
            self.frames_dropped.labels(camera.id, drop_reason.value)
        for reason in RECONNECT_REASONS:
            self.reconnects.labels(camera.id, reason)
        self.frame_age_seconds.labels(camera.id)
        self.decode_refused.labels(camera.id)

    def remove_camera(self, camera_id: str) -> None:
        """Forget every series of a camera."""
        for metric in (
            self.people_crossed,
            self.uturns,
            self.zone_people,
            self.zone_visits,
            self.zone_dwell_seconds,
            self.frames_received,
            self.frames_analysed,
            self.frames_rested,
            self.frames_dropped,
            self.frame_age_seconds,
            self.camera_state,
            self.reconnects,
            self.decode_refused,
            self.last_frame_timestamp,
            self.watched_seconds,
            self.input_statistic,
        ):
            metric.remove_by_labels({"camera": camera_id})

    def forget_zones_now(self, camera_id: str) -> None:
        """Take back "people now" of a camera that is not watched: unknown is not zero."""
        self.zone_people.remove_by_labels({"camera": camera_id})

    def received(self, camera_id: str) -> None:
        """One more frame came out of the decoder."""
        self.frames_received.labels(camera_id).inc()

    def analysed(self, camera_id: str) -> None:
        """One more frame was analysed."""
        self.frames_analysed.labels(camera_id).inc()

    def dropped(self, camera_id: str, reason: DropReason) -> None:
        """One more frame will never be analysed."""
        self.frames_dropped.labels(camera_id, reason.value).inc()

    def crossed(self, crossing: Crossing) -> None:
        """One more crossing was counted."""
        labels = (crossing.camera_id, crossing.line, crossing.direction)
        self.people_crossed.labels(*labels).inc()
        if crossing.undoes is not None:
            self.uturns.labels(*labels).inc()

    def set_state(self, camera_id: str, state: CameraState) -> None:
        """A camera came into a state."""
        for each in CameraState:
            self.camera_state.labels(camera_id, each.value).set(1 if each is state else 0)

    def set_statistics(self, rows: Iterable[FrameStatistics]) -> None:
        """Show the newest statistics."""
        for row in rows:
            for name, value in row.values.items():
                self.input_statistic.labels(row.camera_id, name).set(value)

    def set_capacity(self, capacity: Capacity | None) -> None:
        """Tell how the machine stands; NaN where nothing is analysed, as unknown is not zero."""
        self.capacity_ratio.set(_UNKNOWN if capacity is None else capacity.ratio)
        self.analyses_needed.set(_UNKNOWN if capacity is None else capacity.needed_fps)
        self.analyses_available.set(_UNKNOWN if capacity is None else capacity.available_fps)
        self.cameras_possible.set(_UNKNOWN if capacity is None else capacity.cameras_possible)
        for stage in STAGES:
            self.stage_seconds.labels(stage).set(_UNKNOWN if capacity is None else capacity.stage_ms[stage] / 1e3)

    def set_model(self, model: ModelVersion, runtime: str) -> None:
        """Tell which detector is in use."""
        self.model.info({"name": model.name, "sha256": model.sha256, "runtime": runtime})

    def render(self) -> bytes:
        """Return the text exposition of all metrics."""
        return generate_latest(self.registry)
