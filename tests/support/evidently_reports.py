"""Windows of many shapes, and a program that has Evidently report on them: importing it here would disturb other tests.

    python -m support.evidently_reports FOLDER

writes blobs and a workspace into FOLDER and prints what it wrote as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter
from support.served import ROOT

from footfall.stores.blobs import BlobStore
from monitoring.distance import FeatureReference, feature_reference
from monitoring.drift import EvidenceWriter
from monitoring.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

AT = datetime(2026, 1, 31, 13, tzinfo=UTC)
SITE = "north-mall"
ROWS = 360
CAMERAS = ("gate", "hall", "stairs")


def statistics_of(camera: str) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Statistic → what it was in the reference, and in the window; of unlike shape, level, gaps and drift."""
    rng = np.random.default_rng([*camera.encode()])

    def slow(level: float, spread: float, count: int) -> NDArray[np.float64]:
        """Neighbours are alike, as rows of a camera are."""
        white = rng.normal(0, 1, count)
        return level + spread * np.asarray(lfilter([np.sqrt(1 - 0.97**2)], [1, -0.97], white))

    gaps = np.where(rng.random(ROWS) < 0.6, np.nan, rng.normal(0.6, 0.05, ROWS))
    rare = np.where(rng.random(ROWS) < 0.9, np.nan, 0.2)
    with_odd_one = np.append(slow(6, 1, ROWS - 1), 1e12)
    return {
        "luminance": (slow(110, 12, 4000), slow(110, 12, ROWS)),
        "contrast": (slow(50, 4, 4000), slow(38, 4, ROWS)),
        "sharpness": (slow(0.5, 0.02, 3000), slow(0.5, 0.02, ROWS) * 1e6),  # far beyond what is cut
        "noise": (np.append(slow(6, 1, 3000), -1e12), with_odd_one),
        "saturation": (np.full(3000, 40.0), np.full(ROWS, 40.3)),  # never changed, and hardly does
        "dark_share": (rng.beta(0.1, 900, 3000), rng.beta(0.2, 900, ROWS)),  # deviates less than Evidently's floor
        "clipped_share": (np.zeros(3000), np.zeros(ROWS)),
        "detections": (rng.poisson(2, 3000).astype(float), rng.poisson(4, ROWS).astype(float)),
        "confidence_mean": (rng.normal(0.7, 0.05, 900), gaps),
        "box_height_median": (rng.normal(0.2, 0.01, 900), np.full(ROWS, np.nan)),
        "edge_touching_share": (rng.random(900), rare),  # fewer values than anything is said of
        "view_match": (np.full(40, 0.9), np.full(ROWS, 0.9)),  # no reference
    }


def references_of(camera: str) -> dict[str, FeatureReference]:
    found = {name: feature_reference(usual) for name, (usual, _) in statistics_of(camera).items()}
    # As float32, as a stored reference comes back.
    return {
        name: dataclasses.replace(each, values=each.values.astype(np.float32).astype(np.float64))
        for name, each in found.items()
        if each is not None
    }


def window_of(camera: str, rows: int = ROWS) -> Window:
    columns = {name: now[:rows].astype(np.float32) for name, (_, now) in statistics_of(camera).items()}
    return Window(camera, AT - timedelta(hours=1), AT, rows, 5.0, columns)


def thresholds_of(camera: str) -> Mapping[str, float]:
    return dict.fromkeys(statistics_of(camera), 0.5)


def written_by_itself(folder: Path) -> dict[str, Any]:
    """Run this file as a program; return what it told, by camera."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FOOTFALL_", "DO_NOT"))}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "support.evidently_reports", str(folder)],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "CONNECTS" not in ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def main() -> None:
    def refuse(event: str, arguments: object) -> None:
        if event in {"socket.connect", "socket.getaddrinfo"}:
            print("CONNECTS", arguments, file=sys.stderr, flush=True)

    sys.addaudithook(refuse)
    folder = Path(sys.argv[1])
    writer = EvidenceWriter(BlobStore(str(folder / "blobs")), folder / "workspace", site=SITE)
    written = {}
    for camera in CAMERAS:
        evidence = writer.write(
            window_of(camera),
            references_of(camera),
            thresholds_of(camera),
            reason="alarm",
            against="ten like days",
            cause="fog",
        )
        assert evidence is not None
        written[camera] = dataclasses.asdict(evidence) | {"at": evidence.at.isoformat()}
    print(json.dumps(written))


if __name__ == "__main__":
    main()
