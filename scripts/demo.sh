#!/usr/bin/env bash
# Shows Footfall counting: on the source in ARGS, or on a clip of the development footage when that is present.
#   DEMO_SECONDS=60 ends it by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
source=${1:-}
footage=${FOOTFALL_TEST_DATA:-../shared/data}
if [ -z "${FOOTFALL_MODEL:-}" ] && [ -f "$footage/models/yolo11n.onnx" ]; then
  export FOOTFALL_MODEL="$footage/models/yolo11n.onnx"
fi
if [ -z "$source" ] && [ -f "$footage/PETS09-S2L1-a/video.mp4" ]; then
  source=$(realpath "$footage/PETS09-S2L1-a/video.mp4")
fi
if [ -z "$source" ]; then
  echo 'demo: no source; give a camera or a film:  make demo ARGS="rtsp://user:password@camera/stream"' >&2
  exit 2
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/footfall-demo.XXXXXX")
trap 'rm -rf "$folder"' EXIT
umask 077 # the site file may hold a password
loop=false
case $source in *://*) ;; *) loop=true ;; esac
SOURCE=$source LOOP=$loop .venv/bin/python - >"$folder/site.yaml" <<'PY'
import os, yaml
line = {"name": "middle", "start": [0.5, 0.0], "end": [0.5, 1.0]}
camera = {"id": "demo", "url": os.environ["SOURCE"], "loop": os.environ["LOOP"] == "true", "lines": [line]}
print(yaml.safe_dump({"site": "demo", "cameras": [camera]}))
PY
export FOOTFALL_DATA_DIR=${FOOTFALL_DATA_DIR:-$folder/data}
command=(.venv/bin/footfall up --config "$folder/site.yaml")
if [ -n "${DEMO_SECONDS:-}" ]; then
  timeout --preserve-status --signal=TERM "$DEMO_SECONDS" "${command[@]}"
else
  "${command[@]}"
fi
