#!/usr/bin/env bash
# Installs what Footfall needs into .venv beside the Makefile, and missing Debian packages into the system.
#   scripts/setup.sh runtime   what counting needs
#   scripts/setup.sh retrain   that, and what training a detector needs
#   scripts/setup.sh test      that, and all that the tests need
# PyTorch comes from where pip looks (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS); on Linux that is, unless these
# say otherwise, the kind for NVIDIA cards: gigabytes. A PyTorch that is in .venv already and fits is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-runtime}
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH # another environment's settings must not lead into it

packages=(libgl1 libglib2.0-0 python3-venv tzdata)
requirements=requirements/serve.txt
if [ "$kind" = retrain ]; then requirements=requirements/retrain.txt; fi
if [ "$kind" = test ]; then
  packages+=(ffmpeg gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-tools python3-gi postgresql prometheus prometheus-alertmanager chromium fonts-dejavu-core)
  command -v kubectl >/dev/null || packages+=(kubernetes-client)
  requirements=requirements/dev.txt
fi

# Two set-ups at once would write into each other's environment.
exec 9>.setup.lock
if command -v flock >/dev/null; then flock 9; fi

missing=()
if command -v dpkg-query >/dev/null; then
  for package in "${packages[@]}"; do
    # Newer releases rename libraries (libglib2.0-0t64) and provide the old name.
    states=$(dpkg-query -W -f='${Status}\n' "$package" "${package}t64" 2>/dev/null || true)
    case $states in *'install ok installed'*) ;; *) missing+=("$package") ;; esac
  done
else
  echo "setup: this is no Debian or Ubuntu; make sure that these are installed: ${packages[*]}" >&2
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing system packages: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "setup: no sudo; install as root: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq 9>&-
  # 9>&-: a server that a package starts must not inherit the lock.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
    --no-install-recommends "${missing[@]}" >/dev/null 9>&- || {
    echo "setup: apt-get could not install: ${missing[*]} (its own message is above)" >&2
    exit 1
  }
fi

# Of everything that decides what is installed; the folder too, because an environment cannot be moved.
wanted() { echo "$(cat "$1" pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1) $PWD"; }
stamp=.venv/.footfall-setup
if [ -f "$stamp.$kind" ] && [ "$(cat "$stamp.$kind")" = "$(wanted "$requirements")" ] &&
  .venv/bin/python -c 'import footfall' 2>/dev/null; then
  exit 0
fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  python=
  for candidate in python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    echo "setup: needs Python 3.11 or newer with its venv module; found $(python3 --version 2>&1)." \
      "Debian 12 and Ubuntu 24.04 have one; on an older system install python3.11 and python3.11-venv" >&2
    exit 1
  fi
  "$python" -m venv --clear .venv
fi
echo "setup: installing Python packages into .venv ($kind); this takes a minute"
export PIP_DISABLE_PIP_VERSION_CHECK=1
rm -f "$stamp".*
# No byte code of modules that are never loaded: it would be a seventh of the environment.
if [ "$kind" != runtime ]; then
  mapfile -t torch < <(.venv/bin/python -c '
import tomllib
for wanted in tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["retrain"]:
    if wanted.startswith("torch"): print(wanted)')
  # First, because what comes next asks for it; what it brings along has the locked versions from the start.
  .venv/bin/python -m pip install --quiet --no-compile -c <(grep -oE '^[a-z0-9._-]+==[^\\]+' "$requirements") "${torch[@]}"
fi
# The lock is complete; with hashes pip would not see that `pandas[parquet]` is the pandas in it.
.venv/bin/python -m pip install --quiet --no-compile --no-deps --require-hashes -r "$requirements"
# setuptools warns of every editable installation.
PYTHONWARNINGS=ignore .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
wanted "$requirements" >"$stamp.$kind"
# A larger set holds all of a smaller one.
if [ "$kind" != runtime ]; then wanted requirements/serve.txt >"$stamp.runtime"; fi
if [ "$kind" = test ]; then wanted requirements/retrain.txt >"$stamp.retrain"; fi
echo "setup: done; commands are in .venv/bin, for example .venv/bin/footfall --help"
