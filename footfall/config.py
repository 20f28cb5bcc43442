"""Settings of every program and the site file; unknown keys are refused, secrets may come from files."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from footfall.domain import NAME_PATTERN, Camera, Line, Point, Sampling, Zone
from footfall.errors import SettingsError
from footfall.redaction import redact_url
from footfall.simulation import parse_simulation_url

MAX_CAMERAS: Final = 1000
SOFTWARE: Final = "software"
"""The processor, as what decodes cameras."""
URL_SCHEMES: Final = ("rtsp", "rtsps", "http", "https", "file", "v4l2", "sim")

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Settings(BaseSettings):
    """Settings of the service; each is read from the environment as FOOTFALL_<NAME>.

    A secret may also be given as the path of a file that holds it: FOOTFALL_API_TOKEN_FILE.
    """

    model_config = SettingsConfigDict(env_prefix="FOOTFALL_", extra="ignore", hide_input_in_errors=True)

    data_dir: Path = Field(Path("footfall-data"), description="Folder for the database, models and blobs.")
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL; without it, SQLite in the data folder. PostgreSQL: postgresql+psycopg://…"
    )
    database_url_file: Path | None = Field(None, description="File that holds the database URL.")
    host: str = Field("127.0.0.1", description="Address to listen on; any other than loopback needs a token.")
    port: int = Field(8600, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    api_token: SecretStr | None = Field(None, description="Token that API, pages and metrics ask for; ≥ 16 characters.")
    api_token_file: Path | None = Field(None, description="File that holds the token.")
    viewer_token: SecretStr | None = Field(
        None,
        description="Token of people and programs that look and change nothing, and see no sampled pictures; ≥ 16 "
        "characters.",
    )
    viewer_token_file: Path | None = Field(None, description="File that holds the token of viewers.")
    model: str | None = Field(
        None,
        description="Pins the model, whatever is promoted: a name in the models folder, a model folder or a bare YOLO "
        ".onnx file.",
    )
    models_interval_s: float = Field(
        5.0, ge=0.1, le=3600, description="Time between two looks at the registry for another model."
    )
    shadow_interval_s: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="Mean time between two frames that a challenger sees beside the champion; 0: none.",
    )
    trial_h: float = Field(
        24.0, ge=0, le=8760, description="So long after a promotion the monitor rolls it back if it breaks; 0: never."
    )
    canary_h: float = Field(
        0.0,
        ge=0,
        le=8760,
        description="A challenger that held on its canaries for so long is promoted by the monitor; 0: people promote.",
    )
    runtime: Literal["auto", "onnxruntime", "openvino"] = Field(
        "auto", description="What runs the detector; auto: OpenVINO where it is installed and faster on this machine."
    )
    inference_threads: int = Field(
        0, ge=0, le=256, description="Frames that are analysed at once, each on one core; 0: one per core."
    )
    input_size: int = Field(
        640, ge=64, le=2048, multiple_of=32, description="Longer side of the picture that the detector sees; pixels."
    )
    max_batch: int = Field(
        2,
        ge=1,
        le=64,
        description="Frames of different cameras analysed in one call; more pays on a GPU, not on a CPU.",
    )
    longest_rest_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Where nothing changes and nobody is seen the detector rests, but not longer; 0: it looks at "
        "every frame.",
    )
    max_frame_age_s: float = Field(0.5, gt=0, le=60, description="A frame older than this is dropped, not analysed.")
    open_timeout_s: float = Field(5.0, gt=0, le=120, description="Deadline for opening a source.")
    stall_timeout_s: float = Field(
        5.0, gt=0, le=300, description="Without a decoded picture for this long a camera is stalled and reconnected."
    )
    decode_device: str = Field(
        SOFTWARE,
        description="What decodes cameras: `software`, or a device that PyAV knows, such as `cuda`; where it refuses, "
        "the processor does and the camera says so.",
    )
    auth_retry_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Wait after a refused password; 5 and 30 times as long after the next ones: cameras lock out.",
    )
    max_pixels: int = Field(
        8_912_896, ge=4096, description="Pictures with more pixels are refused before they are decoded."
    )
    uturn_window_s: float = Field(
        10.0, ge=0, le=3600, description="A crossing taken back within this time does not count as effective."
    )
    commit_interval_s: float = Field(0.25, gt=0, le=1.0, description="Longest wait before records are committed.")
    statistics_interval_s: float = Field(
        1.0, ge=0.1, le=3600, description="Least time between two measurements of a camera's pictures."
    )
    statistics_kept_s: float = Field(
        5.0, ge=0.1, le=3600, description="Least time between two of them that are kept as rows: an hour has 720."
    )
    statistics_retention_days: float = Field(
        3.0, ge=1, description="Statistics rows older than this are deleted; the monitor keeps what drift checks need."
    )
    blobs: str | None = Field(
        None,
        description="Where sampled pictures are kept: a folder or s3://bucket/prefix; by default in the data folder.",
    )
    samples_max_mb: float = Field(
        2000.0, gt=0, description="Sampled pictures take no more room; the oldest go first, those nobody judged before."
    )
    samples_period_s: float = Field(
        3600.0,
        ge=10,
        le=3600,
        description="Samples are drawn and written by periods of so long, which divide an hour: shorter ones show "
        "sooner how a new model does.",
    )
    least_verdicts: int = Field(
        30, ge=10, le=100_000, description="With fewer verdicts, people or crossings no figure about quality is shown."
    )
    quality_window_days: float = Field(
        28.0, gt=0, le=366, description="Figures about quality rest on samples that are not older."
    )
    precision_target: float = Field(0.95, gt=0, lt=1, description="Precision that is promised; alerts compare with it.")
    teacher_model: str | None = Field(
        None, description="A stronger model that the monitor asks about samples: a name, folder or .onnx file."
    )
    teacher_cpu_share: float = Field(
        0.1, gt=0, le=1, description="Of one core, how much the teacher may use; it works at the lowest priority."
    )
    retrain_launcher: Literal["off", "process", "kubernetes", "webhook"] = Field(
        "off", description="What runs a retraining that was asked for; off: requests wait."
    )
    retrain_command: str = Field(
        "footfall-retrain run", min_length=1, description="Of the process launcher; gets --request FILE after it."
    )
    retrain_kubernetes_namespace: str = Field("footfall", description="Where the kubernetes launcher makes Jobs.")
    retrain_kubernetes_image: str | None = Field(
        None, description="Image of its retraining container; without it that of the template."
    )
    retrain_kubernetes_template: Path | None = Field(
        None, description="File with the Job that it makes; without it the one that comes with Footfall."
    )
    retrain_webhook_url: SecretStr | None = Field(
        None, description="Of the webhook launcher: https://, or http:// on this machine."
    )
    retrain_webhook_secret: SecretStr | None = Field(None, description="Signs what is posted there; a secret.")
    retrain_deadline_h: float = Field(12.0, gt=0, le=168, description="A retraining that takes longer has failed.")
    retrain_memory_mb: float = Field(4096.0, gt=0, description="A retraining process that takes more memory is ended.")
    retrain_new_days: float = Field(
        14.0, gt=0, le=366, description="Frames of so many days are new to a retraining that nobody told when it began."
    )
    retrain_may_lose: float = Field(
        0.005, ge=0, lt=1, description="F1 that a better model may lose on old frames, by its interval's lower end."
    )
    retrain_double_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Of the frames that a retraining wants labelled two people label so many: it tells how they agree.",
    )
    retrain_canary_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the cameras that try a better model out first; 0: all of them get it at once.",
    )
    retrain_keep_days: float = Field(
        90.0,
        gt=0,
        description="Models that retrainings made and nobody uses, and the weights in their folders, go after so long.",
    )
    retrain_price_per_hour: float | None = Field(
        None, ge=0, description="Of the machine that retrains, in your currency; then the plan tells a price."
    )
    retrain_cooldown_h: float = Field(
        168.0, ge=0, le=8760, description="After a retraining none is started for so long, unless somebody insists."
    )
    timezone: str = Field("UTC", description="Of the site: by its hours and weekends drift compares like with like.")
    drift_window_s: float = Field(
        3600.0, ge=10, le=86400, description="Length of the windows that are checked for drift; divides a day."
    )
    drift_alarms_a_day: float = Field(
        0.02, gt=0, le=1, description="Episodes of drift that a camera may cause in a day without one: one in 50 days."
    )
    drift_known_hours: int = Field(
        4,
        ge=0,
        le=12,
        description="An accepted window so many hours earlier or later on any day explains one like it: weather moves.",
    )
    drift_consecutive: int = Field(
        3, ge=1, le=24, description="So many unusual windows in a row open an episode: one may be a delivery."
    )
    drift_most: int = Field(
        6, ge=1, le=24, description="So many unusual ones of the last FOOTFALL_DRIFT_LAST do as well."
    )
    drift_last: int = Field(
        8, ge=1, le=48, description="See FOOTFALL_DRIFT_MOST: what comes and goes is found as well."
    )
    drift_far: float = Field(
        2.0, ge=1, description="So many times over its threshold, the last of the windows in a row is not waited for."
    )
    drift_clear_below: float = Field(
        0.8, gt=0, le=1, description="Windows under this share of the threshold end an episode: no flicker around it."
    )
    drift_clear_after: int = Field(
        6, ge=1, le=48, description="So many of them in a row do: half a day's weather must be over, not paused."
    )
    drift_learning_days: int = Field(
        14, ge=1, le=60, description="So many days of a new camera are its reference; later ones when accepted."
    )
    drift_first_windows: int = Field(
        24,
        ge=6,
        le=1000,
        description="So many windows are a camera's first day: until it has like days it knows no other.",
    )
    drift_retention_days: float = Field(
        60.0, ge=30, description="Verdicts on drift and what they rest on are deleted when older."
    )
    drift_batch_h: float = Field(
        24.0, gt=0, le=720, description="Of a drifting camera pictures are drawn for labels so long: a whole day of it."
    )
    drift_batch_frames: int = Field(
        300, ge=1, le=10_000, description="Pictures drawn in that time; as many as a retraining asks for."
    )
    drift_retrain: bool = Field(
        True, description="Whether drift that harms asks for a retraining by itself; people and alerts may ask anyway."
    )
    drift_least_labels: int = Field(
        300, ge=1, le=100_000, description="Without so many labelled frames of the drift, retraining teaches nothing."
    )
    drift_estimate_h: float = Field(
        24.0, ge=0, le=720, description="Estimated precision counts as harm when under the target all this time."
    )
    drift_fleet_share: float = Field(
        0.2, gt=0, le=1, description="So many cameras with one cause count as harm: it is the season, not a camera."
    )
    drift_fleet_h: float = Field(48.0, ge=0, le=720, description="For so long: shorter is weather.")
    drift_reports: bool = Field(
        True, description="Whether Evidently reports on alarms and once a day, where the extra `monitor` is installed."
    )
    drift_report_days: float = Field(14.0, gt=0, description="Evidently's reports are deleted when older.")
    drift_report_mb: float = Field(500.0, gt=0, description="Reports take no more room; the oldest go first.")
    monitor_host: str = Field("127.0.0.1", description="Address the monitor listens on; see FOOTFALL_HOST.")
    monitor_port: int = Field(8601, ge=0, le=65535, description="Port the monitor listens on; 0 picks a free one.")
    monitor_interval_s: float = Field(300.0, ge=1, le=86400, description="Time between two checks of the monitor.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @model_validator(mode="after")
    def _read_secret_files(self) -> Self:
        for name in ("api_token", "viewer_token", "database_url"):
            path: Path | None = getattr(self, f"{name}_file")
            if path is None:
                continue
            if getattr(self, name) is not None:
                raise ValueError(f"{name} and {name}_file are both given; give one of them")
            try:
                setattr(self, name, SecretStr(path.read_text(encoding="utf-8").strip()))
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{name}_file: {path} cannot be read ({type(error).__name__})") from None
        self._check_tokens()
        return self

    def _check_tokens(self) -> None:
        for name in ("api_token", "viewer_token"):
            token: SecretStr | None = getattr(self, name)
            if token is not None and len(token.get_secret_value()) < 16:
                raise ValueError(f"{name}: shorter than 16 characters; make one with `openssl rand -hex 32`")
        if self.viewer_token is not None and self.api_token is None:
            raise ValueError("viewer_token: without api_token everybody may change everything; set that one, too")
        if self.viewer_token is not None and self.viewer_token == self.api_token:
            raise ValueError("viewer_token: is the same as api_token, so viewers could change everything")
        for name, host in (("host", self.host), ("monitor_host", self.monitor_host)):
            if not _is_loopback(host) and self.api_token is None:
                raise ValueError(
                    f"{name}: {host!r} can be reached from other machines, and no token is set; set FOOTFALL_API_TOKEN "
                    "or FOOTFALL_API_TOKEN_FILE, or listen on 127.0.0.1"
                )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; expected a name such as Europe/Berlin or UTC") from None
        return name

    @field_validator("decode_device")
    @classmethod
    def _known_device(cls, name: str) -> str:
        if name == SOFTWARE:
            return name
        from av.codec.hwaccel import hwdevices_available  # noqa: PLC0415  heavy, and only where a device is asked for

        known = hwdevices_available()
        if name not in known:
            raise ValueError(
                f"{name!r} is no device that this build of PyAV can decode on; it knows {', '.join(known) or 'none'}; "
                f"set one of them, or {SOFTWARE!r}"
            )
        return name

    @field_validator("drift_window_s")
    @classmethod
    def _whole_windows(cls, length_s: float) -> float:
        if 86400 % length_s:
            raise ValueError(f"{length_s:g} does not divide a day of 86400 s; expected for example 3600 or 1800")
        return length_s

    @field_validator("samples_period_s")
    @classmethod
    def _whole_periods(cls, length_s: float) -> float:
        if 3600 % length_s:
            raise ValueError(f"{length_s:g} does not divide an hour of 3600 s; expected for example 600 or 60")
        return length_s

    @model_validator(mode="after")
    def _can_come_to_investigate(self) -> Self:
        if self.drift_most > self.drift_last:
            raise ValueError(f"drift_most: {self.drift_most} of the last drift_last={self.drift_last} can never be")
        return self

    @model_validator(mode="after")
    def _know_the_launcher(self) -> Self:
        if self.retrain_launcher != "webhook":
            return self
        url = "" if self.retrain_webhook_url is None else self.retrain_webhook_url.get_secret_value()
        found = re.fullmatch(r"(https?)://(?:[^@/]*@)?([^/:]+|\[[^\]]+\])(?::\d+)?(?:/.*)?", url)
        if found is None or (found[1] == "http" and not _is_loopback(found[2].strip("[]"))):
            raise ValueError(
                "retrain_webhook_url: expected https://host/path, or http:// on this machine; the launcher is `webhook`"
            )
        if self.retrain_webhook_secret is None or len(self.retrain_webhook_secret.get_secret_value()) < 16:
            raise ValueError("retrain_webhook_secret: shorter than 16 characters; make one with `openssl rand -hex 32`")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return _is_loopback(self.host)

    @property
    def sqlalchemy_url(self) -> str:
        """Where the database is; may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'footfall.db'}"

    @property
    def blobs_place(self) -> str:
        """Where sampled pictures are kept."""
        return self.blobs or str(self.data_dir / "blobs")

    @property
    def runs_dir(self) -> Path:
        """Folder of retrainings, one for each request."""
        return self.data_dir / "retrains"

    @property
    def models_dir(self) -> Path:
        """Folder of imported models."""
        return self.data_dir / "models"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LineSettings(_Strict):
    """A counting line as written in a site file or sent to the API."""

    name: Name = Field(description="Its name; unique among the camera's lines.")
    start: tuple[Share, Share] = Field(description="x, y as shares of width and height.")
    end: tuple[Share, Share] = Field(description="x, y; crossing to the right of start→end on screen is `in`.")

    @model_validator(mode="after")
    def _two_points(self) -> Self:
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start}; a counting line needs two different points")
        return self

    def to_domain(self) -> Line:
        """Return the checked record."""
        return Line(self.name, self.start, self.end)


class ZoneSettings(_Strict):
    """A zone as written in a site file or sent to the API."""

    name: Name = Field(description="Its name; unique among the camera's zones.")
    polygon: list[tuple[Share, Share]] = Field(min_length=3, max_length=64, description="Corners: x, y as shares.")
    min_inside_s: float = Field(0.0, ge=0, le=86400, description="A shorter stay is no visit; seconds.")

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if abs(_polygon_area(self.polygon)) < 1e-6:
            raise ValueError("polygon has no area; a zone needs at least three corners that are not on one line")
        return self

    def to_domain(self) -> Zone:
        """Return the checked record."""
        return Zone(self.name, tuple(self.polygon), self.min_inside_s)


class SamplingSettings(_Strict):
    """Leave to keep pictures of a camera for review, heads pixelated."""

    purpose: str = Field(min_length=1, max_length=500, description="Why pictures are kept; shown beside them.")
    tracks_per_day: int = Field(40, ge=0, le=10_000, description="People followed, drawn at random: precision.")
    frames_per_day: int = Field(4, ge=0, le=10_000, description="Whole pictures, drawn at random: recall.")
    targeted_per_day: int = Field(20, ge=0, le=10_000, description="People found doubtfully, for training only.")
    clips_per_day: int = Field(2, ge=0, le=240, description="Films around a line, at random times: counts.")
    clip_s: float = Field(60.0, ge=60, le=120, description="Length of such a film; seconds.")
    retention_h: float = Field(
        72.0, gt=0, le=8760, description="A picture that nobody judged is kept this long; hours."
    )
    labelled_retention_days: float = Field(30.0, gt=0, le=3650, description="No picture is kept longer; days.")

    def to_domain(self) -> Sampling:
        """Return the checked record."""
        return Sampling(**self.model_dump())


class CameraSettings(_Strict):
    """A camera as written in a site file or sent to the API."""

    id: Name = Field(description="Its id in metrics, events and paths.")
    url: SecretStr = Field(description="rtsp(s)://, http(s)://, file path or file://, v4l2:///dev/video0, sim:SCENE.")
    name: str = Field("", max_length=200, description="What people call it.")
    enabled: bool = Field(True, description="Whether it is watched.")
    target_fps: float = Field(5.0, gt=0, le=60, description="Analyses a second aimed at.")
    priority: int = Field(
        1,
        ge=1,
        le=10,
        description="Where the machine is too small, it waits this many times less than others.",
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="How RTSP media travels.")
    loop: bool = Field(False, description="A file starts again at its end, played at its own rate.")
    lines: list[LineSettings] = Field(default_factory=list, max_length=64, description="Counting lines.")
    zones: list[ZoneSettings] = Field(default_factory=list, max_length=64, description="Zones.")
    sampling: SamplingSettings | None = Field(None, description="Pictures for review; without it none is ever kept.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: SecretStr) -> SecretStr:
        check_source_url(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        for kind, names in (("lines", [n.name for n in self.lines]), ("zones", [n.name for n in self.zones])):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{kind}: {name!r} is there {names.count(name)} times; names must be unique")
        return self

    def to_domain(self) -> Camera:
        """Return the checked record."""
        return Camera(
            id=self.id,
            url=self.url.get_secret_value(),
            name=self.name,
            enabled=self.enabled,
            target_fps=self.target_fps,
            priority=self.priority,
            transport=self.transport,
            loop=self.loop,
            lines=tuple(line.to_domain() for line in self.lines),
            zones=tuple(zone.to_domain() for zone in self.zones),
            sampling=None if self.sampling is None else self.sampling.to_domain(),
        )


class SiteFile(_Strict):
    """A declarative site: the cameras there are; applied to the database at start."""

    site: str = Field("site", pattern=NAME_PATTERN, description="Name of the site.")
    cameras: list[CameraSettings] = Field(default_factory=list, max_length=MAX_CAMERAS, description="The cameras.")

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        ids = [camera.id for camera in self.cameras]
        for camera_id in ids:
            if ids.count(camera_id) > 1:
                raise ValueError(f"cameras: id {camera_id!r} is there {ids.count(camera_id)} times; ids must be unique")
        return self


def check_source_url(url: str) -> None:
    """Refuse what is no camera, film or device.

    Raises:
        ValueError: another scheme, no host, or a character that a URL cannot hold; the text holds no secret.
    """
    if not url or re.search(r"[\x00-\x1f\x7f]", url):
        raise ValueError("url: empty, or holds a control character; expected a camera URL or a file path")
    if url.lower().startswith("sim:"):
        parse_simulation_url(url)
        return
    scheme, found, rest = url.partition("://")
    if not found:
        head = url.partition(":")[0]
        if "|" not in url:
            if re.match(r"^(?:concat|subfile|async|data|pipe|lavfi|exec|crypto|cache)[:,]", url, re.IGNORECASE):
                raise ValueError(f"url: {head!r} is no source of pictures; expected one of {_schemes()} or a file path")
            return
        raise ValueError(f"url: not a camera URL or a file path; expected one of {_schemes()} or a file path")
    if scheme.lower() not in URL_SCHEMES:
        shown = scheme[:20] if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else "***"
        raise ValueError(f"url: scheme {shown!r} is not supported; expected one of {_schemes()} or a file path")
    if scheme.lower() in {"rtsp", "rtsps", "http", "https"}:
        shown = redact_url(url).partition("://")[2].rpartition("@")[2]
        if not re.match(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\])(?::\d{1,5})?(?:[/?#]|$)", shown):
            # Not shown, not even masked: without a host nobody can tell where a password ends.
            raise ValueError(f"url: no host after {scheme.lower()}://; expected [user:password@]host[:port]/path")
    elif not rest:
        raise ValueError(f"url: nothing after {scheme}://; expected a path")


def read_settings(**overrides: Any) -> Settings:  # noqa: ANN401  values of any setting, checked by pydantic
    """Read the settings from the environment; `overrides` (from the command line) win.

    Raises:
        SettingsError: a value cannot be used; names each setting, the value met is not shown (it may be a secret).
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(_explain("settings", error)) from None


def read_site(path: Path) -> SiteFile:
    """Read a site file.

    Raises:
        SettingsError: cannot be read, is no YAML, or a value cannot be used; names the place in the file.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({type(error).__name__}); expected a YAML file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise SettingsError(f"{path}: not valid YAML{where}: {problem}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: holds {type(content).__name__}, expected a mapping with the key `cameras`")
    try:
        return SiteFile.model_validate(content)
    except ValidationError as error:
        raise SettingsError(_explain(path.name, error)) from None


def site_to_yaml(cameras: list[Camera], *, site: str = "site", with_secrets: bool) -> str:
    """Write cameras as a site file; without secrets each URL is masked and must be completed before use."""
    return yaml.safe_dump(
        {"site": site, "cameras": [_camera_to_dict(camera, with_secrets=with_secrets) for camera in cameras]},
        sort_keys=False,
        allow_unicode=True,
    )


def _camera_to_dict(camera: Camera, *, with_secrets: bool) -> dict[str, Any]:
    return {
        "id": camera.id,
        "url": camera.url if with_secrets else redact_url(camera.url),
        "name": camera.name,
        "enabled": camera.enabled,
        "target_fps": camera.target_fps,
        "priority": camera.priority,
        "transport": camera.transport,
        "loop": camera.loop,
        "lines": [{"name": n.name, "start": list(n.start), "end": list(n.end)} for n in camera.lines],
        "zones": [
            {"name": n.name, "polygon": [list(p) for p in n.polygon], "min_inside_s": n.min_inside_s}
            for n in camera.zones
        ],
        **({} if camera.sampling is None else {"sampling": dataclasses.asdict(camera.sampling)}),
    }


def _polygon_area(polygon: list[Point]) -> float:
    following = polygon[1:] + polygon[:1]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(polygon, following, strict=True)) / 2


def _schemes() -> str:
    return ", ".join(f"{scheme}:" for scheme in URL_SCHEMES)


def _explain(where: str, error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {place}: {message}" if place else f"{where}: {message}")
    return "\n".join(lines)
