"""What the programs share: the domain's words, settings, errors, vision algorithms and stores."""

import os

__version__ = "0.1.0"

# ONNX Runtime reports its use to its maker unless this is set before it is loaded, wherever that happens.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
