#!/usr/bin/env bash
# Render's buildCommand for this repository; everything it does is in the package.
set -euo pipefail
cd "$(dirname "$0")/.."
# The package runs from the checkout; pip is asked only when something that it needs is not there,
# since it would install a folder anew every time.
python -m buildtools render command >/dev/null 2>&1 ||
    python -m pip install --quiet --disable-pip-version-check .
exec python -m buildtools render build --install ./worker "$@"
