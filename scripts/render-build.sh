#!/usr/bin/env bash
# Render's buildCommand for this repository; everything it does is in the package.
set -euo pipefail
cd "$(dirname "$0")/.."
python -m pip install --quiet --disable-pip-version-check .
exec python -m buildtools render build --install ./worker "$@"
