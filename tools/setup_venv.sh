#!/usr/bin/env bash
# Makes or renews the virtual environment from a lock file; every package is checked against its hash.
#   tools/setup_venv.sh core|dev          core: what the program needs · dev: that and the tools of tests and lint
# Works without the python3-venv package and without pip in the environment. Done already: answers at once.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?core or dev}
venv=${VENV:-.venv}
python=${PYTHON:-python3}
case $kind in
  core) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "setup_venv: core or dev, not '$kind'" >&2; exit 2 ;;
esac

stamp_of() { echo "$venv/.installed-$1"; }
sum=$(sha256sum <"$lock" | cut -c1-64)
# The dev lock holds every pin of the core lock (tests/house checks that), so dev serves for core too.
if [ -x "$venv/bin/python" ]; then
  [ "$(cat "$(stamp_of "$kind")" 2>/dev/null)" = "$sum" ] && exit 0
  if [ "$kind" = core ] && [ "$(cat "$(stamp_of dev)" 2>/dev/null)" = "$(sha256sum <requirements-dev.lock | cut -c1-64)" ]; then
    exit 0
  fi
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup_venv: needs Python 3.11 or newer; '$python' is not. Say PYTHON=/path/to/python3.11" >&2
  exit 1
fi
[ -x "$venv/bin/python" ] || "$python" -m venv --without-pip "$venv"

# pip: the environment's own, else the machine's pip told where to install, else one made by ensurepip
if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  pip=("$venv/bin/python" -m pip)
elif "$python" -m pip --python "$venv/bin/python" --version >/dev/null 2>&1; then
  pip=("$python" -m pip --python "$venv/bin/python")
elif "$venv/bin/python" -m ensurepip >/dev/null 2>&1; then
  pip=("$venv/bin/python" -m pip)
else
  echo "setup_venv: no pip found: install Debian's python3-pip, or python3-venv" >&2
  exit 1
fi

echo "Installing $lock into $venv …"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
"${pip[@]}" install -qq --no-deps --require-hashes -r "$lock"

# The project itself runs from this folder: a path file instead of a build, so that nothing unpinned is fetched.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pwd >"$site/servicedesk-here.pth"
if [ ! -e "$venv/bin/servicedesk" ]; then
  printf '#!/bin/sh\nexec "%s/bin/python" -m servicedesk "$@"\n' "$(cd "$venv" && pwd)" >"$venv/bin/servicedesk"
  chmod +x "$venv/bin/servicedesk"
fi
echo "$sum" >"$(stamp_of "$kind")"
