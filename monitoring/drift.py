"""What Evidently says of a window, kept for people to look at; the only file that knows Evidently and pandas.

The pulse (`distance`, scipy) judges every window. This is the second voice: an Evidently report on a candidate alarm
and once a day per camera, as HTML and JSON in the blobs and as a run in a folder that the ordinary `evidently ui`
opens. It is fed so that its scores are the pulse's own; a test holds both to that.

Evidently takes seconds and about 280 MB to import, so it is imported when the first report is written. It reports to
its makers only from its UI and its collector, and not with DO_NOT_TRACK set, which is done here before the import.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from monitoring.distance import LEAST_ROWS, cut_window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from footfall.stores.blobs import BlobStore
    from monitoring.distance import FeatureReference
    from monitoring.windows import Window

Reason = Literal["alarm", "daily"]

FOLDER: Final = "evidence"
"""Of the blobs: `evidence/CAMERA/20260131T130000Z-alarm-RUN.html.gz`, and `.json` beside it."""
QUIET: Final = timedelta(hours=6)
"""After a report on an alarm the next one of that camera adds nothing for as long."""
_KEY: Final = re.compile(
    rf"{FOLDER}/(?P<camera>[^/]+)/(?P<at>\d{{8}}T\d{{6}}Z)-(?P<reason>alarm|daily)(?:-(?P<run>[0-9a-f-]{{36}}))?\."
    r"(?P<kind>html\.gz|json)"
)
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_FLOOR: Final = 0.001
"""Evidently divides by the reference's standard deviation, but by no less than this."""
_SAME: Final = 1e-5
_SITES: Final = uuid.UUID("5f2c1b1e-3f0a-4c57-9a53-0c1f6c9c6a11")
_ABANDONED: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FeatureVerdict:
    """What Evidently says of one statistic.

    Attributes:
        score: normalised Wasserstein distance; the pulse's `Distance.score`.
        is_drifted: the score is over the threshold.
    """

    score: float
    threshold: float
    is_drifted: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """A report that was written.

    Attributes:
        at: end of the window; aware UTC.
        html_key: blob; one page that needs nothing else, gzip (serve it with `Content-Encoding: gzip`).
        json_key: blob; Evidently's own JSON, `metrics` and `tests`.
        run_id: of the run in the workspace; None where none is kept.
        verdicts: by statistic.
        left_out: statistics that were asked about and have too few values in this window.
    """

    camera_id: str
    at: datetime
    reason: Reason
    html_key: str
    json_key: str
    run_id: str | None
    verdicts: Mapping[str, FeatureVerdict]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """A report that is in the blobs, as its name tells.

    Attributes:
        size: bytes of both blobs and, once it is known, the run.
    """

    camera_id: str
    at: datetime
    reason: Reason
    run_id: str | None
    keys: tuple[str, ...]
    size: int


def is_installed() -> bool:
    """Tell whether Evidently and pandas are there, without importing them."""
    return all(importlib.util.find_spec(name) is not None for name in ("evidently", "pandas"))


class EvidenceWriter:
    """Writes reports, tells when the next one is due and deletes old ones; for one thread.

    Evidently comes with the `monitor` extra: make no writer where `is_installed()` says that it is not there.

    How the checker uses it, once per window and camera, after the pulse and the cause::

        if writer.is_due(camera_id, at, is_unusual=ratio > 1):
            reason = "alarm" if ratio > 1 else "daily"
            writer.write(window, reference.features, thresholds, reason=reason)
        ...
        writer.tidy(at)  # once a day

    The HTML is somebody else's script: show it in an `<iframe sandbox="allow-scripts">` (never with
    `allow-same-origin`), answered with a policy that lets it load nothing.

    Args:
        blobs: reports go below `evidence/`.
        workspace: folder for `evidently ui --workspace`; one project of the site's name is kept in it. None keeps none.
        site: name of the project.
        keep: older reports are deleted.
        most_bytes: of all reports; the oldest go first.
    """

    def __init__(
        self,
        blobs: BlobStore,
        workspace: Path | None,
        *,
        site: str,
        keep: timedelta = timedelta(days=30),
        most_bytes: int = 2 * 2**30,
    ) -> None:
        self._blobs = blobs
        self._workspace = workspace
        self._site = site
        self._keep = keep
        self._most_bytes = most_bytes
        # The same site has the same project, whoever writes first; two monitors make no second one.
        self._project_id = uuid.uuid5(_SITES, site)

    def is_due(self, camera_id: str, at: datetime, *, is_unusual: bool) -> bool:
        """Tell whether a report should be written: none of that UTC day, or an alarm and none within `QUIET`.

        Raises:
            StoreError: the blobs cannot be listed.
        """
        mine = list(self.stored(camera_id))
        if is_unusual and not any(each.reason == "alarm" and timedelta(0) <= at - each.at < QUIET for each in mine):
            return True
        return not any(each.at.date() == at.astimezone(UTC).date() for each in mine)

    def write(
        self,
        window: Window,
        features: Mapping[str, FeatureReference],
        thresholds: Mapping[str, float],
        *,
        reason: Reason,
        against: str = "",
        cause: str | None = None,
    ) -> Evidence | None:
        """Write a report; None where no statistic can be compared, and then nothing is written.

        Args:
            window: a statistic with fewer than `LEAST_ROWS` values in it is left out, because one empty column fails
                the whole report.
            features: what is usual, by statistic: `Reference.features`.
            thresholds: by statistic; those without a reference here are left out.
            against: what it was compared with, for people.
            cause: the name that was given to it, shown beside the run.

        Raises:
            StoreError: the blobs cannot be written.
            OSError: the workspace cannot be written.
        """
        camera_id, at = window.camera_id, window.end_at.astimezone(UTC)
        windows = {
            name: cut_window(features[name], window.columns[name])
            for name in thresholds
            if name in features and name in window.columns
        }
        names = [name for name, values in windows.items() if len(values) >= LEAST_ROWS]
        if not names:
            return None
        pairs = {name: _as_evidently_divides(features[name], windows[name]) for name in names}
        about = {
            "camera": camera_id,
            "against": against,
            "reason": reason,
            "cause": cause or "none",
            "rows": str(window.rows),
            "in thousandths of the usual spread": ", ".join(name for name in names if pairs[name].is_rescaled)
            or "none",
        }
        run = _run(pairs, {name: thresholds[name] for name in names}, about, at)
        run_id = self._add_run(run)
        stem = f"{FOLDER}/{camera_id}/{at.strftime(_STAMP)}-{reason}{'' if run_id is None else f'-{run_id}'}"
        html_key, json_key = f"{stem}.html.gz", f"{stem}.json"
        html, said = run.get_html_str(as_iframe=False).encode(), run.json()
        self._blobs.put(html_key, gzip.compress(html, compresslevel=6, mtime=0))
        # Last: what has JSON is whole.
        self._blobs.put(json_key, said.encode())
        left_out = tuple(name for name in thresholds if name not in names)
        return Evidence(
            camera_id, at, reason, html_key, json_key, run_id, _verdicts(json.loads(said), thresholds), left_out
        )

    def stored(self, camera_id: str | None = None) -> Iterator[StoredEvidence]:
        """Tell what is there, of one camera or of all, by camera and time.

        Raises:
            StoreError: the blobs cannot be listed.
        """
        found: dict[tuple[str, str, str, str | None], list[tuple[str, int]]] = {}
        for blob in self._blobs.blobs(FOLDER if camera_id is None else f"{FOLDER}/{camera_id}"):
            parts = _KEY.fullmatch(blob.key)
            if parts is not None:
                name = parts["camera"], parts["at"], parts["reason"], parts["run"]
                found.setdefault(name, []).append((blob.key, blob.size))
        for (camera, stamp, reason, run_id), blobs in sorted(found.items(), key=lambda each: each[0][:3]):
            yield StoredEvidence(
                camera,
                datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC),
                "alarm" if reason == "alarm" else "daily",
                run_id,
                tuple(key for key, _ in blobs),
                sum(size for _, size in blobs) + self._run_size(run_id),
            )

    def tidy(self, now: datetime) -> int:
        """Delete reports that are too old or too much, and runs without a report; tells how many reports went.

        Raises:
            StoreError: the blobs cannot be listed or deleted.
        """
        oldest_first = sorted(self.stored(), key=lambda each: each.at)
        total, gone = sum(each.size for each in oldest_first), 0
        for each in oldest_first:
            if now - each.at <= self._keep and total <= self._most_bytes:
                break
            for key in each.keys:
                self._blobs.delete(key)
            if self._runs is not None and each.run_id is not None:
                (self._runs / f"{each.run_id}.json").unlink(missing_ok=True)
            total -= each.size
            gone += 1
        self._drop_abandoned({each.run_id for each in oldest_first[gone:]}, now)
        return gone

    @property
    def _runs(self) -> Path | None:
        """Where a workspace of Evidently 0.7 has the runs of a project."""
        return None if self._workspace is None else self._workspace / str(self._project_id) / "snapshots"

    def _run_size(self, run_id: str | None) -> int:
        path = None if self._runs is None or run_id is None else self._runs / f"{run_id}.json"
        return path.stat().st_size if path is not None and path.is_file() else 0

    def _drop_abandoned(self, known: set[str | None], now: datetime) -> None:
        for path in () if self._runs is None else self._runs.glob("*.json"):
            # A run is written before its report: what is new may be about to get one.
            if path.stem not in known and path.stat().st_mtime < (now - _ABANDONED).timestamp():
                path.unlink(missing_ok=True)

    def _add_run(self, run: Any) -> str | None:  # noqa: ANN401  Evidently's type stays in this file's functions
        if self._workspace is None:
            return None
        from evidently.sdk.models import ProjectModel  # noqa: PLC0415  seconds and 280 MB, see above
        from evidently.ui.workspace import Workspace  # noqa: PLC0415

        # Evidently takes a Path and writes nothing, without a word.
        workspace = Workspace.create(str(self._workspace))
        if workspace.get_project(self._project_id) is None:
            workspace.add_project(ProjectModel(id=self._project_id, name=self._site))
        return str(workspace.add_run(self._project_id, run, include_data=False).id)


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Values of one statistic in a unit in which Evidently's norm is the pulse's.

    Attributes:
        usual: (K,) float64.
        now: (N,) float64.
    """

    usual: NDArray[np.float64]
    now: NDArray[np.float64]
    is_rescaled: bool


def _as_evidently_divides(reference: FeatureReference, window: NDArray[np.float64]) -> _Pair:
    """Return values whose distance ÷ Evidently's norm is distance ÷ `reference.spread`.

    Evidently's norm is the larger of the reference's standard deviation and 0.001. Where that is the pulse's spread,
    the values stay in their own unit, as people know them. Where it is not (a statistic that hardly ever changes, or
    whose unit is large) both are given in thousandths of the spread: the standard deviation is then 0.001 or less, and
    Evidently's own floor divides by exactly one spread.
    """
    deviation = float(reference.values.std())
    if deviation >= _FLOOR and abs(deviation - reference.spread) <= _SAME * reference.spread:
        return _Pair(reference.values, window, is_rescaled=False)
    usual, now = (_FLOOR * (values - reference.mean) / reference.spread for values in (reference.values, window))
    return _Pair(usual, now, is_rescaled=True)


def _run(pairs: Mapping[str, _Pair], thresholds: Mapping[str, float], about: dict[str, str], at: datetime) -> Any:  # noqa: ANN401
    os.environ.setdefault("DO_NOT_TRACK", "1")
    import pandas as pd  # noqa: PLC0415  seconds and 280 MB, see above
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415
    from evidently.metrics import ValueDrift  # noqa: PLC0415
    from evidently.tests import lte  # noqa: PLC0415

    # Told, not guessed: Evidently takes small whole numbers for categories.
    definition = DataDefinition(numerical_columns=list(pairs))
    usual, now = (
        # Columns of unlike length end in NaN, which Evidently drops column by column.
        Dataset.from_pandas(
            pd.DataFrame({name: pd.Series(values) for name, values in columns.items()}), data_definition=definition
        )
        for columns in (
            {name: pair.usual for name, pair in pairs.items()},
            {name: pair.now for name, pair in pairs.items()},
        )
    )
    # Drifted is what is over the threshold, as in `tiers`; Evidently's own default would be at it.
    items = [
        ValueDrift(column=name, method="wasserstein", threshold=limit, tests=[lte(limit)])
        for name, limit in thresholds.items()
    ]
    report = Report(items, tags=[about["camera"], about["reason"]])
    return report.run(now, usual, timestamp=at, name=f"{about['camera']} {at:%Y-%m-%d %H:%M}", metadata=dict(about))


def _verdicts(said: Mapping[str, Any], thresholds: Mapping[str, float]) -> dict[str, FeatureVerdict]:
    """Read Evidently's own JSON; the order is that of the thresholds."""
    scores = {each["config"]["column"]: float(each["value"]) for each in said["metrics"]}
    drifted = {each["metric_config"]["params"]["column"]: each["status"] == "FAIL" for each in said["tests"]}
    return {
        name: FeatureVerdict(scores[name], limit, drifted[name])
        for name, limit in thresholds.items()
        if name in scores and name in drifted
    }
