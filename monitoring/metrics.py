"""What Prometheus sees of the monitor: figures that are known, and how much is missing of those that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from footfall.domain import DriftCause, DriftState, DriftTier, QualityMeasure, RetrainAnswer, RetrainOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from prometheus_client.core import Metric

    from footfall.domain import DriftEpisode, DriftVerdict, QualityEstimate, RetrainProgress, RetrainRequest

LABELS: Final = ("scope", "camera", "line", "model")
ABOUT: Final[dict[QualityMeasure, str]] = {
    "precision_reviewed": "Share of tracked people that are people, by reviewers' verdicts.",
    "precision_estimated": "The same by what confidences are worth; an estimate, no verdict.",
    "precision_assisted": "Precision by verdicts and, as far as they agree, a stronger model on more tracks.",
    "recall_audited": "Share of people found, by fully labelled random frames.",
    "count_accuracy_audited": "1 - |counted - true| / true, by clips that a person counted.",
    "count_balance_error": "|in - out| / (in + out) of the last whole day.",
    "teacher_agreement": "2 * both / (system + stronger model) of people found on random frames; no precision.",
}
PARTS: Final = {
    "ratio": "",
    "lower_ratio": "Lower end of the 95 % interval. ",
    "upper_ratio": "Upper end of the 95 % interval. ",
    "samples": "What it rests on: verdicts, people or crossings. ",
    "population": "How many it speaks for. ",
    "missing_samples": "How many more are needed until the figure is given. ",
    "timestamp_seconds": "Newest label that it rests on; Unix time. ",
}
WITHOUT_INTERVAL: Final = frozenset({"precision_estimated", "count_balance_error"})


def quality_metrics() -> dict[str, str]:
    """Name → meaning of every metric that is made from estimates."""
    return {
        f"footfall_{measure}_{part}": f"{lead}{ABOUT[measure]}"
        for measure in get_args(QualityMeasure)
        for part, lead in PARTS.items()
        if not (measure in WITHOUT_INTERVAL and part in {"lower_ratio", "upper_ratio"})
        and not (measure == "count_balance_error" and part in {"timestamp_seconds", "missing_samples"})
        and not (measure != "precision_reviewed" and part == "population")
    }


class _Quality:
    """The newest estimates as gauges; what is not known has no series, never a 0."""

    def __init__(self) -> None:
        self.estimates: Sequence[QualityEstimate] = ()

    def collect(self) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(name, about, labels=list(LABELS)) for name, about in quality_metrics().items()
        }
        for estimate in self.estimates:
            labels = [estimate.scope, estimate.camera_id, estimate.line, estimate.model]
            values = {
                "ratio": estimate.value,
                "lower_ratio": estimate.lower,
                "upper_ratio": estimate.upper,
                "samples": estimate.n,
                "population": estimate.population if estimate.value is not None else None,
                "missing_samples": estimate.missing,
                "timestamp_seconds": None if estimate.newest_at is None else estimate.newest_at.timestamp(),
            }
            for part, value in values.items():
                family = families.get(f"footfall_{estimate.measure}_{part}")
                if family is not None and value is not None:
                    family.add_metric(labels, value)
        yield from families.values()


DRIFT_METRICS: Final = {
    "footfall_drift_score": "Distance of the newest window from its reference, in the reference's own spread.",
    "footfall_drift_threshold": "What the distance must pass to be more than this camera's usual variation.",
    "footfall_drift_ratio": "Largest distance / threshold of a camera's statistics; above 1 unlike its like hours.",
    "footfall_drift_tier": "1 for the tier that a camera is in: calm, watch, or investigate when it lasts.",
    "footfall_drift_active": "1 while an episode is open, by what happened to the camera.",
    "footfall_drift_last_window_timestamp_seconds": "End of the newest window that was judged; Unix time.",
    "footfall_drift_window_seconds": "Length of that window.",
    "footfall_counts_valid": "0 while a camera looks elsewhere and its counts mean something else, otherwise 1.",
}
"""Name → meaning of every metric that is made from verdicts and episodes."""


class _Drift:
    """The newest verdicts as gauges; of a window that told nothing there is no score, never a 0."""

    def __init__(self) -> None:
        self.verdicts: Sequence[DriftVerdict] = ()
        self.episodes: Mapping[str, DriftEpisode] = {}
        self.cameras: Sequence[str] = ()

    def collect(self) -> Iterator[Metric]:
        labels = {"score": ["statistic"], "threshold": ["statistic"], "tier": ["tier"], "active": ["cause"]}
        families = {
            name: GaugeMetricFamily(name, about, labels=["camera", *labels.get(name.rpartition("_")[2], [])])
            for name, about in DRIFT_METRICS.items()
        }
        for verdict in self.verdicts:
            camera = verdict.camera_id
            for name, drift in verdict.features.items():
                families["footfall_drift_score"].add_metric([camera, name], drift.score)
                families["footfall_drift_threshold"].add_metric([camera, name], drift.threshold)
            if verdict.ratio is not None:
                families["footfall_drift_ratio"].add_metric([camera], verdict.ratio)
            for tier in get_args(DriftTier):
                families["footfall_drift_tier"].add_metric([camera, tier], float(tier == verdict.tier))
            families["footfall_drift_last_window_timestamp_seconds"].add_metric([camera], verdict.end_at.timestamp())
            length_s = (verdict.end_at - verdict.begin_at).total_seconds()
            families["footfall_drift_window_seconds"].add_metric([camera], length_s)
        for camera, episode in self.episodes.items():
            families["footfall_drift_active"].add_metric([camera, episode.cause], 1.0)
        for camera in self.cameras:
            of_it = self.episodes.get(camera)
            families["footfall_counts_valid"].add_metric([camera], float(of_it is None or not of_it.invalidates))
        yield from families.values()


RETRAIN_METRICS: Final = {
    "footfall_retrain_launched_timestamp_seconds": "When the retraining that runs was started, by site; Unix time.",
    "footfall_retrain_progress_timestamp_seconds": "When it last told how far it is, or was started; Unix time.",
    "footfall_retrain_stage": "1 for the stage that it is in.",
    "footfall_retrain_done_ratio": "Share of its planned time that lies behind it.",
    "footfall_retrain_left_seconds": "Until its end, by its plan and its own speed.",
    "footfall_retrain_planned_seconds": "What it takes in all, by its plan.",
    "footfall_retrain_steps": "Steps of training that are done.",
    "footfall_retrain_wanted_steps": "Steps of training in all.",
    "footfall_retrain_loss": "Mean loss of training since the report before.",
    "footfall_retrain_loss_part": "What that loss is made of, as Ultralytics weighs it: `box`, `cls`, `dfl`.",
    "footfall_retrain_epochs": "How often each new picture was learned from, on the average.",
    "footfall_retrain_rejected": "1 for each gate that the newest retraining of the site was rejected by.",
    "footfall_retrain_outcome_timestamp_seconds": "When a retraining of the site last ended so (`outcome`); Unix time.",
}
"""Name → meaning of every metric that is made from requests and the progress of the one that runs."""


class _Retrains:
    """The retraining of each site that runs, as gauges; what its run did not tell has no series, never a 0."""

    def __init__(self) -> None:
        self.running: Sequence[tuple[RetrainRequest, RetrainProgress | None]] = ()
        self.ends: Mapping[tuple[str, RetrainOutcome], datetime] = {}
        self.rejections: Mapping[str, Sequence[str]] = {}

    def collect(self) -> Iterator[Metric]:
        labels = {
            "stage": ["stage"],
            "loss_part": ["part"],
            "rejected": ["gate"],
            "outcome_timestamp_seconds": ["outcome"],
        }
        families = {
            name.removeprefix("footfall_retrain_"): GaugeMetricFamily(
                name, about, labels=["site", *labels.get(name.removeprefix("footfall_retrain_"), [])]
            )
            for name, about in RETRAIN_METRICS.items()
        }
        for request, told in self.running:
            values: dict[str, float | None] = {}
            if request.launched_at is not None:
                values["launched_timestamp_seconds"] = request.launched_at.timestamp()
                values["progress_timestamp_seconds"] = request.launched_at.timestamp()
            if told is not None:
                values |= {
                    # One that was begun anew told something before: its start is the newer news.
                    "progress_timestamp_seconds": max(
                        told.at.timestamp(), values.get("launched_timestamp_seconds") or 0.0
                    ),
                    "done_ratio": told.done,
                    "left_seconds": told.left_s,
                    "planned_seconds": told.planned_s,
                    "steps": told.step,
                    "wanted_steps": told.steps,
                    "loss": told.loss,
                    "epochs": told.epoch,
                }
                for part, loss in told.losses.items():
                    families["loss_part"].add_metric([request.site, part], loss)
                families["stage"].add_metric([request.site, told.stage], 1.0)
            for name, value in values.items():
                if value is not None:
                    families[name].add_metric([request.site], value)
        for (site, outcome), at in self.ends.items():
            families["outcome_timestamp_seconds"].add_metric([site, outcome], at.timestamp())
        for site, gates in self.rejections.items():
            for gate in gates:
                families["rejected"].add_metric([site, gate], 1.0)
        yield from families.values()


class MonitorMetrics:
    """Every metric of the monitor.

    Args:
        target: precision that is promised.
    """

    def __init__(self, *, target: float) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.precision_target = Gauge(
            "footfall_precision_target_ratio", "Precision that is promised.", registry=self.registry
        )
        self.precision_target.set(target)
        self.last_check = Gauge(
            "footfall_monitor_last_check_timestamp_seconds",
            "When the monitor last finished a check; Unix time.",
            registry=self.registry,
        )
        self.check_failures = Counter(
            "footfall_monitor_check_failures", "Checks that could not be finished.", registry=self.registry
        )
        self.check_seconds = Gauge(
            "footfall_monitor_check_seconds", "Duration of the last check.", registry=self.registry
        )
        self.teacher_labels = Counter(
            "footfall_teacher_labels", "Samples that the teacher judged.", ["unit"], registry=self.registry
        )
        self.teacher_failures = Counter(
            "footfall_teacher_failures", "Samples that the teacher could not judge.", registry=self.registry
        )
        self.teacher_cpu_seconds = Counter(
            "footfall_teacher_cpu_seconds", "Processor time of the teacher.", registry=self.registry
        )
        for unit in ("track", "frame"):
            self.teacher_labels.labels(unit)
        self.retrain_requests = Gauge(
            "footfall_retrain_requests",
            "Requests for a better model by how they ended; those that are not over by their state.",
            ["outcome"],
            registry=self.registry,
        )
        self.retrain_asks = Counter(
            "footfall_retrain_asks",
            "Alerts that asked for a better model, by what became of it.",
            ["answer"],
            registry=self.registry,
        )
        for answer in (*get_args(RetrainAnswer), "ignored"):
            self.retrain_asks.labels(answer)
        self.retrain_launch_failures = Counter(
            "footfall_retrain_launch_failures",
            "Times a request could not be started or asked about; each is tried again.",
            registry=self.registry,
        )
        self.retrain_last_end = Gauge(
            "footfall_retrain_last_end_timestamp_seconds",
            "When this monitor last saw a retraining end; Unix time.",
            registry=self.registry,
        )
        self.show_retrains({})
        self.drift_windows = Counter(
            "footfall_drift_windows",
            "Windows that this monitor judged, by what they told.",
            ["state"],
            registry=self.registry,
        )
        for state in get_args(DriftState):
            self.drift_windows.labels(state)
        self.drift_episodes = Counter(
            "footfall_drift_episodes", "Episodes that this monitor opened.", ["cause"], registry=self.registry
        )
        for cause in get_args(DriftCause):
            self.drift_episodes.labels(cause)
        self.drift_check_failures = Counter(
            "footfall_drift_check_failures", "Turns in which windows could not be judged.", registry=self.registry
        )
        self.drift_report_failures = Counter(
            "footfall_drift_report_failures", "Reports of Evidently that could not be written.", registry=self.registry
        )
        self._retrains = _Retrains()
        self.registry.register(self._retrains)
        self._drift = _Drift()
        self.registry.register(self._drift)
        self._quality = _Quality()
        self.registry.register(self._quality)

    def show(self, estimates: Sequence[QualityEstimate]) -> None:
        """Show these in place of earlier ones."""
        self._quality.estimates = tuple(estimates)

    def show_drift(
        self, verdicts: Sequence[DriftVerdict], episodes: Mapping[str, DriftEpisode], cameras: Sequence[str]
    ) -> None:
        """Show these in place of earlier ones.

        Args:
            verdicts: the newest of each camera that has one.
            episodes: the open one of each camera that has one.
            cameras: those that are watched.
        """
        self._drift.verdicts, self._drift.episodes, self._drift.cameras = (
            tuple(verdicts),
            dict(episodes),
            tuple(cameras),
        )

    def show_retrains(self, counts: Mapping[str, int]) -> None:
        """Show how many requests there are of each outcome or state."""
        for outcome in ("waiting", "running", *get_args(RetrainOutcome)):
            self.retrain_requests.labels(outcome).set(counts.get(outcome, 0))

    def show_running(
        self,
        running: Sequence[tuple[RetrainRequest, RetrainProgress | None]],
        ends: Mapping[tuple[str, RetrainOutcome], datetime],
        rejections: Mapping[str, Sequence[str]],
    ) -> None:
        """Show these in place of earlier ones.

        Args:
            running: requests that run, each with what its run told last; None where it told nothing.
            ends: when a request last ended, by site and outcome.
            rejections: gates that rejected the newest one that ended, by site.
        """
        self._retrains.running, self._retrains.ends = tuple(running), dict(ends)
        self._retrains.rejections = dict(rejections)

    def render(self) -> bytes:
        """Return the text exposition of all metrics."""
        return generate_latest(self.registry)
