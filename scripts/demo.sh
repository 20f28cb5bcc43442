#!/usr/bin/env bash
# Shows Footfall counting: on the source given, or on a clip of the development footage when that is present.
#   DEMO_SOURCE     camera or film; in the environment, so that no process list shows a password
#   DEMO_SECONDS    ends it by itself
#   FOOTFALL_MODEL  a YOLO .onnx file or a model folder; without it, the model chosen with `footfall models`
set -euo pipefail
cd "$(dirname "$0")/.."
source=${DEMO_SOURCE:-}
footage=${FOOTFALL_TEST_DATA:-../shared/data}
film=$footage/PETS09-S2L1-a/video.mp4
imported=${FOOTFALL_DATA_DIR:-footfall-data}/models

if [ -z "$source" ] && [ -f "$film" ]; then source=$(realpath "$film"); fi
if [ -z "${FOOTFALL_MODEL:-}" ] && [ ! -d "$imported" ] && [ -f "$footage/models/yolo11n.onnx" ]; then
  FOOTFALL_MODEL=$(realpath "$footage/models/yolo11n.onnx")
  export FOOTFALL_MODEL
fi
if [ -z "$source" ]; then
  echo 'demo: nothing to look at; name a camera or a film:  make demo ARGS="rtsp://user:password@camera/stream"' >&2
fi
if [ -z "${FOOTFALL_MODEL:-}" ] && [ ! -d "$imported" ]; then
  echo "demo: no detector, and none ships with Footfall yet; set FOOTFALL_MODEL to a YOLO .onnx file, or import one:" \
    ".venv/bin/footfall models import FILE" >&2
  exit 2
fi
[ -n "$source" ] || exit 2

umask 077 # the site file may hold a password
folder=$(mktemp -d "${TMPDIR:-/tmp}/footfall-demo.XXXXXX")
trap 'rm -rf "$folder"' EXIT
DEMO_SOURCE=$source .venv/bin/python - >"$folder/site.yaml" <<'PY'
import os

import yaml

url = os.environ["DEMO_SOURCE"]
middle = {"name": "middle", "start": [0.5, 0.0], "end": [0.5, 1.0]}
film = "://" not in url or url.startswith("file://")
print(yaml.safe_dump({"site": "demo", "cameras": [{"id": "demo", "url": url, "loop": film, "lines": [middle]}]}))
PY

# A database of its own: a site file replaces the cameras that are there.
mkdir "$folder/data"
if [ -d "$imported" ]; then cp -r "$imported" "$folder/data/models"; fi
unset DEMO_SOURCE FOOTFALL_DATABASE_URL FOOTFALL_DATABASE_URL_FILE
export FOOTFALL_DATA_DIR=$folder/data
export ORT_DISABLE_TELEMETRY=1 # ONNX Runtime reports its use to its maker unless this is set before it is loaded
command=(.venv/bin/footfall up --config "$folder/site.yaml")
if [ -n "${DEMO_SECONDS:-}" ]; then
  command=(timeout --foreground --preserve-status --kill-after=20 "$DEMO_SECONDS" "${command[@]}")
fi
echo 'demo: people who cross the middle of the picture are counted; draw other lines on the page'
"${command[@]}"
