#!/usr/bin/env bash
# Installs what Footfall needs into .venv beside the Makefile, and missing Debian packages into the system.
#   scripts/setup.sh runtime   what counting needs
#   scripts/setup.sh test      that, and all that the tests need
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-runtime}

packages=(libgl1 libglib2.0-0 python3-venv)
requirements=requirements/serve.txt
if [ "$kind" = test ]; then
  packages+=(ffmpeg gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-tools python3-gi postgresql chromium)
  requirements=requirements/dev.txt
fi

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
  "${as_root[@]}" apt-get update -qq
  # A test database server must not start by itself.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

python=
for candidate in python3.13 python3.12 python3.11 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || { echo "setup: needs Python 3.11 to 3.13, found none" >&2; exit 1; }

# Two set-ups at once would write into each other's environment.
exec 9>.setup.lock
command -v flock >/dev/null && flock 9

stamp=.venv/.footfall-setup
wanted="$(cat "$requirements" pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1) $PWD"
if [ -f "$stamp.$kind" ] && [ "$(cat "$stamp.$kind")" = "$wanted" ] && .venv/bin/python -c 'import footfall' 2>/dev/null; then
  exit 0
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "setup: installing Python packages into .venv ($kind)"
export PIP_DISABLE_PIP_VERSION_CHECK=1
.venv/bin/python -m pip install --quiet --require-hashes -r "$requirements"
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
rm -f "$stamp".*
echo "$wanted" >"$stamp.$kind"
[ "$kind" != test ] || { kind=runtime; wanted="$(cat requirements/serve.txt pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1) $PWD"; echo "$wanted" >"$stamp.$kind"; }
