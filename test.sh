#!/usr/bin/env bash
# Make the environment, then lint and run the tests. Arguments go to pytest: ./test.sh tests/f0 -k octave
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
source "$here/environment.sh"
cd -- "$here"

chromium_is_here() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null

if ! chromium_is_here && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "timbre: installing Chromium for the browser tests." >&2
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        chromium fonts-dejavu-core fonts-noto-cjk; } >&2 || echo "timbre: apt-get failed; see above." >&2
fi
chromium_is_here || echo "timbre: Chromium is not installed, so the browser tests cannot run here." >&2

prepare tests
export HF_HUB_OFFLINE=1
# Two test processes on what may be two cores: more threads than cores make each other wait.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
"$python" -m ruff check .
exec "$python" -m pytest -n 2 --dist loadfile "$@"
