"""A `.pt` file becomes a model by its weights alone; whatever else it would do is not done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from footfall.vision.detector import load_detector

ROOT = Path(__file__).resolve().parents[3]
WRITING = """
import os, sys
from pathlib import Path
import torch
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel

folder = Path(sys.argv[1])

class Evil:
    def __reduce__(self):
        return os.mkdir, (str(folder / "was-here"),)

model = DetectionModel("yolo11n.yaml", nc=1, verbose=False)
model.names, model.args, model.task = {0: "person"}, vars(get_cfg()), "detect"
torch.save({"model": model}, folder / "good.pt")
torch.save({"model": model, "note": Evil()}, folder / "evil.pt")
"""


def python(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    settings = {"FOOTFALL_DATA_DIR": str(data_dir), "YOLO_CONFIG_DIR": str(data_dir), "YOLO_OFFLINE": "true"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(300)
def test_weights_are_imported_and_code_is_not_run(tmp_path: Path) -> None:
    written = python("-c", WRITING, str(tmp_path), data_dir=tmp_path)
    assert written.returncode == 0, written.stderr[-2000:]
    good = python("-m", "service", "models", "import", str(tmp_path / "good.pt"), data_dir=tmp_path)
    assert good.returncode == 0, good.stderr[-2000:]
    found = load_detector(tmp_path / "models/good", input_size=64).detect([np.zeros((64, 64, 3), np.uint8)])
    assert found[0].boxes_px.shape[1] == 4
    evil = python("-m", "service", "models", "import", str(tmp_path / "evil.pt"), data_dir=tmp_path)
    assert evil.returncode == 1
    assert "model 'evil.pt': cannot be read as weights alone" in evil.stderr
    assert not (tmp_path / "was-here").exists()
    assert not (tmp_path / "models/evil").exists()
