#!/usr/bin/env bash
# Shows Footfall counting on four drawn cameras whose truth is known, and on one's own if it is named.
#   DEMO_SOURCE     camera or film to count beside them; in the environment, so that no process list shows a password
#   DEMO_SECONDS    ends it by itself, with a summary; exit 1 when undisturbed cameras were counted less than 95 % right
#   FOOTFALL_*      settings as ever; the database is the demo's own and is thrown away
set -euo pipefail
cd "$(dirname "$0")/.."
export ORT_DISABLE_TELEMETRY=1 # ONNX Runtime reports its use to its maker unless this is set before it is loaded
exec .venv/bin/footfall demo
