"""What the embedded detector costs beside another one: CPU time per picture, one thread, both in one run."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from footfall.vision.models import EMBEDDED_FOLDER, resolve_model
from retrain.figures import measure_costs

ROOT = Path(__file__).resolve().parent.parent
FOOTAGE_DIR = Path(os.environ.get("FOOTFALL_TEST_DATA", ROOT.parent / "shared" / "data"))
MOST_RATIO = 0.45  # of yolo11n's time at the same input size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, default=FOOTAGE_DIR / "models" / "yolo11n.onnx", help="YOLO .onnx file")
    other = parser.parse_known_args()[0].other
    if not other.is_file():
        print(f"detectors: {other} is not there; name a YOLO .onnx file with --other", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="footfall-bench-") as scratch:
        costs = list(measure_costs(EMBEDDED_FOLDER, resolve_model(str(other), Path(scratch))))
    print("| input | camera's picture | embedded | other | ratio | aim |")
    print("|---|---|---|---|---|---|")
    for cost in costs:
        print(
            f"| {cost.input_size} | {cost.picture} | {cost.embedded_ms:.1f} ms | {cost.teacher_ms:.1f} ms | "
            f"{cost.ratio:.2f} | ≤ {MOST_RATIO} |"
        )
    print(json.dumps({f"cpu_ratio_{cost.input_size}_{cost.picture}": round(cost.ratio, 3) for cost in costs}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
