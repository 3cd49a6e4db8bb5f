#!/usr/bin/env bash
# Shows what a reset of the development stack would remove; --yes --project NAME does it.
set -euo pipefail
cd "$(dirname "$0")/.."
exec "${PYTHON:-python3}" -m buildtools stack reset "$@"
