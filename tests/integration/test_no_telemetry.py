"""Libraries that report home are silenced: running a detector writes nothing outside and opens no connection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.served import ROOT

SCRIPT = """
import socket, sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        print("CONNECTS", arguments, flush=True)
sys.addaudithook(refuse)
from pathlib import Path
import numpy as np
from footfall.vision.detector import load_detector
load_detector(Path(sys.argv[1]), runtime=sys.argv[2]).detect([np.zeros((352, 640, 3), np.uint8)])
"""


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "auto"])
def test_a_detector_leaves_no_trace(tmp_path: Path, figure_model: Path, runtime: str) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="the `openvino` extra is not installed")
    home, scratch = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    scratch.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FOOTFALL_", "ORT_", "XDG_"))}
    environment |= {"HOME": str(home), "TMPDIR": str(scratch), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(figure_model), runtime],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "CONNECTS" not in ended.stdout
    assert [path for path in (*home.rglob("*"), *scratch.rglob("*")) if path.is_file()] == []
