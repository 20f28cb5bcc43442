"""What the programs share: the domain's words, settings, errors, vision algorithms and stores."""

import os
import sys

__version__ = "0.1.0"

# ONNX Runtime reports its use to its maker unless this is set before it is loaded, wherever that happens.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# So does OpenVINO to its maker when it is imported, by Google Analytics, unless this package of its is not there.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # its import fails then
