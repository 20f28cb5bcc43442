"""A detector that learned from photographs takes the drawn people for people, and little else."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from footfall.simulation import SCENES, parse_simulation_url
from footfall.vision.boxes import pairwise_iou
from footfall.vision.detector import load_detector
from footfall.vision.models import resolve_model
from footfall.vision.simulator import Simulator

LEAST_HEIGHT_PX, LEAST_VISIBLE, THRESHOLD = 60, 0.6, 0.25
SEEDS = (101, 102, 103, 104)


@pytest.mark.footage
@pytest.mark.parametrize("scene", SCENES)
def test_a_detector_of_real_people_finds_the_drawn_ones(scene: str, footage: Path, tmp_path: Path) -> None:
    model = resolve_model(str(footage / "models/yolo11n.onnx"), tmp_path)
    detector = load_detector(model, runtime="onnxruntime", threads=0, input_size=1280)
    wanted = found = claims = right = 0
    for seed in SEEDS:
        simulator = Simulator(parse_simulation_url(f"sim:{scene}?seed={seed}&fps=0.5&size=1280x720"))
        for shown in islice(simulator.frames(), 8):
            people = shown.people
            (detections,) = detector.detect([shown.picture])
            boxes = detections.boxes_px[detections.scores >= THRESHOLD]
            overlap = pairwise_iou(boxes, people.boxes_px)
            height = people.boxes_px[:, 3] - people.boxes_px[:, 1]
            must = (height >= LEAST_HEIGHT_PX) & (people.visible >= LEAST_VISIBLE)
            wanted += int(must.sum())
            found += int((must & (overlap >= 0.5).any(axis=0)).sum())
            # Of somebody half hidden the detector may give what is seen of him: that is no false claim.
            overlap = np.concatenate([overlap, pairwise_iou(boxes, people.seen_px)], axis=1)
            claims += len(boxes)
            right += int((overlap >= 0.5).any(axis=1).sum())
    assert wanted > 100
    assert found / wanted >= 0.85, f"{scene}: recall {found}/{wanted}"
    assert right / claims >= 0.95, f"{scene}: precision {right}/{claims}"
