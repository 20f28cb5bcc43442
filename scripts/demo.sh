#!/usr/bin/env bash
# Shows Footfall counting: on the source given, or on a clip of the development footage when that is present.
#   DEMO_SOURCE     camera or film; in the environment, so that no process list shows a password
#   DEMO_SECONDS    ends it by itself
#   FOOTFALL_MODEL  a YOLO .onnx file or a model folder
set -euo pipefail
cd "$(dirname "$0")/.."
source=${DEMO_SOURCE:-}
footage=${FOOTFALL_TEST_DATA:-../shared/data}
model=$footage/models/yolo11n.onnx
film=$footage/PETS09-S2L1-a/video.mp4

if [ -z "${FOOTFALL_MODEL:-}" ] && [ -f "$model" ]; then
  FOOTFALL_MODEL=$(realpath "$model")
  export FOOTFALL_MODEL
fi
if [ -z "$source" ] && [ -f "$film" ]; then source=$(realpath "$film"); fi
if [ -z "$source" ]; then
  echo 'demo: nothing to look at; name a camera or a film:  make demo ARGS="rtsp://user:password@camera/stream"' >&2
fi
if [ -z "${FOOTFALL_MODEL:-}" ] && [ -z "${FOOTFALL_DATA_DIR:-}" ]; then
  echo "demo: no detector, and none ships with Footfall yet; set FOOTFALL_MODEL to a YOLO .onnx file, or" \
    "FOOTFALL_DATA_DIR to a folder into which one was imported (footfall models import FILE)" >&2
  exit 2
fi
[ -n "$source" ] || exit 2

umask 077 # the site file may hold a password
folder=$(mktemp -d "${TMPDIR:-/tmp}/footfall-demo.XXXXXX")
trap 'rm -rf "$folder"' EXIT
export DEMO_SOURCE=$source
.venv/bin/python - >"$folder/site.yaml" <<'PY'
import os

import yaml

url = os.environ["DEMO_SOURCE"]
middle = {"name": "middle", "start": [0.5, 0.0], "end": [0.5, 1.0]}
film = "://" not in url or url.startswith("file://")
print(yaml.safe_dump({"site": "demo", "cameras": [{"id": "demo", "url": url, "loop": film, "lines": [middle]}]}))
PY
unset DEMO_SOURCE
export FOOTFALL_DATA_DIR=${FOOTFALL_DATA_DIR:-$folder/data}
command=(.venv/bin/footfall up --config "$folder/site.yaml")
if [ -n "${DEMO_SECONDS:-}" ]; then
  command=(timeout --foreground --preserve-status --kill-after=20 "$DEMO_SECONDS" "${command[@]}")
fi
echo 'demo: people who cross the middle of the picture are counted; draw other lines on the page'
"${command[@]}"
