#!/usr/bin/env bash
# The development stack, started in order and awaited; everything it does is in the package.
set -euo pipefail
cd "$(dirname "$0")/.."
exec "${PYTHON:-python3}" -m buildtools stack up "$@"
