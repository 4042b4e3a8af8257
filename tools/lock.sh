#!/usr/bin/env bash
# Renews requirements.lock (the program with PostgreSQL's driver) and requirements-dev.lock (that and the tools).
# Universal: one file serves every Python from 3.11 on and every platform; every file is pinned by hash; no addresses.
#   tools/lock.sh              keep pins where possible        tools/lock.sh --upgrade    take the newest
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
python=${PYTHON:-python3}
tool=$venv/.lock-tool
if ! [ -x "$tool/bin/uv" ]; then
  "$python" -m venv --without-pip "$tool"
  "$python" -m pip --python "$tool/bin/python" install -qq --disable-pip-version-check 'uv>=0.9,<1'
fi
export UV_PYTHON_DOWNLOADS=never UV_CUSTOM_COMPILE_COMMAND="make lock"
common=(pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links
  --no-annotate --extra postgres "$@")
"$tool/bin/uv" "${common[@]}" pyproject.toml -o requirements.lock
# pip before 25.1 does not read dependency groups; uv does, and the core's pins hold in the dev lock too
"$tool/bin/uv" "${common[@]}" -c requirements.lock --group test --group lint pyproject.toml -o requirements-dev.lock
