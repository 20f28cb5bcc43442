"""The domain's words: records that every part shares; knows nothing of video, models, databases or HTTP."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

Point = tuple[float, float]
"""x, y as shares of the picture's width and height, origin top left, in [0, 1]."""

Direction = Literal["in", "out"]
"""`in` is towards the side where cross(end - start, p - start) >= 0: to the right of start→end on screen."""

VisitOutcome = Literal["left", "lost"]
"""How a visit ended: the person was seen leaving the zone, or was lost from view inside it."""

Transport = Literal["tcp", "udp"]

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.=-]{0,63}$"
"""What a camera id, line or zone may be called: safe as a label value, a path part and a URL part."""

_NAME = re.compile(NAME_PATTERN)


def is_name(text: str) -> bool:
    """Tell whether `text` may name a camera, line or zone.

    >>> is_name("gate-2"), is_name("../etc"), is_name("")
    (True, False, False)
    """
    return _NAME.fullmatch(text) is not None


class CameraState(StrEnum):
    """What a camera is doing; every second outside `live` and `degraded` is uncovered, never "zero people"."""

    CONNECTING = "connecting"
    LIVE = "live"
    DEGRADED = "degraded"  # pictures come, but many are broken
    STALLED = "stalled"  # connected, no picture could be decoded in time
    OFFLINE = "offline"  # refused, unreachable or gone
    AUTH_FAILED = "auth_failed"
    NOT_FOUND = "not_found"
    DISABLED = "disabled"
    ENDED = "ended"  # a file that is not looped was read to its end


class DropReason(StrEnum):
    """Why a received frame was not analysed."""

    CORRUPT = "corrupt"  # the decoder marked it broken
    RATE = "rate"  # the camera sends more than its target rate asks for
    SUPERSEDED = "superseded"  # a newer frame of the same camera came before its turn
    STALE = "stale"  # older than the age limit when its turn came
    ERROR = "error"  # analysing it failed
    STOPPED = "stopped"  # its camera was stopped or changed before its turn


@dataclass(frozen=True, slots=True)
class Line:
    """A counting line; start and end differ."""

    name: str
    start: Point
    end: Point


@dataclass(frozen=True, slots=True)
class Zone:
    """An area in which people are counted.

    Attributes:
        polygon: at least three corners.
        min_inside_s: a stay shorter than this is no visit.
    """

    name: str
    polygon: tuple[Point, ...]
    min_inside_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """What may be kept of a camera's pictures for people to judge, heads pixelated.

    Attributes:
        purpose: why; shown wherever the samples are.
        tracks_per_day, frames_per_day: random ones, for the estimates.
        targeted_per_day: tracks worth a look, for training.
        clips_per_day: films around a line, at random times; none without a line.
        clip_s: length of a clip; seconds.
        retention_h: how long a picture without a label is kept.
        labelled_retention_days: how long any picture is kept.
    """

    purpose: str
    tracks_per_day: int = 40
    frames_per_day: int = 4
    targeted_per_day: int = 20
    retention_h: float = 72.0
    labelled_retention_days: float = 30.0
    clips_per_day: int = 2
    clip_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera as configured.

    Attributes:
        url: the source; may hold a password and is therefore never part of the representation.
        target_fps: analyses a second aimed at; fewer when the camera sends fewer.
        transport: of RTSP media.
        loop: a file starts again at its end and plays at its own rate.
        sampling: None: no picture of it is ever kept.
        priority: where the machine is too small, it waits this many times less than a camera with 1.
    """

    id: str
    url: str = field(repr=False)
    name: str = ""
    enabled: bool = True
    target_fps: float = 5.0
    transport: Transport = "tcp"
    loop: bool = False
    lines: tuple[Line, ...] = ()
    zones: tuple[Zone, ...] = ()
    sampling: Sampling | None = None
    priority: int = 1


class Image(Protocol):
    """A picture whose pixels are made when somebody asks, in the form that is asked for; safe to use from any thread.

    Every method raises whatever the picture's source raises; (W, H) is known without either.
    """

    width_px: int
    height_px: int

    def bgr(self) -> NDArray[np.uint8]:
        """Return the whole picture: (H, W, 3) uint8."""

    def scaled_bgr(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Return it in another size, cheaper than the whole where that is smaller: (height_px, width_px, 3) uint8."""

    def small_bgr(self, least_px: int) -> NDArray[np.uint8]:
        """Return it in any size whose longer side has `least_px` or more, or whole where it is smaller.

        The cheapest, (H, W, 3) uint8: what was made for somebody else is given again.
        """

    def scaled_grey(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Return its brightness in another size: (height_px, width_px) uint8; what is black and white may vary."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    Attributes:
        sequence: number of the frame since the camera was started, from 0.
        image: the picture: (H, W, 3) uint8 BGR, or what gives one.
        received_at: when it was decoded here; aware UTC. Event times come from it, never from the stream's clock.
        received_s: the same moment on the clock that durations use: monotonic for live sources, the position in the
            film for files; seconds.
    """

    camera_id: str
    sequence: int
    image: NDArray[np.uint8] | Image
    received_at: datetime
    received_s: float

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The whole picture; (H, W, 3) uint8, BGR."""
        return self.image if isinstance(self.image, np.ndarray) else self.image.bgr()

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height, without making the picture."""
        if isinstance(self.image, np.ndarray):
            return self.image.shape[1], self.image.shape[0]
        return self.image.width_px, self.image.height_px


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """People found in one frame, strongest first; N may be 0.

    Attributes:
        boxes_px: (N, 4) float32; x0, y0, x1, y1 in source-frame pixels, origin top left.
        scores: (N,) float32; confidence in [0, 1]; may go below `threshold`, for whoever can use weak finds.
        threshold: from this confidence up a find is a person; set for the model by its `model.json`.
    """

    boxes_px: NDArray[np.float32]
    scores: NDArray[np.float32]
    threshold: float = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """People followed, as seen in one frame; N may be 0.

    Attributes:
        ids: (N,) int64; from 1, mean nothing outside one run of one camera.
        boxes_px: (N, 4) float32; x0, y0, x1, y1 in source-frame pixels, origin top left.
        scores: (N,) float32; confidence in [0, 1].
    """

    ids: NDArray[np.int64]
    boxes_px: NDArray[np.float32]
    scores: NDArray[np.float32]


_EVENT_NAMESPACE: Final = uuid.UUID("5f5c9a0e-6a1b-5d0e-9c55-2f6f6f746661")


def event_id(run_id: str, camera_id: str, sequence: int) -> str:
    """Name an event for ever: the same run, camera and number give the same id, so a repeat is recognised.

    >>> event_id("r", "gate", 1) == event_id("r", "gate", 1) != event_id("r", "gate", 2)
    True
    """
    return uuid.uuid5(_EVENT_NAMESPACE, f"{run_id}/{camera_id}/{sequence}").hex


@dataclass(frozen=True, slots=True)
class Crossing:
    """Somebody crossed a line.

    Attributes:
        id: stable; storing the same event twice stores it once.
        at: interpolated moment of crossing; aware UTC.
        undoes: id of the crossing that this one takes back (a U-turn). Both stay in the gross counts; neither is in
            the effective counts.
    """

    id: str
    camera_id: str
    line: str
    direction: Direction
    at: datetime
    track_id: int
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class ZoneVisit:
    """Somebody's finished stay in a zone.

    Attributes:
        entered_at: aware UTC.
        left_at: when the person left or was last seen inside; aware UTC.
        dwell_s: seconds from one to the other, by a clock that never steps.
    """

    id: str
    camera_id: str
    zone: str
    entered_at: datetime
    left_at: datetime
    dwell_s: float
    outcome: VisitOutcome
    track_id: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Seconds of one minute in which a camera was watched; increments add up.

    Attributes:
        minute_at: start of the minute; aware UTC.
        watched_s: to be added to what is stored; in [0, 60].
        analysed: frames analysed, to be added.
    """

    camera_id: str
    minute_at: datetime
    watched_s: float
    analysed: int


@dataclass(frozen=True, slots=True)
class StateChange:
    """A camera came into a state.

    Attributes:
        detail: one line for people; holds no secret.
    """

    camera_id: str
    state: CameraState
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FrameStatistics:
    """What one frame looks like and what was found on it: the raw material of drift checks.

    Attributes:
        at: receive time; aware UTC.
        values: statistic → value; names are `footfall.vision.statistics.STATISTIC_NAMES`; a statistic that does not
            exist for this frame (confidence without a detection) is absent.
        layout: where in the picture it is how bright and of which colour: twelve numbers that mean something together
            only (`footfall.vision.statistics.colour_layout`); empty where none were measured.
    """

    camera_id: str
    at: datetime
    values: Mapping[str, float]
    layout: tuple[float, ...] = ()


Record = Crossing | ZoneVisit | Coverage | StateChange | FrameStatistics
"""Everything that the service makes durable."""


SampleUnit = Literal["track", "frame", "clip"]
"""What was sampled: a person followed (precision), a whole frame (recall), or a film around a line (counts)."""

SampleQueue = Literal["random", "targeted"]
"""`random` samples have a known chance to be drawn and carry the estimates; `targeted` ones are for training only."""

Verdict = Literal["right", "wrong", "unsure"]

LabelSource = Literal["reviewer", "import", "teacher"]

DeletionReason = Literal["expired", "disk", "request"]

QualityMeasure = Literal[
    "precision_reviewed",
    "precision_estimated",
    "precision_assisted",
    "recall_audited",
    "count_accuracy_audited",
    "count_balance_error",
    "teacher_agreement",
]
"""What is said about how right the counting is; each has its own way to be measured and its own trust."""

QualityScope = Literal["site", "camera", "line"]


@dataclass(frozen=True, slots=True)
class Population:
    """How many there were to draw from in a stratum while sampling was on; increments add up.

    Attributes:
        hour_at: start of the hour, or of the shorter period that is drawn from; aware UTC.
        stratum: band of confidence of a track, `empty` or `people` of a frame, line of a clip (of which there are no
            populations).
        model: first 12 digits of the detector's sha256.
        count: to be added to what is stored.
    """

    camera_id: str
    hour_at: datetime
    unit: SampleUnit
    stratum: str
    model: str
    count: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Something that was kept for people to judge.

    Attributes:
        id: 32 hexadecimal digits.
        reason: why it is in the targeted queue; empty in the random one.
        hour_at, stratum, model: as in `Population`.
        taken_at: aware UTC.
        probability: chance to be drawn, in (0, 1]; of a clip, that of each moment at its line; None in the targeted
            queue.
        blob_key: of the picture or film.
        size_bytes: of the blob.
        detail: what was found in it, by unit, in pixels of the stored picture. track: `score`, `views` (each `x0`,
            `width`, `box` in the contact sheet); frame: `threshold`, `boxes` (x0, y0, x1, y1, score); clip: `line`,
            `start`, `end` (shares of width and height), `seconds`, `fps`, `counted` (`in`, `out`), `crossings` (`at_s`,
            `direction`).
        picture_deleted_at: when the blob was deleted; the row stays, as estimates rest on it.
    """

    id: str
    camera_id: str
    unit: SampleUnit
    queue: SampleQueue
    hour_at: datetime
    stratum: str
    model: str
    taken_at: datetime
    probability: float | None
    blob_key: str
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int
    detail: Mapping[str, Any]
    reason: str = ""
    picture_deleted_at: datetime | None = None

    def __post_init__(self) -> None:
        if (self.queue == "random") != (self.probability is not None):
            raise ValueError(
                f"sample {self.id}: queue {self.queue!r} with probability {self.probability}; expected a probability "
                "in the random queue and none in the targeted one"
            )
        if self.probability is not None and not 0 < self.probability <= 1:
            raise ValueError(f"sample {self.id}: probability {self.probability} is not in (0, 1]")


@dataclass(frozen=True, slots=True)
class SampleLabel:
    """What somebody says of a sample; never changed, at most taken back.

    Attributes:
        number: given by the store; 0 before.
        content: by unit. track: `verdict`; frame: `boxes` (x0, y0, x1, y1 in pixels); clip: `in`, `out`, `presses`.
            Of a teacher: track: `agrees`, the share of its moments in which it finds a person too; frame: `boxes`.
        undone_at: when it was taken back.
        key: of whoever sends it, at most 32 characters: the same key again is the same label; None has no such key.
    """

    sample_id: str
    reviewer: str
    at: datetime
    source: LabelSource
    content: Mapping[str, Any]
    number: int = 0
    undone_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """Samples or their pictures were deleted: the trail that stays.

    Attributes:
        actor: who asked, or `retention`.
        samples: how many.
        size_bytes: how much was freed.
    """

    at: datetime
    actor: str
    camera_id: str
    reason: DeletionReason
    samples: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class QualityEstimate:
    """How right the counting is in one respect, or how much is missing until that can be said.

    Attributes:
        camera_id, line: empty where the scope has none.
        model: first 12 digits of the detector's sha256; empty where figures of several models count together.
        at: when it was worked out; aware UTC.
        since, until: of the samples or counts that it rests on; aware UTC.
        newest_at: of the newest label that it rests on; None without labels.
        value, lower, upper: in [0, 1]; value None: too little is known; bounds None: this measure has no interval.
        n: labels, people or crossings that it rests on.
        missing: how many more are needed until there is a value; 0 with one.
        population: how many it speaks for, where that is known.
        definition: what exactly was measured, in one line for people.
    """

    measure: QualityMeasure
    scope: QualityScope
    camera_id: str
    line: str
    model: str
    at: datetime
    since: datetime
    until: datetime
    newest_at: datetime | None
    value: float | None
    lower: float | None
    upper: float | None
    n: int
    missing: int
    population: int | None
    definition: str


DriftCause = Literal[
    "dark",
    "glare",
    "fog",
    "defocus",
    "noise",
    "bitrate",
    "colour",
    "moved",
    "covered",
    "frozen",
    "stream",
    "crowding",
    "appearance",
    "unknown",
]
"""What happened to a camera; `footfall.causes` says what each means."""

DriftState = Literal["usual", "unusual", "between", "insufficient", "suppressed"]
"""Of one window. `between`: under the threshold, but not under 0.8 of it. `insufficient`: too few rows, or nothing to
compare with. `suppressed`: the stream itself is faulty, so its pictures tell nothing. The last two are no evidence,
either way."""

DriftTier = Literal["calm", "watch", "investigate"]
"""`watch`: the last window was unusual, a metric only. `investigate`: it lasts, somebody should look."""

DriftReference = Literal["own", "first-day", "fleet", "none"]
"""What a window was compared with: like days of the same camera, its first day, like cameras, or nothing yet."""

DriftEnd = Literal["cleared", "accepted", "redrawn", "ignored"]
"""How an episode ended: it looks as usual again, or somebody accepted what it shows now, drew its lines anew, or said
that it does not matter."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one statistic of a camera is from its reference.

    Attributes:
        score: distance between reference and current window; ≥ 0.
        threshold: what the score must pass to be more than this camera's usual variation; ≥ 0.
        shift: difference of the means in spreads of the reference; negative where the statistic fell.
        usual, now: means of the reference and of the current window, in the statistic's unit.
    """

    score: float
    threshold: float
    shift: float
    usual: float
    now: float


@dataclass(frozen=True, slots=True)
class DriftVerdict:
    """What one window of a camera's statistics tells.

    Attributes:
        begin_at, end_at: the window; aware UTC.
        at: when it was judged; aware UTC.
        rows: statistics rows that were looked at; of more than 400 as many, evenly taken.
        recent, calm_for, episode: what the tier of the next window depends on: whether each of the last eight windows
            that told something was unusual (oldest first), usual ones in a row, and episodes so far.
        features: statistic → how far; empty where nothing could be compared.
        cause: None where nothing passed its threshold.
        evidence: statistics that belong to the cause, the leading one first.
        others: further causes that fit.
        note: one line for people: why it says nothing, or what it was compared with.
        report_key: of the blobs with Evidently's report, `report_key + ".html.gz"` and `".json"`; empty without one.
    """

    camera_id: str
    begin_at: datetime
    end_at: datetime
    at: datetime
    rows: int
    state: DriftState
    tier: DriftTier
    reference: DriftReference
    recent: tuple[bool, ...] = ()
    calm_for: int = 0
    episode: int = 0
    features: Mapping[str, FeatureDrift] = field(default_factory=dict)
    cause: DriftCause | None = None
    evidence: tuple[str, ...] = ()
    others: tuple[DriftCause, ...] = ()
    note: str = ""
    report_key: str = ""

    @property
    def ratio(self) -> float | None:
        """Largest distance ÷ threshold; None where nothing could be compared."""
        ratios = [each.score / each.threshold for each in self.features.values() if each.threshold > 0]
        return max(ratios, default=None)


@dataclass(frozen=True, slots=True)
class DriftEpisode:
    """A camera is not as it was, for long enough that somebody should look; one is open for a camera at most.

    Attributes:
        id: 32 hexadecimal digits.
        cause: as of the newest unusual window; it may change while the episode is open.
        since_at: begin of the first unusual window that belongs to it; aware UTC.
        opened_at: when it was noticed.
        last_at: end of the newest window that belongs to it.
        invalidates: counts of the camera from `since_at` to its end mean something else than they say.
        batch_until: until when pictures are drawn for labels; None: no batch was opened.
        closed_at, end, closed_by, note: None and empty while it is open.
    """

    id: str
    camera_id: str
    cause: DriftCause
    since_at: datetime
    opened_at: datetime
    last_at: datetime
    invalidates: bool = False
    batch_until: datetime | None = None
    closed_at: datetime | None = None
    end: DriftEnd | None = None
    closed_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class DriftAcceptance:
    """Somebody says which windows of a camera show it as it should be; the newest one of a camera holds.

    Attributes:
        begins_at: windows before are no reference: the camera was changed; None: the earlier begin stays.
        until_at: windows from then on are none either, until the next acceptance.
        by: a name, for the trail.
    """

    camera_id: str
    begins_at: datetime | None
    until_at: datetime
    at: datetime
    by: str
    note: str = ""


RetrainCause = Literal[
    "asked", "precision", "dark", "glare", "fog", "noise", "bitrate", "colour", "appearance", "unknown"
]
"""Why a better model is wanted: because somebody asked, because measured precision fell, or for a named drift."""

RetrainSource = Literal["alert", "api", "command", "policy"]

RetrainState = Literal["waiting", "running", "ended"]

RetrainOutcome = Literal["promoted", "rejected", "insufficient_labels", "failed", "cancelled"]
"""`rejected`: the new model did not pass the gates, which is a good end; it is never tried again by itself."""

RetrainAnswer = Literal["created", "duplicate", "active", "cooldown"]
"""What became of asking: a new request, or why there is none: the same was asked for before, another one is not over
for this site yet, or the last one ended too short a time ago."""


STALE_AFTER: Final = timedelta(minutes=15)
"""A retraining that told nothing for so long is called stale: a stage that works tells something more often."""


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Frames that a retraining without enough labels wants people to label.

    Attributes:
        request: id of the request that it stands for.
        at: when it was opened; aware UTC.
        wanted: so many labelled frames were missing; more than there are `frames` where too few were sampled.
        frames: ids of samples that nobody had labelled.
        for_two: of these, those that two people label, neither seeing what the other said.
    """

    request: str
    at: datetime
    cause: RetrainCause
    wanted: int
    frames: tuple[str, ...]
    for_two: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """Somebody or something wants a better model; each is run once at most.

    Attributes:
        id: 32 hexadecimal digits.
        site: one request is active for a site at a time.
        slice: of what: camera ids, sorted and separated by commas; empty is the whole site.
        champion: first 12 digits of the sha256 of the model in use; empty when it is not known.
        reason: for people, one line.
        asked_by: a name, for the trail.
        at: aware UTC.
        handle: what the launcher knows it by.
        cancel_at: when somebody wanted it to end.
        note: for people, how it ended.
    """

    id: str
    site: str
    cause: RetrainCause
    slice: str
    champion: str
    reason: str
    source: RetrainSource
    asked_by: str
    at: datetime
    state: RetrainState = "waiting"
    handle: Mapping[str, Any] = field(default_factory=dict)
    launched_at: datetime | None = None
    cancel_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: RetrainOutcome | None = None
    note: str = ""

    @property
    def key(self) -> str:
        """Of two requests with the same key the second one is a repeat: cause, slice and champion."""
        text = f"{self.site}\n{self.cause}\n{self.slice}\n{self.champion}"
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RetrainProgress:
    """How far a retraining is, as its run told last.

    Attributes:
        at: when it told that; aware UTC.
        stage: its name; number: which one it is of `stages`.
        what: for people, one line.
        share: of the stage, in [0, 1]; None where it does not tell.
        step, steps: of training, done and in all; loss: mean since the last report; None outside training.
        losses: parts of the loss by name; empty outside training.
        epoch, epochs: how often each new picture was learned from, so far and in all, on the average; None outside.
        planned_s: of the whole run; None before it has a plan.
        left_s: until its end; None before it has a plan.
        done: share of the planned time that lies behind, in [0, 1]; None before it has a plan.
    """

    at: datetime
    stage: str
    number: int
    stages: int
    what: str
    share: float | None = None
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    planned_s: float | None = None
    left_s: float | None = None
    done: float | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    epoch: float | None = None
    epochs: float | None = None

    def is_stale(self, now: datetime) -> bool:
        """Whether nothing was told for so long that the run may be gone."""
        return now - self.at > STALE_AFTER


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A detector that can be used.

    Attributes:
        name: folder name in the models folder, or `embedded`.
        sha256: of `model.onnx`; hexadecimal.
        threshold: confidence under which a detection is dropped.
    """

    name: str
    sha256: str
    threshold: float
    licence: str
    description: str = ""


ModelOrigin = Literal["embedded", "imported", "retrained"]
"""Where a model came from: with Footfall, from a file, or out of a run of `footfall-retrain`."""

ModelAction = Literal["promoted", "canary", "withdrawn", "rolled_back"]
"""What changed: another champion; a challenger on some cameras or on none; no challenger any more; back again."""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model that every program can get by its digest.

    Attributes:
        sha256: of `model.onnx`; hexadecimal.
        card: the content of `model.json`, which says that digest too.
        run: the retraining that made it; empty for others.
        gates: what its gates found, as the retraining wrote it; None: it went through none.
        is_rejected: the gates said no; it is promoted only if somebody insists.
        added_by: a name, for the trail.
        refused_at, refusal: when and why a service could not use it; None and empty: it can, or none has tried.
        files_deleted_at: when its files were removed, because nothing needs them any more; None: they are kept.
    """

    sha256: str
    name: str
    card: Mapping[str, Any]
    origin: ModelOrigin
    run: str
    gates: Mapping[str, Any] | None
    is_rejected: bool
    size_bytes: int
    added_at: datetime
    added_by: str
    refused_at: datetime | None = None
    refusal: str = ""
    files_deleted_at: datetime | None = None

    @property
    def gates_digest(self) -> str:
        """Of the gate report; empty without one."""
        if self.gates is None:
            return ""
        return hashlib.sha256(json.dumps(self.gates, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelAliases:
    """Which model is what, by digest.

    Attributes:
        number: of the change that made it so; 0: nothing was ever promoted.
        champion: looks at every camera but the canaries.
        challenger: is tried out: on the canaries, and beside the champion on single frames of other cameras.
        previous: was champion before; what a rollback goes back to.
        canaries: ids of cameras; empty without a challenger.
    """

    number: int = 0
    champion: str | None = None
    challenger: str | None = None
    previous: str | None = None
    canaries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One entry of the promotion log: who changed what and why, and what holds since.

    Attributes:
        actor: a name, for the trail.
        before, model: digests of the model that had the place, and that has it now; None: nobody.
        gates_digest: of the gate report of `model` at that time; empty: it had none.
        aliases: what holds since.
    """

    at: datetime
    actor: str
    action: ModelAction
    before: str | None
    model: str | None
    why: str
    gates_digest: str
    aliases: ModelAliases
